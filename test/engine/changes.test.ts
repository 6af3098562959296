import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Exit, Fiber, Hash, Layer, Queue, Schedule, Schema, Scope, Stream } from "effect"
import { type Driver, MemoryDriver, Scoped, ScopedError, Storage } from "effect-scoped"
import { TestClock } from "effect/testing"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })

const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))

describe("changes", () => {
  it.effect("emits each newer state of a class that calls itself equal to its elders", () =>
    Effect.gen(function*() {
      class Entity extends Schema.Class<Entity>("Entity")({ id: Schema.String, n: Schema.Int }) {
        [Equal.symbol](other: unknown): boolean {
          return other instanceof Entity && other.id === this.id
        }
        [Hash.symbol](): number {
          return Hash.string(this.id)
        }
      }
      const scope = Scoped.make("entity", { schema: Entity, initial: new Entity({ id: "a", n: 0 }) })
      const seen = yield* Queue.unbounded<number>()
      yield* Effect.forkChild(Stream.runForEach(Scoped.changes(scope), ({ n }) => Queue.offer(seen, n)), {
        startImmediately: true
      })
      for (let n = 1; n <= 3; n++) {
        assert.strictEqual(yield* Queue.take(seen), n - 1)
        yield* Scoped.update(scope, (entity) => [undefined, new Entity({ ...entity, n: entity.n + 1 })])
      }
      assert.strictEqual(yield* Queue.take(seen), 3)
    }).pipe(Effect.provide(MemoryDriver.layer())))

  it.effect("ends at once when the layer closes, whatever the driver's hints do", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      const deaf: Driver.Driver = { ...memory, changes: () => Stream.never }
      for (const driver of [memory, deaf]) {
        const scope = yield* Scope.make()
        const storage = yield* Layer.buildWithScope(Storage.layer(Effect.succeed(driver)), scope)
        for (const target of [Count, Scoped.all([Count])]) {
          const watching = yield* Effect.forkChild(
            Effect.flip(Stream.runDrain(Scoped.changes(target as typeof Count))).pipe(Effect.provide(storage))
          )
          yield* settle
          yield* Effect.forkChild(Scope.close(scope, Exit.void))
          const error = yield* Fiber.join(watching)
          assert.strictEqual(error._tag === "DriverError" && error.reason, "Closed")
        }
      }
    }))

  it.effect("fails where the driver's hints end again and again", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      let subscriptions = 0
      const ending: Driver.Driver = {
        ...memory,
        changes: () => Stream.suspend(() => subscriptions++ < 10_000 ? Stream.empty : Stream.never)
      }
      const error = yield* Effect.flip(Stream.runDrain(Scoped.changes(Count))).pipe(
        Effect.provide(Storage.layer(Effect.succeed(ending), { recovery: Schedule.recurs(3) }))
      )
      assert.strictEqual(error._tag === "DriverError" && error.operation, "changes")
      assert.strictEqual(subscriptions, 4)
    }))

  it.effect("gives up hints that fail as often as they begin", () =>
    Effect.gen(function*() {
      let begun = 0
      const error = new ScopedError.DriverError({
        driver: "memory",
        operation: "changes",
        reason: "Forbidden",
        description: "not you",
        inDoubt: false
      })
      const deaf = Effect.map(MemoryDriver.make(), (driver): Driver.Driver => ({
        ...driver,
        changes: (names) =>
          Stream.suspend(() => {
            begun++
            return Stream.concat(Stream.fromIterable(names), Stream.fail(error))
          })
      }))
      const ended = yield* Effect.flip(Stream.runDrain(Scoped.changes(Count))).pipe(
        Effect.provide(Storage.layer(deaf, { recovery: Schedule.recurs(3) }))
      )
      assert.include(ended.message, "not you")
      assert.strictEqual(begun, 4)
    }))

  it.effect("tells an expiry in its time, however late it began to watch", () =>
    Effect.gen(function*() {
      const scope = Scoped.make("brief", { schema: Schema.Int, initial: 0, idleTimeToLive: "4 seconds" })
      yield* Scoped.update(scope, () => [undefined, 7])
      yield* TestClock.adjust("3 seconds")
      for (const target of [scope, Scoped.all([scope])]) {
        const seen: Array<unknown> = []
        yield* Effect.forkChild(
          Stream.runForEach(Scoped.changes(target as typeof scope), (state) => Effect.sync(() => seen.push(state)))
        )
        yield* settle
        yield* TestClock.adjust("900 millis")
        assert.strictEqual(seen.length, 1)
        yield* TestClock.adjust("150 millis")
        assert.deepStrictEqual(seen.flat(), [7, 0])
        // Nothing more is seen when the tombstone goes.
        yield* TestClock.adjust("10 minutes")
        assert.deepStrictEqual(seen.flat(), [7, 0])
        yield* Scoped.update(scope, () => [undefined, 7])
        yield* TestClock.adjust("3 seconds")
      }
    }).pipe(Effect.provide(MemoryDriver.layer())))
})
