/** What an update of several scopes costs, beside one of a single scope. */
import { Effect } from "effect"
import { Scoped } from "effect-scoped"
import { contenders } from "../contenders/contenders.ts"
import * as Ours from "../contenders/ours.ts"
import { type Contender, median, race, ratio, warm } from "../harness.ts"
import { places } from "../places.ts"
import type { Row } from "../report.ts"
import type { Part } from "./part.ts"

export const products: Part = Effect.fnUntraced(function*(effort, stores) {
  const rows: Array<Row> = []
  for (const store of stores) {
    yield* Effect.scoped(Effect.gen(function*() {
      const { context } = (yield* contenders[store](yield* places[store]))[0]!
      const of = (parts: number): Contender => {
        const product = Scoped.all(Array.from({ length: parts }, (_, i) => Ours.Counts(`${parts}-${i}`)))
        const update = Scoped.update(product, (all) => [undefined, all.map(({ count }) => ({ count: count + 1 }))])
        return { name: `${parts}`, add: () => update, context }
      }
      const all = [1, 2, 20].map(of)
      yield* warm(all, effort)
      const laps = yield* race(all, { concurrency: 64, keys: 1, effort })
      for (const parts of [2, 20]) {
        const { perSecond } = laps.get(`${parts}`)!
        rows.push({
          store,
          work: `a product of ${parts} scopes`,
          atOnce: 64,
          perSecond: median(perSecond),
          measured: ratio(laps.get("1")!.perSecond, perSecond),
          unit: "× the time of one scope"
        })
      }
    }))
  }
  return { rows }
})
