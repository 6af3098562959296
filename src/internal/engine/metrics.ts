import * as Context from "effect/Context"
import * as Metric from "effect/Metric"

/** The metrics of one storage; all of them have the attribute `driver`. What happens is counted, and told once a batch. */
export interface Metrics {
  /** A transaction was applied that so many updates made. */
  readonly applied: (updates: number) => void
  readonly refused: (updates: number) => void
  readonly doubted: () => void
  readonly sent: (transactions: number, waiting: number, inFlight: number) => void
  readonly answered: (millis: number, waiting: number, inFlight: number) => void
}

export const make = (driver: string, context: Context.Context<never>): Metrics => {
  // Made once, attributes and all: finding a series by its attributes costs more than an update.
  const own = Context.add(context, Metric.CurrentMetricAttributes, {
    ...Context.get(context, Metric.CurrentMetricAttributes),
    driver
  })
  const counter = (name: string, description: string) => {
    const metric = Metric.counter(`effect_scoped_${name}_total`, { description, incremental: true })
    let count = 0
    return {
      add: (more: number) => {
        count += more
      },
      tell: () => {
        if (count === 0) return
        metric.updateUnsafe(count, own)
        count = 0
      }
    }
  }
  const updates = counter("updates", "Updates that were committed, or validated")
  const attempts = counter("attempts", "Runs of updates: those that were committed and those that were refused")
  const commits = counter("commits", "Transactions that the store applied")
  const refusals = counter("refusals", "Transactions that the store refused because another writer came first")
  const doubts = counter("doubts", "Transactions whose answer was lost, so that they were sent again")
  const counters = [updates, attempts, commits, refusals, doubts]
  const waiting = Metric.gauge("effect_scoped_waiting", { description: "Updates that wait in line" })
  const inFlight = Metric.gauge("effect_scoped_in_flight", { description: "Transactions on their way" })
  const transactions = Metric.histogram("effect_scoped_batch_transactions", {
    description: "Transactions that travelled together",
    boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })
  })
  const latency = Metric.histogram("effect_scoped_commit_duration", {
    description: "How long the store took to answer a batch",
    attributes: { time_unit: "milliseconds" },
    boundaries: Metric.exponentialBoundaries({ start: 0.1, factor: 2, count: 18 })
  })
  return {
    applied: (count) => {
      commits.add(1)
      updates.add(count)
      attempts.add(count)
    },
    refused: (count) => {
      refusals.add(1)
      attempts.add(count)
    },
    doubted: () => doubts.add(1),
    sent: (count, nowWaiting, nowInFlight) => {
      transactions.updateUnsafe(count, own)
      waiting.updateUnsafe(nowWaiting, own)
      inFlight.updateUnsafe(nowInFlight, own)
    },
    answered: (millis, nowWaiting, nowInFlight) => {
      for (const counter of counters) counter.tell()
      latency.updateUnsafe(millis, own)
      waiting.updateUnsafe(nowWaiting, own)
      inFlight.updateUnsafe(nowInFlight, own)
    }
  }
}
