/**
 * What an update of several scopes costs next to one of a single scope: updates a second, one at a time and 64 at once.
 *
 * ```sh
 * npm run bench:products -- memory file
 * ```
 */
import { Effect, Schema } from "effect"
import { Scoped } from "effect-scoped"
import { chosen, rate, show, stores } from "./stores.ts"

const Counts = Scoped.family("counts", { key: Schema.String, schema: Schema.Int, initial: 0 })

const measure = Effect.fnUntraced(function*(name: string) {
  const { layer } = yield* stores[name]!
  yield* Effect.gen(function*() {
    for (const concurrency of [1, 64]) {
      let single: number | undefined
      for (const parts of [1, 2, 5, 20]) {
        const product = Scoped.all(Array.from({ length: parts }, (_, i) => Counts(`${parts}-${i}`)))
        const update = Scoped.update(product, (counts) => [undefined, counts.map((count) => count + 1)])
        const result = yield* rate(() => update, concurrency)
        single ??= result
        show([name, parts, concurrency, result, `${(single / result).toFixed(2)} x one`])
      }
    }
  }).pipe(Effect.provide(layer))
})

show(["store", "scopes", "at once", "per second", "cost"])
show(["---", "---", "---", "---", "---"])
for (const name of chosen()) await Effect.runPromise(Effect.scoped(measure(name)))
