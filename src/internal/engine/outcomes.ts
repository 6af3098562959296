import * as Exit from "effect/Exit"
import type { Verdict } from "../../Driver.ts"
import { AmbiguousCommitError, type DriverError, NotReplicatedError } from "../../ScopedError.ts"
import type { Again } from "./again.ts"
import { about } from "./calls.ts"
import { toKnown } from "./cell.ts"
import type { Flights } from "./flights.ts"
import type { Batch } from "./gather.ts"
import type { Lane } from "./lanes.ts"
import type { Lines } from "./lines.ts"
import type { Metrics } from "./metrics.ts"
import type { Report } from "./report.ts"
import type { Run } from "./run.ts"
import type { Slice } from "./slice.ts"
import { failAll } from "./update.ts"
import { decide } from "./verdict.ts"

/** From the store's verdicts to the callers: what became of a run is told, or tried again. */
export class Outcomes {
  private readonly tick: () => number
  private readonly lines: Lines
  private readonly flights: Flights
  private readonly again: Again
  private readonly report: Report
  private readonly metrics: Metrics
  /** What to fail with once the layer is closed. */
  private readonly closed: DriverError

  constructor(options: {
    readonly tick: () => number
    readonly lines: Lines
    readonly flights: Flights
    readonly again: Again
    readonly report: Report
    readonly metrics: Metrics
    readonly closed: DriverError
  }) {
    this.tick = options.tick
    this.lines = options.lines
    this.flights = options.flights
    this.again = options.again
    this.report = options.report
    this.metrics = options.metrics
    this.closed = options.closed
  }

  /** Reads the answer to a run, which came `now`. Tells whether its outcomes can go out. */
  conclude(run: Run, answer: Verdict | DriverError, lane: Lane, asOf: number, now: number): boolean {
    const decision = decide(run, answer)
    // A verdict is about one moment, in which all its records were current.
    const moment = this.tick()
    if (decision._tag === "InDoubt" || decision._tag === "Failed") this.report.silent(lane, decision.error)
    else this.report.answered(lane)
    switch (decision._tag) {
      case "Applied": {
        if (run.doubt) this.report.doubtEnds("applied")
        const { slots } = run
        const { current } = decision
        for (let i = 0; i < slots.length; i++) {
          const { cell, known: before } = slots[i]!
          cell.known = current === undefined
            ? run.after(i, asOf, moment, now)
            : toKnown(current[i]!, asOf, moment, now)
          // A commit at the first attempt shows that nobody is in the way any more.
          cell.known.contended = before.contended && run.refusedBefore
        }
        this.lines.free(run.cells)
        if (decision.shortfall !== undefined) warn(run, decision.shortfall)
        this.metrics.applied(run.updates.length)
        return true
      }
      case "NotApplied": {
        if (run.doubt) this.report.doubtEnds("not applied")
        const { refusedBefore } = run
        run.slots.forEach(({ cell, known: before }, i) => {
          cell.known = toKnown(decision.current[i]!, asOf, moment, now)
          const overtaken = refusedBefore && cell.known.revision !== before.revision
          cell.known.contended = before.contended || overtaken
        })
        this.lines.free(run.cells)
        this.metrics.refused(run.updates.length)
        this.again.refused(run, decision.current)
        lane.hurry = true
        this.flights.land(run)
        return false
      }
      case "Failed":
        // Whoever works on other scopes than the rest may have failed for their sake, or they for his.
        if (run.updates.some((update) => update.cells.length !== run.slots.length)) {
          this.halve(run)
        } else {
          this.lines.free(run.cells)
          failAll(run.updates, decision.error)
          this.flights.land(run)
        }
        return false
      case "InDoubt":
        if (!run.doubt) this.report.doubtBegins(run.scope, decision.error)
        run.doubt = true
        this.metrics.doubted()
        this.again.lost(run, decision.error, (reason, cause) => {
          this.giveUp(run, reason, decision.error, cause)
        })
        return false
      case "Unknowable":
        this.giveUp(run, decision.reason)
        return false
    }
  }

  /**
   * Tells the callers of a run. Whoever gets an answer goes on at once, inside `settle`, and many of them must not keep
   * the event loop: tells whether it is done. It goes on when called again otherwise.
   */
  reply(run: Run, slice: Slice): boolean {
    const { updates } = run
    while (run.told < updates.length) {
      if (slice.over) return false
      const update = updates[run.told++]!
      update.settle(update.outcome)
      slice.step()
    }
    this.flights.land(run)
    return true
  }

  /** Runs half of the updates alone, to find out which of them is to blame for a failure. */
  halve(run: Run): void {
    const { cells, updates } = run
    for (const update of updates) update.phase = "waiting"
    this.flights.land(run)
    for (const cell of cells) cell.most = Math.ceil(updates.length / 2)
    if (this.flights.closing) failAll(updates, this.closed)
    else this.lines.rejoin(updates, true)
    this.lines.free(cells)
  }

  private forget(run: Run): void {
    for (const cell of run.cells) cell.known = undefined
    this.lines.free(run.cells)
  }

  /** Ends a run of which nobody will know whether it was applied. */
  private giveUp(run: Run, reason: string, error?: DriverError, cause?: unknown): void {
    if (run.doubt) this.report.doubtEnds("unknown")
    this.forget(run)
    const from = cause ?? (error === undefined ? undefined : about(run.scope, error))
    for (const update of run.updates) {
      const scope = update.target.scope
      update.settle(Exit.fail(
        // Whoever changes nothing has nothing that could be applied.
        error !== undefined && !update.wrote
          ? about(scope, error)
          : new AmbiguousCommitError({ scope, reason, ...from !== undefined && { cause: from } })
      ))
    }
    this.flights.land(run)
  }

  /** Ends a turn that came to an end which should not be: what is known is told, and the rest fails. */
  abort({ answered, concluded, runs }: Batch, exit: Exit.Exit<unknown>): void {
    for (const run of runs.slice(concluded)) {
      this.forget(run)
      for (const update of run.updates) update.settle(exit)
      this.flights.land(run)
    }
    for (const run of answered) {
      for (const update of run.updates) update.settle(update.outcome)
      this.flights.land(run)
    }
  }
}

const warn = ({ updates }: Run, reason: string): void => {
  for (const update of updates) {
    if (update.wrote && Exit.isSuccess(update.outcome)) {
      update.outcome = Exit.fail(new NotReplicatedError({ scope: update.target.scope, reason }))
    }
  }
}
