/**
 * Updates a second, on one scope and over ten thousand, next to the peer's plain loop in the same run.
 *
 * ```sh
 * npm run bench:updates              # all stores
 * npm run bench:updates -- file      # one of them
 * ```
 */
import { Effect, Schema } from "effect"
import { Scoped } from "effect-scoped"
import { chosen, rate, show, stores } from "./stores.ts"

const Count = Scoped.make("count", { schema: Schema.Struct({ count: Schema.Int }), initial: { count: 0 } })
const Counts = Scoped.family("counts", {
  key: Schema.String,
  schema: Schema.Struct({ count: Schema.Int }),
  initial: { count: 0 }
})
const many = Array.from({ length: 10_000 }, (_, i) => Counts(`${i}`))
const increment = Scoped.update(({ count }: { readonly count: number }) => [count + 1, { count: count + 1 }])

const measure = Effect.fnUntraced(function*(name: string) {
  const { layer, peer } = yield* stores[name]!
  const peers = new Map<number, number>()
  for (const concurrency of peer?.concurrency ?? []) {
    const result = yield* rate(() => peer!.operation, concurrency)
    peers.set(concurrency, result)
    show([name, `peer: ${peer!.name}`, concurrency, result, ""])
  }
  yield* Effect.gen(function*() {
    for (
      const [what, scope] of [["one scope", () => Count], [
        "10,000 scopes",
        (i: number) => many[i % many.length]!
      ]] as const
    ) {
      for (const concurrency of [1, 64, 256, 1_000]) {
        const result = yield* rate((i) => increment(scope(i)), concurrency)
        const [, against] = [...peers].findLast(([limit]) => limit <= concurrency) ?? []
        show([name, what, concurrency, result, against === undefined ? "" : `${(result / against).toFixed(2)} x peer`])
      }
    }
  }).pipe(Effect.provide(layer))
})

show(["store", "what", "at once", "per second", "ratio"])
show(["---", "---", "---", "---", "---"])
for (const name of chosen()) await Effect.runPromise(Effect.scoped(measure(name)))
