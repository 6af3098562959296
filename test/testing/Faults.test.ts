import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schema } from "effect"
import { FileDriver, MemoryDriver, Scoped, type ScopedError } from "effect-scoped"
import { Faults } from "effect-scoped/testing"
import { TestClock } from "effect/testing"
import { services, temporaryDirectory } from "../file/helpers.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const Other = Scoped.make("other", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])

const reasons = ["Unavailable", "Timeout", "Full", "Forbidden", "Corrupt", "Closed", "Unknown"] as const

const facts = (error: ScopedError.ScopedError) =>
  error._tag === "DriverError" ? [error._tag, error.operation, error.reason, error.scope] : [error._tag]

const stores = {
  memory: Faults.layer(MemoryDriver.make()),
  file: Layer.unwrap(Effect.map(temporaryDirectory, (directory) => Faults.layer(FileDriver.make({ directory })))).pipe(
    Layer.provide(services)
  )
}

for (const [name, storage] of Object.entries(stores)) {
  describe(`Faults on ${name}`, () => {
    it.effect("a ConflictError", () =>
      Effect.gen(function*() {
        yield* Faults.commits(Faults.overtaken, { times: 4 })
        const error = yield* Effect.flip(increment)
        assert(error._tag === "ConflictError")
        assert.deepStrictEqual([error.attempts, error.changed], [4, ["count"]])
        assert.strictEqual(yield* increment, 1)
      }).pipe(Effect.provide(Layer.fresh(storage))))

    it.effect("an update that is overtaken, and then comes through", () =>
      Effect.gen(function*() {
        yield* increment
        yield* Faults.commits(Faults.overtaken, { times: 3 })
        assert.strictEqual(yield* increment, 2)
      }).pipe(Effect.provide(Layer.fresh(storage))))

    it.effect("an AmbiguousCommitError, applied all the same", () =>
      Effect.gen(function*() {
        yield* Faults.commits(Faults.ambiguous)
        assert.strictEqual((yield* Effect.flip(increment))._tag, "AmbiguousCommitError")
        assert.strictEqual(yield* increment, 2)
      }).pipe(Effect.provide(Layer.fresh(storage))))

    for (const reason of reasons) {
      it.effect(`a DriverError of an update and of a read: ${reason}`, () =>
        Effect.gen(function*() {
          yield* Faults.commits(Faults.fails(reason))
          assert.deepStrictEqual(facts(yield* Effect.flip(increment)), ["DriverError", "commit", reason, "count"])
          yield* Faults.reads(Faults.fails(reason))
          assert.deepStrictEqual(facts(yield* Effect.flip(Scoped.get(Count))), ["DriverError", "read", reason, "count"])
          assert.strictEqual(yield* increment, 1)
        }).pipe(Effect.provide(Layer.fresh(storage))))
    }

    it.effect("a NotReplicatedError of an update that is stored", () =>
      Effect.gen(function*() {
        yield* Faults.commits(Faults.notReplicated)
        assert.strictEqual((yield* Effect.flip(increment))._tag, "NotReplicatedError")
        assert.strictEqual(yield* Scoped.get(Count), 1)
      }).pipe(Effect.provide(Layer.fresh(storage))))

    it.effect("lost requests and answers that nobody notices, also of products", () =>
      Effect.gen(function*() {
        const both = Scoped.update(Scoped.all([Count, Other]), ([a, b]) => [[a, b], [a + 1, b + 1]])
        for (const fault of [Faults.requestLost, Faults.answerLost, Faults.fails("Timeout", { inDoubt: true })]) {
          yield* Faults.commits(fault)
          yield* increment
          yield* Faults.commits(fault)
          yield* both
        }
        assert.deepStrictEqual(yield* Scoped.get(Scoped.all([Count, Other])), [6, 3])
      }).pipe(Effect.provide(Layer.fresh(storage))))
  })
}

describe("Faults in time", () => {
  it.effect("a slow commit takes as long as it is told", () =>
    Effect.gen(function*() {
      yield* Faults.commits(Faults.slow("3 seconds"))
      const fiber = yield* Effect.forkChild(increment, { startImmediately: true })
      yield* TestClock.adjust("2 seconds")
      assert.isTrue(fiber.pollUnsafe() === undefined)
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }).pipe(Effect.provide(Layer.fresh(stores.memory))))

  it.effect("a silent read ends with the storage's timeout", () =>
    Effect.gen(function*() {
      yield* Faults.reads(Faults.silent)
      const fiber = yield* Effect.forkChild(Effect.flip(Scoped.get(Count)), { startImmediately: true })
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(facts(yield* Fiber.join(fiber)), ["DriverError", "read", "Timeout", "count"])
    }).pipe(Effect.provide(Layer.fresh(stores.memory))))

  it.effect("a scope that expires keeps its time to live when it is overtaken", () =>
    Effect.gen(function*() {
      const Short = Scoped.make("short", { schema: Schema.Int, initial: 0, idleTimeToLive: "10 seconds" })
      yield* Scoped.update(Short, (n) => [n, n + 1])
      yield* TestClock.adjust("6 seconds")
      yield* Faults.commits(Faults.overtaken)
      assert.strictEqual(yield* Scoped.get(Scoped.all([Short])).pipe(Effect.map(([n]) => n)), 1)
      yield* Effect.flip(Effect.andThen(
        Faults.commits(Faults.overtaken, { times: 4 }),
        Scoped.update(Short, (n) => [n, n + 1])
      ))
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Scoped.get(Short), 0)
    }).pipe(Effect.provide(Layer.fresh(stores.memory))))

  it.effect("each storage has faults of its own", () =>
    Effect.gen(function*() {
      yield* Effect.provide(Faults.commits(Faults.fails("Full")), Layer.fresh(stores.memory))
      assert.strictEqual(yield* Effect.provide(increment, Layer.fresh(stores.memory)), 1)
    }))
})
