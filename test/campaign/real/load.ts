/** What many parts of a program do with a storage at the same time. */
import { Duration, Effect, Fiber, Layer, Result, Schema, Stream } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import type { Seeded } from "../../../src/testing/internal/random.ts"

const Carts = Scoped.family("cart", {
  key: Schema.String,
  schema: Schema.Struct({ items: Schema.Array(Schema.String) }),
  initial: { items: [] },
  idleTimeToLive: "20 seconds"
})

const Stock = Scoped.family("stock", { key: Schema.String, schema: Schema.Int, initial: 100 })

/** Counts every acknowledged update of it. */
export const Total = Scoped.make("total", { schema: Schema.Int, initial: 0 })

export interface Tally {
  acknowledged: number
  /** Updates that were interrupted, or whose outcome is not known. */
  unknown: number
  readonly failed: Map<string, number>
}

const count = (tally: Tally) =>
  Scoped.update(Total, (total) => [undefined, total + 1]).pipe(
    Effect.onExit((exit) =>
      Effect.sync(() => {
        if (exit._tag === "Success") tally.acknowledged++
        // What it came to is not told to those who left.
        else if (!exit.cause.reasons.every((reason) => reason._tag === "Fail" && reason.error._tag === "DriverError")) {
          tally.unknown++
        }
      })
    )
  )

const keys = 400

/** One step of a program: `layer` opens a storage of its own over the same store. */
export const step = (
  random: Seeded,
  tally: Tally,
  layer: Layer.Layer<Storage.Storage, unknown>
): Effect.Effect<unknown, unknown, Storage.Storage> => {
  const key = () => String(random.below(keys))
  const cart = Carts(key())
  const add = Scoped.update(cart, ({ items }) => [items.length, { items: [...items.slice(-5), "item"] }])
  const both = Scoped.all({ cart, stock: Stock(key()) })
  const cases: ReadonlyArray<() => Effect.Effect<unknown, unknown, Storage.Storage>> = [
    () => add,
    () => count(tally),
    () => count(tally),
    () =>
      Scoped.updateResult(both, ({ cart, stock }) =>
        stock === 0
          ? Result.fail("sold out" as const)
          : Result.succeed([stock, { cart: { items: [...cart.items.slice(-5), "it"] }, stock: stock - 1 }])),
    () => Scoped.get(both),
    () => Scoped.remove(Stock(key())),
    () => Stream.runDrain(Stream.take(Scoped.names({ prefix: "stock" }), 50)),
    // Who does not wait long enough.
    () => Effect.timeoutOption(count(tally), random.below(12)),
    // Who goes away.
    () =>
      Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.all([add, count(tally)], { concurrency: 2 }))
        yield* Effect.sleep(random.below(8))
        yield* Fiber.interrupt(fiber)
      }),
    // Who watches for a while.
    () =>
      Effect.forEach([1, 2, 3], () => Stream.runDrain(Stream.take(Scoped.changes(Carts(key())), 3)), {
        concurrency: "unbounded"
      }).pipe(Effect.timeoutOption(Duration.millis(50 + random.below(500)))),
    // Who opens a storage of its own.
    () =>
      random.chance(0.2)
        ? Effect.scoped(Effect.gen(function*() {
          const own = yield* Layer.build(Layer.fresh(layer))
          yield* Effect.provide(Effect.all([add, count(tally), Scoped.get(both)]), own)
        }))
        : Effect.void
  ]
  return Effect.suspend(random.choice(cases))
}

/** Watches some scopes for as long as the storage is there. */
export const watch = Effect.forEach(
  Array.from({ length: 10 }, (_, i) => Carts(String(i))),
  (cart) => Stream.runDrain(Scoped.changes(cart)),
  { concurrency: "unbounded" }
)
