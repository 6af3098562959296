/** What a crowd can consist of: this library over a store, and the loops that a program would write without it. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Redacted, Schema, type Scope } from "effect"
import { FileDriver, Scoped, type Storage } from "effect-scoped"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { Redis } from "ioredis"
import { flags, redisServer } from "../servers/redis.ts"
import { temporaryDirectory } from "../servers/server.ts"

export interface Contender {
  /** Adds one to a state. */
  readonly update: (name: string) => Effect.Effect<unknown, unknown>
  /** How often that was tried so far. */
  readonly attempts: () => number
}

/** Where the contenders of a store meet: a URL or a directory. */
export const places: { readonly [store: string]: Effect.Effect<string, unknown, Scope.Scope> } = {
  file: temporaryDirectory,
  redis: Effect.map(redisServer({ args: flags({ appendonly: "yes", appendfsync: "always" }) }), ({ url }) => url)
}

const Count = Scoped.family("count", {
  key: Schema.String,
  schema: Schema.Struct({ count: Schema.Int }),
  initial: { count: 0 }
})

const scoped = (layer: Layer.Layer<Storage.Storage, unknown>): Effect.Effect<Contender, unknown, Scope.Scope> =>
  Effect.map(Layer.build(layer), (storage) => {
    let attempts = 0
    const update = Scoped.update(({ count }: { readonly count: number }) => {
      // oxlint-disable-next-line effect-scoped/pure-handlers -- how often it runs is the question
      attempts++
      return [count + 1, { count: count + 1 }]
    })
    return { update: (name) => Effect.provideContext(update(Count(name)), storage), attempts: () => attempts }
  })

const client = (url: string) =>
  Effect.acquireRelease(Effect.sync(() => new Redis(url)), (redis) => Effect.sync(() => redis.disconnect()))

const increment = (text: string | null): string =>
  JSON.stringify({ count: (text === null ? 0 : (JSON.parse(text) as { count: number }).count) + 1 })

/** `GET`, and a script that sets what is still as it was. */
const cas = (url: string) =>
  Effect.map(client(url), (redis): Contender => {
    let attempts = 0
    const swap = defineSwap(redis)
    return {
      attempts: () => attempts,
      update: (name) =>
        Effect.promise(async () => {
          for (;;) {
            attempts++
            const before = await redis.get(name)
            if (await swap(name, before ?? "", increment(before)) === 1) return
          }
        })
    }
  })

/** The same script, from what was there last, as one would where hardly anybody else is expected. */
const swap = (url: string) =>
  Effect.map(client(url), (redis): Contender => {
    let attempts = 0
    const known = new Map<string, string>()
    const swap = defineSwap(redis)
    return {
      attempts: () => attempts,
      update: (name) =>
        Effect.promise(async () => {
          for (;;) {
            attempts++
            const before = known.get(name) ?? await redis.get(name)
            const next = increment(before)
            if (await swap(name, before ?? "", next) === 1) return known.set(name, next)
            known.delete(name)
          }
        })
    }
  })

const defineSwap = (redis: Redis) => {
  redis.defineCommand("swap", {
    numberOfKeys: 1,
    lua: `if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`
  })
  const { swap } = redis as Redis & { swap(key: string, before: string, after: string): Promise<number> }
  return swap.bind(redis)
}

/** `WATCH`, `GET`, `MULTI`, `SET`, `EXEC`, on a connection for each update that is under way. */
const watch = (url: string) =>
  Effect.sync((): Contender => {
    let attempts = 0
    const idle: Array<Redis> = []
    return {
      attempts: () => attempts,
      update: (name) =>
        Effect.promise(async () => {
          const redis = idle.pop() ?? new Redis(url)
          for (;;) {
            attempts++
            await redis.watch(name)
            const next = increment(await redis.get(name))
            if (await redis.multi().set(name, next).exec() !== null) break
          }
          idle.push(redis)
        })
    }
  })

export const contenders: {
  readonly [name: string]: (place: string) => Effect.Effect<Contender, unknown, Scope.Scope>
} = {
  file: (directory) => scoped(FileDriver.layer({ directory }).pipe(Layer.provide(NodeServices.layer))),
  redis: (url) => scoped(RedisDriver.layer({ url: Redacted.make(url) })),
  "redis-cas": cas,
  "redis-swap": swap,
  "redis-watch": watch
}
