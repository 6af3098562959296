import * as Metric from "effect/Metric"

/** Counted per batch, so that an update costs nothing extra. */
export const updates = Metric.counter("effect_scoped_updates_total", {
  description: "Updates whose answer was committed or validated",
  incremental: true
})

export const commits = Metric.counter("effect_scoped_commits_total", {
  description: "Transactions that the store applied",
  incremental: true
})

export const refusals = Metric.counter("effect_scoped_refusals_total", {
  description: "Transactions that the store refused because another writer came first",
  incremental: true
})

export const doubts = Metric.counter("effect_scoped_doubts_total", {
  description: "Transactions whose answer was lost, so that they were sent again",
  incremental: true
})
