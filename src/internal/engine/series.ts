import * as Metric from "effect/Metric"

/** The metrics of all storages over drivers of one name, under the same attributes. */
export type Series = ReturnType<typeof make>

type Attributes = typeof Metric.CurrentMetricAttributes.Service

const made = new WeakMap<Attributes, Map<string, Series>>()

/**
 * Each is made once, attributes and all: making them costs more than making the rest of a storage, and finding a series
 * by other attributes than the last time costs more than an update.
 */
export const of = (driver: string, inherited: Attributes): Series => {
  let byDriver = made.get(inherited)
  if (byDriver === undefined) made.set(inherited, byDriver = new Map())
  let series = byDriver.get(driver)
  if (series === undefined) byDriver.set(driver, series = make({ ...inherited, driver }))
  return series
}

const make = (attributes: Attributes) => {
  const counter = (name: string, description: string) =>
    Metric.counter(`effect_scoped_${name}_total`, { description, incremental: true })
  return {
    attributes,
    updates: counter("updates", "Updates that were committed, or validated"),
    attempts: counter("attempts", "Runs of updates: those that were committed and those that were refused"),
    commits: counter("commits", "Transactions that the store applied"),
    refusals: counter("refusals", "Transactions that the store refused because another writer came first"),
    doubts: counter("doubts", "Transactions whose answer was lost, so that they were sent again"),
    waiting: Metric.gauge("effect_scoped_waiting", { description: "Updates that wait in line" }),
    inFlight: Metric.gauge("effect_scoped_in_flight", { description: "Transactions on their way" }),
    transactions: Metric.histogram("effect_scoped_batch_transactions", {
      description: "Transactions that travelled together",
      boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })
    }),
    latency: Metric.histogram("effect_scoped_commit_duration", {
      description: "How long the store took to answer a batch",
      attributes: { time_unit: "milliseconds" },
      boundaries: Metric.exponentialBoundaries({ start: 0.1, factor: 2, count: 18 })
    })
  }
}
