import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"
import { suite } from "effect-scoped/testing/DriverSuite"
import * as SqliteDriver from "../../examples/sqlite.ts"
import { temporaryDirectory } from "../servers/server.ts"

suite("sqlite, the example", {
  store: Effect.map(temporaryDirectory, (directory) => SqliteDriver.make({ file: `${directory}/scopes.db` }))
})

suite("one that nobody shares", {
  store: Effect.succeed(MemoryDriver.make()),
  shared: false,
  durable: false
})

describe("the example driver", () => {
  it.live("keeps scopes from one storage to the next", () =>
    Effect.gen(function*() {
      const file = `${yield* temporaryDirectory}/scopes.db`
      const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
      const increment = Scoped.update(Count, (count) => [count + 1, count + 1])
      for (const expected of [1, 2, 3]) {
        assert.strictEqual(yield* Effect.provide(increment, SqliteDriver.layer({ file })), expected)
      }
    }))

  it.live("says why it cannot be opened", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(SqliteDriver.make({ file: "/nowhere/at/all.db" })))
      assert.deepStrictEqual([error.operation, error.reason, error.inDoubt], ["open", "Unavailable", false])
    }))
})
