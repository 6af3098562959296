import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue, Redacted, Schedule, Schema, type Scope, Stream } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { mysqlServer } from "./servers/mysql.ts"
import { redisServer } from "./servers/redis.ts"
import { freePort, temporaryDirectory } from "./servers/server.ts"

/** A durable server that can be killed and started again. */
interface Restartable {
  readonly layer: Layer.Layer<Storage.Storage, unknown>
  readonly kill: Effect.Effect<void>
  readonly start: Effect.Effect<void, unknown, Scope.Scope>
}

const redis: Effect.Effect<Restartable, unknown, Scope.Scope> = Effect.gen(function*() {
  const [port, directory] = [yield* freePort, yield* temporaryDirectory]
  const start = redisServer({ port, directory, args: ["--appendonly", "yes", "--appendfsync", "always"] })
  let server = yield* start
  return {
    layer: RedisDriver.layer({ url: server.url }),
    kill: Effect.suspend(() => server.stop("SIGKILL")),
    start: Effect.map(start, (again) => {
      server = again
    })
  }
})

const mysql: Effect.Effect<Restartable, unknown, Scope.Scope> = Effect.gen(function*() {
  const server = yield* mysqlServer({ durable: true })
  return {
    layer: MysqlDriver.layer({ url: Redacted.make(server.url) }),
    kill: Effect.suspend(() => server.process().stop("SIGKILL")),
    start: server.start()
  }
})

describe("watching a scope while its server is killed and started again", () => {
  for (const [name, restartable] of Object.entries({ redis, mysql })) {
    it.live(`${name}: goes on with what is committed then, and repeats nothing`, () =>
      Effect.gen(function*() {
        const { kill, layer, start } = yield* restartable
        const [writer, watcher] = [yield* Layer.build(layer), yield* Layer.build(Layer.fresh(layer))]
        const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
        const set = (n: number) =>
          Scoped.update(Count, () => [undefined, n]).pipe(
            Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))),
            Effect.provide(writer)
          )
        const seen = yield* Queue.unbounded<number>()
        yield* Scoped.changes(Count).pipe(
          Stream.runForEach((count) => Queue.offer(seen, count)),
          Effect.provide(watcher),
          Effect.forkScoped
        )
        const expects = Effect.fnUntraced(function*(n: number) {
          const count = yield* Queue.take(seen).pipe(
            Effect.timeoutOrElse({ duration: "20 seconds", orElse: () => Effect.die(new Error(`never saw ${n}`)) })
          )
          assert.strictEqual(count, n)
        })
        yield* expects(0)
        for (let n = 1; n <= 3; n++) {
          yield* set(n)
          yield* expects(n)
          yield* kill
          yield* Effect.sleep("300 millis")
          yield* start
        }
        yield* set(4)
        yield* expects(4)
      }), 90_000)
  }
})
