import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import * as Series from "./series.ts"

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
  const series = Series.of(driver, Context.get(context, Metric.CurrentMetricAttributes))
  const own = Context.add(context, Metric.CurrentMetricAttributes, series.attributes)
  const counts = { updates: 0, attempts: 0, commits: 0, refusals: 0, doubts: 0 }
  const tell = (name: keyof typeof counts) => {
    if (counts[name] === 0) return
    series[name].updateUnsafe(counts[name], own)
    counts[name] = 0
  }
  return {
    applied: (count) => {
      counts.commits++
      counts.updates += count
      counts.attempts += count
    },
    refused: (count) => {
      counts.refusals++
      counts.attempts += count
    },
    doubted: () => {
      counts.doubts++
    },
    sent: (count, nowWaiting, nowInFlight) => {
      series.transactions.updateUnsafe(count, own)
      series.waiting.updateUnsafe(nowWaiting, own)
      series.inFlight.updateUnsafe(nowInFlight, own)
    },
    answered: (millis, nowWaiting, nowInFlight) => {
      tell("updates")
      tell("attempts")
      tell("commits")
      tell("refusals")
      tell("doubts")
      series.latency.updateUnsafe(millis, own)
      series.waiting.updateUnsafe(nowWaiting, own)
      series.inFlight.updateUnsafe(nowInFlight, own)
    }
  }
}
