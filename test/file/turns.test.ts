import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import * as Turns from "../../src/internal/file/turns.ts"

/** How often the event loop goes round until something is done. */
const rounds = Effect.fnUntraced(function*<A, E>(effect: Effect.Effect<A, E>) {
  const fiber = yield* Effect.forkChild(effect, { startImmediately: true })
  let rounds = 0
  while (fiber.pollUnsafe() === undefined) {
    yield* Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
    rounds++
  }
  return rounds
})

describe("turns", () => {
  it.effect("are taken one after the other, in the order in which they were asked for", () =>
    Effect.gen(function*() {
      const turns = Turns.make()
      const order: Array<number> = []
      let inside = 0
      const operation = (i: number) =>
        turns.take(() =>
          Effect.gen(function*() {
            assert.strictEqual(++inside, 1)
            yield* Effect.yieldNow
            order.push(i)
            inside--
            if (i % 3 === 0) return yield* Effect.die(i)
            return i % 3 === 1 ? Effect.succeed(i) : Effect.fail(i)
          })
        )
      const exits = yield* Effect.forEach(Array.from({ length: 30 }, (_, i) => i), (i) => Effect.exit(operation(i)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(order, [...exits.keys()])
      assert.deepStrictEqual(
        exits,
        [...exits.keys()].map((i) => i % 3 === 0 ? Exit.die(i) : i % 3 === 1 ? Exit.succeed(i) : Exit.fail(i))
      )
    }))

  it.effect("are not for those who are gone, however many", () =>
    Effect.gen(function*() {
      const turns = Turns.make()
      const done = yield* Deferred.make<void>()
      const first = yield* Effect.forkChild(turns.take(() => Effect.as(Deferred.await(done), Effect.void)), {
        startImmediately: true
      })
      const gone = yield* Effect.forEach(
        Array.from({ length: 1000 }),
        () => Effect.forkDetach(turns.take(() => Effect.die("nobody waits for it")), { startImmediately: true })
      )
      yield* Fiber.interruptAll(gone)
      yield* Deferred.succeed(done, undefined)
      assert.isBelow(yield* rounds(turns.take(() => Effect.succeed(Effect.void))), 100)
      yield* Fiber.join(first)
    }))
})
