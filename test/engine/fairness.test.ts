/** Writers that want the same scope all the time. How fast they are is not looked at, only how they fare together. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { TestClock } from "effect/testing"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count, count + 1])

/** A driver whose store is some milliseconds away. */
const away = (driver: Driver.Driver, millis: number): Driver.Driver => {
  const travel = Effect.sleep(Duration.millis(millis / 2))
  return {
    ...driver,
    read: (names) => travel.pipe(Effect.andThen(driver.read(names)), Effect.tap(travel)),
    commit: (batch) => travel.pipe(Effect.andThen(driver.commit(batch)), Effect.tap(travel))
  }
}

const writer = (driver: Driver.Driver, options?: Storage.Options) =>
  Effect.map(Layer.build(Layer.fresh(Storage.layer(Effect.succeed(driver), options))), (storage) => {
    const counted = { done: 0, storage }
    const busy = increment.pipe(
      Effect.andThen(Effect.sync(() => counted.done++)),
      Effect.forever,
      Effect.provide(storage)
    )
    return { counted, busy }
  })

describe("writers of one scope", () => {
  it.live("each get their share, wherever they are", () =>
    Effect.gen(function*() {
      for (const [near, far] of [[0, 0], [0, 2], [0.2, 5]] as const) {
        const driver = yield* MemoryDriver.make()
        const a = yield* writer(near === 0 ? driver : away(driver, near))
        const b = yield* writer(far === 0 ? driver : away(driver, far))
        const alone = yield* writer(far === 0 ? yield* MemoryDriver.make() : away(yield* MemoryDriver.make(), far))
        // By turns, so that both meet the same load of the machine.
        for (let round = 0; round < 5; round++) {
          yield* Effect.all([a.busy, b.busy], { concurrency: 2 }).pipe(Effect.timeoutOption("200 millis"))
          yield* alone.busy.pipe(Effect.timeoutOption("200 millis"))
        }
        // Half of its fair share, which is half of what it could do alone, and room for a busy machine.
        assert.isAtLeast(b.counted.done, alone.counted.done / 8, `${near} and ${far} ms away`)
        assert.isAtLeast(a.counted.done, b.counted.done / 4)
      }
    }))

  it.effect("need no clock", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const writers = yield* Effect.forEach([1, 2, 3], () => writer(driver))
      yield* Effect.forEach(
        writers,
        ({ counted }) => Effect.provide(Effect.repeat(increment, { times: 99 }), counted.storage),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(yield* Effect.provide(Scoped.get(Count), writers[0]!.counted.storage), 300)
    }))

  it.effect("one update beside a busy writer is neither refused for ever nor fails", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const program = Effect.scoped(Effect.gen(function*() {
        const busy = yield* writer(away(driver, 1))
        const other = yield* writer(away(driver, 20))
        yield* Effect.forkScoped(busy.busy)
        assert.isNumber(yield* Effect.provide(increment, other.counted.storage))
        assert.isAbove(busy.counted.done, 0)
      }))
      const running = yield* Effect.forkChild(program)
      let millis = 0
      while (running.pollUnsafe() === undefined && ++millis < 10_000) yield* TestClock.adjust("1 millis")
      yield* Fiber.join(running)
    }))

  it.effect("of scopes and products of them, too: nobody waits in a circle or is left out", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const travel = Effect.repeat(Effect.yieldNow, { times: 3 })
      const remote: Driver.Driver = {
        ...driver,
        commit: (batch) => travel.pipe(Effect.andThen(driver.commit(batch)), Effect.tap(travel))
      }
      const a = Scoped.make("a", { schema: Schema.Int, initial: 0 })
      const b = Scoped.make("b", { schema: Schema.Int, initial: 0 })
      const both = ([m, n]: readonly [number, number]) => [0, [m + 1, n + 1]] as const
      const [one, other] = [Scoped.update(a, (n) => [0, n + 1]), Scoped.update(b, (n) => [0, n + 1])]
      const busy = yield* Effect.forEach([
        [one, Scoped.update(Scoped.all([a, b]), both)],
        [other, Scoped.update(Scoped.all([b, a]), both)],
        [one],
        [other]
      ], (updates) =>
        Effect.gen(function*() {
          const counted = { done: 0 }
          const storage = yield* Layer.build(Storage.layer(Effect.succeed(remote)))
          for (const update of updates) {
            yield* Effect.forkScoped(
              Effect.forever(Effect.tap(update, () => Effect.sync(() => counted.done++))).pipe(Effect.provide(storage))
            )
          }
          return counted
        }))
      const total = () => busy.reduce((sum, { done }) => sum + done, 0)
      // A turn that has to lapse takes a quarter of a second.
      const until = performance.now() + 5_000
      while (total() < 1_000 && performance.now() < until) yield* Effect.yieldNow
      assert.isAtLeast(total(), 1_000)
      for (const { done } of busy) assert.isAtLeast(done, total() / busy.length / 4)
    }))

  it.live("a turn that is not taken is lost in a moment", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const near = yield* writer(driver)
      yield* Effect.repeat(increment, { times: 2 }).pipe(Effect.provide(near.counted.storage))
      const claim = { name: "count", expected: "nobody:1", next: undefined, claim: "gone" }
      yield* driver.commit([[claim]])
      yield* Effect.timeout(Effect.provide(increment, near.counted.storage), "1 second")
    }))

  it.live("also where the clock is set back meanwhile", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const near = yield* writer(driver)
      yield* Effect.provide(increment, near.counted.storage)
      yield* driver.commit([[{ name: "count", expected: "nobody:1", next: undefined, claim: "gone" }]])
      const anHourAgo = Date.now() - 3_600_000
      const clock = vi.spyOn(Date, "now").mockReturnValue(anHourAgo)
      yield* Effect.timeout(Effect.provide(increment, near.counted.storage), "2 seconds").pipe(
        Effect.ensuring(Effect.sync(() => clock.mockRestore()))
      )
    }))
})
