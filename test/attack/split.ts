/**
 * Updates that were refused together share one stepped schedule. When they are parted later (here: the product that held
 * them together was interrupted), each refusal of any of them steps it and counts for all: with `recurs(4)` the handlers
 * run three or four times instead of five, and the `ConflictError` tells of six attempts.
 */
import { Effect, Exit, Fiber, Schedule, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"

const counts = Scoped.family("c", { key: Schema.String, schema: Schema.Int, initial: 0 })
const [a, b] = [counts("a"), counts("b")]
const retry = Schedule.recurs(4)

const program = Effect.gen(function*() {
  const store = yield* MemoryDriver.make()
  let n = 9e12
  // Somebody else commits to both before each commit.
  const intrude = Effect.forEach(
    ["c/a", "c/b"],
    (name) =>
      Effect.flatMap(store.read([name]), ([record]) =>
        store.commit([[{
          name,
          expected: record?.revision ?? null,
          next: { revision: `o:${(++n).toString(36)}`, data: "5" }
        }]]))
  )
  const driver: Driver.Driver = {
    ...store,
    commit: (batch) => Effect.sleep("3 millis").pipe(Effect.andThen(intrude), Effect.andThen(store.commit(batch)))
  }
  yield* Effect.gen(function*() {
    yield* Scoped.get(Scoped.all([a, b]))
    const bump = (scope: typeof a) =>
      Effect.suspend(() => {
        let runs = 0
        const handler = (n: number) => {
          runs++
          return [n, n + 1] as const
        }
        return Effect.map(Effect.exit(Scoped.update(scope, handler, { retry })), (exit) =>
          `${scope.name}: ${runs} runs, ${Exit.isFailure(exit) ? String(exit.cause) : "committed"}`)
      })
    const product = yield* Effect.forkChild(
      Scoped.update(Scoped.all([a, b]), ([m, n]) => [0, [m + 1, n + 1]], { retry })
    )
    const singles = yield* Effect.forEach([a, b], (scope) => Effect.forkChild(bump(scope)))
    yield* Effect.sleep("1 millis")
    yield* Fiber.interrupt(product)
    for (const single of singles) console.log(yield* Fiber.join(single))
    console.log("alone:", yield* bump(a))
  }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
})

await Effect.runPromise(program)
