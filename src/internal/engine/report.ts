import * as Effect from "effect/Effect"
import type { DriverError } from "../../ScopedError.ts"
import type { Fork } from "../background.ts"
import type { Lane } from "./lanes.ts"

/** Tells in the log what keeps updates waiting: once when it begins and once when it is over. */
export class Report {
  private readonly driver: string
  private readonly fork: Fork
  private readonly elapsed: () => number
  private doubts = 0
  private readonly outcomes = { applied: 0, "not applied": 0, unknown: 0 }

  constructor(options: { readonly driver: string; readonly fork: Fork; readonly elapsed: () => number }) {
    this.driver = options.driver
    this.fork = options.fork
    this.elapsed = options.elapsed
  }

  /** The store failed to answer. */
  silent(lane: Lane, error: DriverError): void {
    if (lane.silentSince !== undefined || error.reason !== "Timeout" && error.reason !== "Unavailable") return
    lane.silentSince = this.elapsed()
    this.warn(`The ${this.driver} store does not answer, and updates wait for it: ${error.description}`)
  }

  answered(lane: Lane): void {
    if (lane.silentSince === undefined) return
    const millis = Math.round(this.elapsed() - lane.silentSince)
    lane.silentSince = undefined
    this.fork(Effect.logInfo(`The ${this.driver} store answers again, after ${millis} ms`))
  }

  doubtBegins(scope: string, error: DriverError): void {
    if (this.doubts++ > 0) return
    this.warn(
      `It is not known whether a commit to ${JSON.stringify(scope)} was applied, so it is sent again: ` +
        error.description
    )
  }

  doubtEnds(outcome: "applied" | "not applied" | "unknown"): void {
    this.outcomes[outcome]++
    if (--this.doubts > 0) return
    const told = Object.entries(this.outcomes).filter(([, count]) => count > 0)
      .map(([outcome, count]) => `${count} ${outcome}`)
    this.fork(Effect.logInfo(`Nothing is in doubt any more: of the commits in doubt ${told.join(", ")}`))
    this.outcomes.applied = this.outcomes["not applied"] = this.outcomes.unknown = 0
  }

  /** Something in here failed that should not. */
  broken(cause: unknown): void {
    this.fork(Effect.logError("A part of the storage failed, and with it all updates that it held", cause))
  }

  private warn(message: string): void {
    this.fork(Effect.logWarning(message))
  }
}
