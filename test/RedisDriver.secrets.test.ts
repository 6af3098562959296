/** What no error, log or cause may hold: credentials, and the states of others. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Redacted, Schedule, Schema } from "effect"
import { inspect } from "node:util"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import type { DriverError } from "../src/ScopedError.ts"
import { commit, create, driver, layer, record, refusal, says } from "./redis/helpers.ts"
import { proxy } from "./redis/proxy.ts"
import { redisServer } from "./servers/redis.ts"
import { freePort } from "./servers/server.ts"

/** All that anybody could print of an error. */
const printed = (error: unknown) =>
  inspect(error, { depth: Infinity, showHidden: true }) + JSON.stringify(error) + String(error)

describe("an error of the Redis driver", { concurrent: true }, () => {
  it.live("of a URL that is none holds nothing of it", () =>
    Effect.gen(function*() {
      for (
        const url of [
          "redis://app:qzx#wvy@localhost:6379",
          "redis://app:qzx/wvy@localhost:6379",
          "redis://app:4321/qzx@localhost:6379",
          "redis://app:4321#qzx@localhost:6379",
          "redis://app:4321/3?qzx@localhost:6379",
          "redis://app:4321?qzx@localhost:6379",
          "redis://:qzx@",
          "http://app:qzx@localhost:6379",
          "app:qzx/wvy@localhost",
          "//app:4321/qzx@localhost",
          "redis://app:qzx%@localhost:6379"
        ]
      ) {
        for (const options of [{ url: Redacted.make(url) }, { url }, { cluster: [url] }]) {
          const error = yield* Effect.flip(RedisDriver.make(options))
          says(error, "Unknown", /"url"|options/)
          assert.notMatch(printed(error), /qzx|wvy|4321/, url)
        }
      }
    }))

  it.live("does not tell the password, whatever goes wrong with it", () =>
    Effect.gen(function*() {
      const server = yield* redisServer({ password: "another" })
      const gone = yield* freePort
      const logs: Array<unknown> = []
      yield* Effect.gen(function*() {
        const errors: Array<DriverError> = []
        for (const port of [server.port, gone]) {
          const url = Redacted.make(`redis://app:hidden@127.0.0.1:${port}`)
          const redis = yield* RedisDriver.make({ url, timeout: "500 millis" })
          errors.push(yield* refusal(redis, create("a")), yield* Effect.flip(redis.read(["a"])))
          const cluster = yield* RedisDriver.make({
            cluster: [`redis://127.0.0.1:${port}`],
            username: "app",
            password: Redacted.make("hidden"),
            timeout: "500 millis"
          })
          errors.push(yield* refusal(cluster, create("a")), yield* Effect.flip(cluster.read(["a"])))
        }
        for (const error of errors) assert.notInclude(printed(error), "hidden")
      }).pipe(
        Effect.scoped,
        Effect.provide(Logger.layer([Logger.make((entry) => logs.push(inspect([entry.message, entry.cause])))]))
      )
      assert.notInclude(logs.join(), "hidden")
    }))

  it.live("holds nothing of what was sent", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port, { timeout: "1500 millis" })
      assert.isTrue(yield* commit(redis, create("a")))
      const hidden = record(JSON.stringify("hidden"))
      wire.mode = "deaf"
      const late = yield* refusal(redis, create("b", hidden))
      says(late, "Timeout", "did not answer", true)
      wire.mode = "open"
      let cut = false
      wire.overhear = (question) => {
        if (cut || !question.includes("hidden")) return
        cut = true
        wire.cut()
      }
      const lost = yield* refusal(redis, create("c", hidden))
      says(lost, "Unavailable", "was lost", true)
      wire.overhear = () => {}
      const disabled = yield* redisServer({ args: ["--rename-command", "EVALSHA", ""] })
      const unknown = yield* refusal(yield* driver(disabled), create("d", hidden))
      says(unknown, "Forbidden", "unknown command")
      for (const error of [late, lost, unknown]) assert.notMatch(printed(error), /hidden|evalsha','|'1'/)
    }))

  it.live("reaches nobody by way of the update that failed", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const state = Scoped.make("a", { schema: Schema.Int, initial: 0 })
      const error = yield* Effect.gen(function*() {
        yield* Scoped.update(state, () => [undefined, 1])
        wire.mode = "deaf"
        return yield* Effect.flip(Scoped.update(state, () => [undefined, 123_456_789]))
      }).pipe(
        Effect.provide(layer(wire.port, { timeout: "700 millis" }, { recovery: Schedule.recurs(1) }))
      )
      assert.strictEqual(error._tag, "AmbiguousCommitError")
      assert.notInclude(printed(error), "123456789")
    }))
})
