/**
 * What looking after handlers costs: the same updates on memory with states that are frozen, that are copied because a
 * date cannot be frozen, and with handlers that are verified, in turns.
 *
 * ```sh
 * npm run bench:purity
 * ```
 */
import { Effect, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"
import { rate, show } from "./stores.ts"

const Plain = Scoped.make("plain", { schema: Schema.Struct({ count: Schema.Int }), initial: { count: 0 } })
const Dated = Scoped.make("dated", {
  schema: Schema.Struct({ count: Schema.Int, at: Schema.Date }),
  initial: { count: 0, at: new Date(0) }
})

const updates = {
  frozen: Scoped.update(Plain, (state) => [0, { ...state, count: state.count + 1 }]),
  copied: Scoped.update(Dated, (state) => [0, { ...state, count: state.count + 1 }])
}

const median = (rates: ReadonlyArray<number>) => rates.toSorted((a, b) => a - b)[Math.floor(rates.length / 2)]!

const program = Effect.gen(function*() {
  const found = new Map<string, Array<number>>()
  for (let round = 0; round < 5; round++) {
    for (const purity of ["freeze", "verify"] as const) {
      for (const [kind, update] of Object.entries(updates)) {
        const result = yield* rate(() => update, 64, 1_000).pipe(Effect.provide(MemoryDriver.layer({}, { purity })))
        const name = `${purity}, ${kind}`
        found.set(name, [...found.get(name) ?? [], result])
      }
    }
  }
  const plain = median(found.get("freeze, frozen")!)
  show(["purity, state", "per second, 64 at once", "ratio"])
  show(["---", "---", "---"])
  for (const [name, rates] of found) show([name, median(rates), (median(rates) / plain).toFixed(2)])
})

await Effect.runPromise(program)
