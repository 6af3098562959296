/** Parts of a backend that are slow one by one do not wait for each other. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"

const counts = Scoped.family("count", { key: Schema.String, schema: Schema.Int, initial: 0 })
const increment = (key: string) => Scoped.update(counts(key), (n) => [n + 1, n + 1])

describe("lanes", () => {
  it.effect("a batch holds names of one lane, and a slow lane holds up no other", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      const go = yield* Deferred.make<void>()
      const mixed: Array<ReadonlyArray<string>> = []
      const laneOf = (name: string) => name.split("/")[1]![0]!
      const slow = (names: ReadonlyArray<string>) => {
        const lanes = new Set(names.map(laneOf))
        if (lanes.size > 1) mixed.push(names)
        return lanes.has("s") ? Deferred.await(go) : Effect.void
      }
      const driver: Driver.Driver = {
        ...memory,
        parallelism: 1,
        lane: laneOf,
        read: (names) => Effect.andThen(slow(names), memory.read(names)),
        commit: (batch) =>
          Effect.andThen(
            slow(batch.flatMap((transaction) => transaction.map(({ name }) => name))),
            memory.commit(batch)
          )
      }
      yield* Effect.gen(function*() {
        const waiting = yield* Effect.forkChild(Effect.all(
          [increment("s1"), increment("s2"), Scoped.get(counts("s3"))],
          { concurrency: "unbounded" }
        ))
        for (let i = 1; i <= 3; i++) {
          assert.deepStrictEqual(
            yield* Effect.all([increment("a"), increment("b"), increment("a2")], { concurrency: "unbounded" }),
            [i, i, i]
          )
          assert.strictEqual(yield* Scoped.get(counts("a")), i)
        }
        assert.isUndefined(waiting.pollUnsafe())
        yield* Deferred.succeed(go, undefined)
        assert.deepStrictEqual(yield* Fiber.join(waiting), [1, 1, 0])
        assert.deepStrictEqual(mixed, [])
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
    }))
})
