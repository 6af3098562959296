/**
 * An empty store for the suites: in the server of `REDIS_URL` under a prefix of its own, which is cleared afterwards, or
 * in a private server.
 */
import { Effect } from "effect"
import { Redis } from "ioredis"
import * as RedisDriver from "../../src/RedisDriver.ts"
import { redisServer } from "../servers/redis.ts"

/** A server to test on, and a prefix in it that nobody else uses. */
export const place = Effect.gen(function*() {
  const url = process.env["REDIS_URL"] ?? (yield* redisServer()).url
  const prefix = `effect-scoped-test:${crypto.randomUUID()}:`
  yield* Effect.addFinalizer(() => Effect.promise(() => clear(url, prefix)))
  return { url, prefix }
})

export const store = Effect.map(place, (options) => RedisDriver.make(options))

const clear = async (url: string, prefix: string) => {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: null })
  redis.on("error", () => {})
  try {
    await redis.connect()
  } catch {
    // A private server is gone by now.
    return
  }
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(...keys)
  }
  redis.disconnect()
}
