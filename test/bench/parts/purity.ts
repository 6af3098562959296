/** What looking after handlers costs: states that are copied because a date cannot be frozen, and verified handlers. */
import { Effect, Layer, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"
import { type Contender, median, race, ratio, warm } from "../harness.ts"
import type { Part } from "./part.ts"

const Plain = Scoped.make("plain", { schema: Schema.Struct({ count: Schema.Int }), initial: { count: 0 } })
const Dated = Scoped.make("dated", {
  schema: Schema.Struct({ count: Schema.Int, at: Schema.Date }),
  initial: { count: 0, at: new Date(0) }
})

const plain = Scoped.update(Plain, (state) => [0, { ...state, count: state.count + 1 }])
const dated = Scoped.update(Dated, (state) => [0, { ...state, count: state.count + 1 }])

export const purity: Part = Effect.fnUntraced(function*(effort, stores) {
  if (!stores.includes("memory")) return { rows: [] }
  const freeze = yield* Layer.build(MemoryDriver.layer({}, { purity: "freeze" }))
  const verify = yield* Layer.build(MemoryDriver.layer({}, { purity: "verify" }))
  const all: ReadonlyArray<Contender> = [
    { name: "frozen", add: () => plain, context: freeze },
    { name: "a state with a date", add: () => dated, context: freeze },
    { name: "verified handlers", add: () => plain, context: verify }
  ]
  yield* warm(all, effort)
  const laps = yield* race(all, { concurrency: 64, keys: 1, effort })
  const frozen = laps.get("frozen")!.perSecond
  return {
    rows: [...laps].slice(1).map(([name, { perSecond }]) => ({
      store: "memory",
      work: name,
      atOnce: 64,
      perSecond: median(perSecond),
      measured: ratio(perSecond, frozen),
      unit: "× updates of a frozen state"
    }))
  }
})
