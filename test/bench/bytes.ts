/**
 * How many bytes of a Redis server's memory a scope takes, beside those of a plain `SET` of the same state.
 *
 * ```sh
 * npm run bench:bytes
 * ```
 */
import { Effect } from "effect"
import * as RedisDriver from "../../src/RedisDriver.ts"
import { connect, redisServer } from "../servers/redis.ts"

const scopes = 10_000

const program = Effect.gen(function*() {
  const server = yield* redisServer()
  const used = Effect.map(server.call("info", "memory"), (info) => Number(/used_memory:(\d+)/.exec(String(info))![1]))
  const redis = yield* RedisDriver.make({ url: server.url })
  const names = Array.from({ length: scopes }, (_, i) => `user/${i}`)
  const keys = names.map((name) => `effect-scoped:${name}`)

  /** Bytes per key of what an effect stores in an empty server. */
  const taken = Effect.fnUntraced(function*<E, R>(store: Effect.Effect<unknown, E, R>) {
    yield* server.call("flushall")
    const before = yield* used
    yield* store
    return Math.round(((yield* used) - before) / scopes)
  })

  for (const bytes of [10, 50, 100, 200, 1_000, 10_000]) {
    const data = JSON.stringify("x".repeat(bytes - 2))
    const plain = yield* taken(connect(server.port, async (redis) => {
      for (const key of keys) await redis.set(key, data)
    }))
    const row: Record<string, number> = { state: bytes, SET: plain }
    for (const writers of [1, 2, 8, 32]) {
      // As after commits of so many processes.
      const revision = Array.from({ length: writers }, (_, i) => `k3J9x2TbQ0${String.fromCharCode(97 + i % 26)}:${i}4a`)
        .join(" ")
      row[`${writers} writers`] = yield* taken(
        Effect.forEach(
          Array.from({ length: 20 }, (_, i) => names.slice(i * scopes / 20, (i + 1) * scopes / 20)),
          (some) => redis.commit(some.map((name) => [{ name, expected: null, next: { revision, data } }]))
        )
      )
    }
    console.log(JSON.stringify(row))
  }
})

await Effect.runPromise(Effect.scoped(program))
