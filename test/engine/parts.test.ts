/** A store that loses a part of what was committed together, as no store should. */
import { assert, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { DriverError } from "effect-scoped/ScopedError"

const lost = new DriverError({
  driver: "memory",
  operation: "commit",
  reason: "Unavailable",
  description: "a test said so",
  inDoubt: true
})

it.effect("an update of which the store has lost a part is told so", () =>
  Effect.gen(function*() {
    const store = yield* MemoryDriver.make()
    let first = true
    const driver: Driver.Driver = {
      ...store,
      commit: (batch) =>
        Effect.gen(function*() {
          const verdicts = yield* store.commit(batch)
          if (!first) return verdicts
          first = false
          // Something else is where the second part was written, and the answer does not come.
          const [, write] = batch[0]!
          const next = { revision: "somebody:1", data: "7" }
          yield* store.commit([[{ name: write!.name, expected: write!.next!.revision, next }]])
          return yield* Effect.fail(lost)
        })
    }
    const [x, y] = [
      Scoped.make("x", { schema: Schema.Int, initial: 0 }),
      Scoped.make("y", { schema: Schema.Int, initial: 0 })
    ]
    const error = yield* Scoped.update(Scoped.all([x, y]), ([x, y]) => [undefined, [x + 1, y + 1]]).pipe(
      Effect.flip,
      Effect.provide(Storage.layer(Effect.succeed(driver), { recovery: Schedule.recurs(3) }))
    )
    assert.strictEqual(error._tag, "AmbiguousCommitError")
    assert.match(error.message, /has lost a part of it/)
  }))
