import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

// Counted per commit, so that an update costs nothing extra.

const counter = (name: string, description: string) =>
  Metric.counter(`effect_scoped_${name}_total`, { description, incremental: true })

const updates = counter("updates", "Updates that were committed, or validated")
const commits = counter("commits", "Transactions that the store applied")
const refusals = counter("refusals", "Transactions that the store refused because another writer came first")
const doubts = counter("doubts", "Transactions whose answer was lost, so that they were sent again")

export const applied = (count: number) => Effect.andThen(Metric.update(commits, 1), Metric.update(updates, count))
export const refused = Metric.update(refusals, 1)
export const doubted = Metric.update(doubts, 1)
