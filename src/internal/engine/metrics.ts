import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Metric from "effect/Metric"

// Counted per batch, so that an update costs nothing extra.

const counter = (name: string, description: string) =>
  Metric.counter(`effect_scoped_${name}_total`, { description, incremental: true })

const updates = counter("updates", "Updates that were committed, or validated")
const attempts = counter("attempts", "Runs of updates: those that were committed and those that were refused")
const commits = counter("commits", "Transactions that the store applied")
const refusals = counter("refusals", "Transactions that the store refused because another writer came first")
const doubts = counter("doubts", "Transactions whose answer was lost, so that they were sent again")
const waiting = Metric.gauge("effect_scoped_waiting", { description: "Updates that wait in line" })
const inFlight = Metric.gauge("effect_scoped_in_flight", { description: "Transactions on their way" })
const transactions = Metric.histogram("effect_scoped_batch_transactions", {
  description: "Transactions that travelled together",
  boundaries: Metric.exponentialBoundaries({ start: 1, factor: 2, count: 12 })
})
const latency = Metric.timer("effect_scoped_commit_duration", {
  description: "How long the store took to answer a batch",
  boundaries: Metric.exponentialBoundaries({ start: 0.1, factor: 2, count: 18 })
})

/** The metrics of one storage; all of them have the attribute `driver`. */
export interface Metrics {
  /** A transaction was applied that so many updates made. */
  readonly applied: (updates: number) => void
  readonly refused: (updates: number) => void
  readonly doubted: () => void
  readonly sent: (transactions: number, waiting: number, inFlight: number) => void
  readonly answered: (millis: number, waiting: number, inFlight: number) => void
}

export const make = (driver: string, context: Context.Context<never>): Metrics => {
  const of = <Input, State>(metric: Metric.Metric<Input, State>) => {
    const own = Metric.withAttributes(metric, { driver })
    return (input: Input) => own.updateUnsafe(input, context)
  }
  const count = {
    updates: of(updates),
    attempts: of(attempts),
    commits: of(commits),
    refusals: of(refusals),
    doubts: of(doubts),
    waiting: of(waiting),
    inFlight: of(inFlight),
    transactions: of(transactions),
    latency: of(latency)
  }
  return {
    applied: (updates) => {
      count.commits(1)
      count.updates(updates)
      count.attempts(updates)
    },
    refused: (updates) => {
      count.refusals(1)
      count.attempts(updates)
    },
    doubted: () => count.doubts(1),
    sent: (transactions, waiting, inFlight) => {
      count.transactions(transactions)
      count.waiting(waiting)
      count.inFlight(inFlight)
    },
    answered: (millis, waiting, inFlight) => {
      count.latency(Duration.millis(millis))
      count.waiting(waiting)
      count.inFlight(inFlight)
    }
  }
}
