import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import type { Driver, Verdict } from "../../Driver.ts"
import { AmbiguousCommitError, type DriverError, NotReplicatedError } from "../../ScopedError.ts"
import * as Name from "../name.ts"
import { Again } from "./again.ts"
import { about, type Calls, type Run as RunEffect } from "./calls.ts"
import { toKnown } from "./cell.ts"
import { stopwatch } from "./elapsed.ts"
import { type Batch, emptyBatch, Gather, slice } from "./gather.ts"
import { type Lane, Lanes } from "./lanes.ts"
import { Lines } from "./lines.ts"
import type * as Metrics from "./metrics.ts"
import { Reader } from "./reader.ts"
import { Report } from "./report.ts"
import type { Environment, Run } from "./run.ts"
import { traced } from "./trace.ts"
import type { Update } from "./update.ts"
import { decide } from "./verdict.ts"

export interface Options {
  readonly namespace: string | undefined
  readonly recovery: Schedule.Schedule<unknown>
  readonly verify: boolean
  readonly retention: Duration.Duration
  readonly knownScopes: number
  readonly knownBytes: number
  readonly batchSize: number
  readonly writer: string
}

/**
 * The way of an update: it joins the lines of its cells; a turn takes what waits there, runs it on what is known, and
 * sends the outcome in a batch; the verdict settles it, or brings it back to the head of its lines.
 */
export class Committer {
  readonly lines: Lines
  readonly reader: Reader
  private readonly lanes: Lanes
  private readonly driver: Driver
  private readonly calls: Calls
  private readonly metrics: Metrics.Metrics
  private readonly clock: Clock.Clock
  private readonly elapsed: () => number
  private readonly tick: () => number
  private readonly gather: Gather
  private readonly again: Again
  private readonly report: Report
  private readonly inFlight = new Set<Run>()
  private onIdle: (() => void) | undefined = undefined
  private closed = false

  constructor(
    { calls, clock, driver, metrics, options, run, tick }: {
      readonly driver: Driver
      readonly calls: Calls
      readonly clock: Clock.Clock
      readonly metrics: Metrics.Metrics
      readonly run: RunEffect
      readonly tick: () => number
      readonly options: Options
    }
  ) {
    this.driver = driver
    this.calls = calls
    this.metrics = metrics
    this.clock = clock
    this.tick = tick
    this.elapsed = stopwatch(clock)
    this.report = new Report({ driver: driver.name, run, elapsed: this.elapsed })
    this.lanes = new Lanes(driver, (lane) => {
      run(this.turn(lane)).addObserver((exit) => {
        if (Exit.isFailure(exit) && !Cause.hasInterruptsOnly(exit.cause)) this.report.broken(exit.cause)
        this.lanes.rest(lane)
      })
    })
    this.lines = new Lines({
      prefix: Name.namespacePrefix(options.namespace),
      knownScopes: options.knownScopes,
      knownBytes: options.knownBytes,
      lanes: this.lanes
    })
    this.reader = new Reader({
      driver,
      calls,
      run,
      tick,
      room: () => this.gather.room || this.inFlight.size === 0
    })
    this.again = new Again({
      clock,
      elapsed: this.elapsed,
      lines: this.lines,
      run,
      recovery: options.recovery,
      // The other half is room for what travels slowly.
      resendFor: Duration.toMillis(options.retention) / 2
    })
    let sequence = 0
    const env: Environment = {
      clock,
      // A driver may learn its server's limits later.
      get dataBytes() {
        return driver.limits.dataBytes
      },
      scopesPerTransaction: driver.limits.scopesPerTransaction,
      verify: options.verify,
      writer: options.writer,
      retention: options.retention,
      nextMark: (latest) => {
        sequence = Math.max(sequence + 1, latest + 1, Math.floor(clock.currentTimeMillisUnsafe()))
        return { writer: options.writer, sequence }
      }
    }
    this.gather = new Gather({
      env,
      lines: this.lines,
      reader: this.reader,
      batchSize: options.batchSize,
      tick,
      onStart: (run) => {
        this.inFlight.add(run)
      },
      onBlame: (run) => this.halve(run),
      fail: (updates, error) => this.failAll(updates, error)
    })
  }

  /** Fails what waits, and waits for what is in flight. */
  readonly close: Effect.Effect<void> = Effect.callback((resume) => {
    this.closed = true
    this.again.close(this.calls.closed)
    for (const cell of this.lines.cells) this.failAll(this.lines.drain(cell), this.calls.closed)
    this.onIdle = () => {
      this.lanes.stop()
      resume(Effect.void)
    }
    if (this.inFlight.size === 0) this.onIdle()
  })

  // ---- From the lines to the store

  private turn(lane: Lane): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      // What comes in at the same moment goes together.
      yield* Effect.yieldNow
      lane.starting = false
      do {
        lane.hurry = false
        const batch = emptyBatch()
        yield* Effect.onExit(this.go(lane, batch), (exit) =>
          Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => {
            this.abort(batch, exit)
          }))
      } while (lane.hurry)
    })
  }

  private go(lane: Lane, batch: Batch): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.gather.fill(lane, batch)) yield* Effect.yieldNow
      for (const run of batch.answered) {
        this.lines.free(run.slots.map((slot) => slot.cell))
        yield* this.reply(run)
      }
      const { runs } = batch
      if (runs.length === 0) return
      const asOf = this.tick()
      const sentAt = this.elapsed()
      for (const run of runs) run.sentAt ??= sentAt
      this.metrics.sent(runs.length, this.lines.waiting, this.inFlight.size)
      const answers = yield* traced(this.calls.commit(runs.map((run) => run.transaction)), {
        name: "effect-scoped.commit",
        driver: this.driver.name,
        count: runs.length,
        spans: spansOf(runs)
      })
      const millis = this.elapsed() - sentAt
      for (let i = 0; i < runs.length; i++) {
        const done = this.conclude(runs[i]!, answers[i]!, lane, asOf)
        batch.concluded = i + 1
        if (done) yield* this.reply(runs[i]!)
      }
      this.metrics.answered(millis, this.lines.waiting, this.inFlight.size)
    })
  }

  /** Fails what a turn held that came to an end which should not be. */
  private abort({ answered, concluded, runs }: Batch, exit: Exit.Exit<unknown>): void {
    for (const run of [...answered, ...runs.slice(concluded)]) {
      if (!this.inFlight.has(run)) continue
      this.forget(run)
      for (const update of run.updates) update.settle(exit)
      this.land(run)
    }
  }

  // ---- From the verdict to the callers

  /** Reads the answer to a run. Tells whether its outcomes can go out. */
  private conclude(run: Run, answer: Verdict | DriverError, lane: Lane, asOf: number): boolean {
    const decision = decide(run, answer)
    // A verdict is about one moment, in which all its records were current.
    const moment = this.tick()
    const now = this.clock.currentTimeMillisUnsafe()
    if (decision._tag === "InDoubt" || decision._tag === "Failed") this.report.silent(lane, decision.error)
    else this.report.answered(lane)
    switch (decision._tag) {
      case "Applied": {
        if (run.doubt) this.report.doubtEnds("applied")
        const known = decision.current === undefined
          ? run.after(asOf, moment)
          : decision.current.map((record) => toKnown(record, asOf, moment, now))
        run.slots.forEach(({ cell, known: before }, i) => {
          cell.known = known[i]!
          // A commit at the first attempt shows that nobody is in the way any more.
          cell.known.contended = before.contended && run.refusedBefore
        })
        this.lines.free(run.slots.map((slot) => slot.cell))
        if (decision.shortfall !== undefined) warn(run, decision.shortfall)
        this.metrics.applied(run.updates.length)
        return true
      }
      case "NotApplied": {
        if (run.doubt) this.report.doubtEnds("not applied")
        run.slots.forEach(({ cell, known: before }, i) => {
          cell.known = toKnown(decision.current[i]!, asOf, moment, now)
          const overtaken = run.refusedBefore && cell.known.revision !== before.revision
          cell.known.contended = before.contended || overtaken
        })
        this.lines.free(run.slots.map((slot) => slot.cell))
        this.metrics.refused(run.updates.length)
        this.again.refused(run, decision.current)
        lane.hurry = true
        this.land(run)
        return false
      }
      case "Failed":
        // Whoever works on other scopes than the rest may have failed for their sake, or they for his.
        if (run.updates.some((update) => update.cells.length !== run.slots.length)) {
          this.halve(run)
        } else {
          this.lines.free(run.slots.map((slot) => slot.cell))
          this.failAll(run.updates, decision.error)
          this.land(run)
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

  // Whoever gets an answer goes on at once, inside `settle`. Many of them must not keep the event loop.
  private reply(run: Run): Effect.Effect<void> {
    return Effect.suspend(() => {
      let until = this.clock.currentTimeMillisUnsafe() + slice
      let next = 0
      const some = (): Effect.Effect<void> => {
        while (next < run.updates.length) {
          const update = run.updates[next++]!
          update.settle(update.outcome)
          const now = this.clock.currentTimeMillisUnsafe()
          if (now < until) continue
          until = now + slice
          return Effect.flatMap(Effect.yieldNow, some)
        }
        this.land(run)
        return Effect.void
      }
      return some()
    })
  }

  private land(run: Run): void {
    this.inFlight.delete(run)
    for (const { cell } of run.slots) {
      // Where one is to blame, the next may be, too.
      cell.most *= 2
      this.gather.unload(cell)
    }
    this.reader.wake()
    if (this.inFlight.size === 0) this.onIdle?.()
  }

  private failAll(updates: ReadonlyArray<Update>, error: DriverError): void {
    for (const update of updates) update.settle(Exit.fail(about(update.target.scope, error)))
  }

  /** Runs half of the updates alone, to find out which of them is to blame for a failure. */
  private halve(run: Run): void {
    const { slots, updates } = run
    for (const update of updates) update.phase = "waiting"
    this.land(run)
    for (const { cell } of slots) cell.most = Math.ceil(updates.length / 2)
    if (this.closed) this.failAll(updates, this.calls.closed)
    else this.lines.rejoin(updates, true)
    this.lines.free(slots.map((slot) => slot.cell))
  }

  private forget(run: Run): void {
    for (const { cell } of run.slots) cell.known = undefined
    this.lines.free(run.slots.map((slot) => slot.cell))
  }

  /** Ends a run of which nobody will know whether it was applied. */
  private giveUp(run: Run, reason: string, error?: DriverError, cause?: unknown): void {
    if (run.doubt) this.report.doubtEnds("unknown")
    this.forget(run)
    const about_ = cause ?? (error === undefined ? undefined : about(run.scope, error))
    for (const update of run.updates) {
      const scope = update.target.scope
      // Whoever changes nothing has nothing that could be applied.
      if (!update.wrote && error !== undefined) update.settle(Exit.fail(about(scope, error)))
      else {
        update.settle(Exit.fail(
          new AmbiguousCommitError({ scope, reason, ...about_ !== undefined && { cause: about_ } })
        ))
      }
    }
    this.land(run)
  }
}

const spansOf = (runs: ReadonlyArray<Run>): ReadonlyArray<Tracer.Span> => {
  const spans: Array<Tracer.Span> = []
  for (const { updates } of runs) {
    for (const { span } of updates) if (span !== undefined) spans.push(span)
  }
  return spans
}

const warn = ({ updates }: Run, reason: string): void => {
  for (const update of updates) {
    if (update.wrote && Exit.isSuccess(update.outcome)) {
      update.outcome = Exit.fail(new NotReplicatedError({ scope: update.target.scope, reason }))
    }
  }
}
