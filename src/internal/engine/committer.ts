import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import type { Driver } from "../../Driver.ts"
import * as Name from "../name.ts"
import { steady } from "../steady.ts"
import { Again } from "./again.ts"
import type { Fork } from "./background.ts"
import type { Calls } from "./calls.ts"
import { stopwatch } from "./elapsed.ts"
import { Flights } from "./flights.ts"
import { type Batch, emptyBatch, Gather } from "./gather.ts"
import { type Lane, Lanes } from "./lanes.ts"
import { Lines } from "./lines.ts"
import type * as Metrics from "./metrics.ts"
import { Outcomes } from "./outcomes.ts"
import { Reader } from "./reader.ts"
import { Report } from "./report.ts"
import type { Environment, Run } from "./run.ts"
import { traced } from "./trace.ts"
import { failAll } from "./update.ts"

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
  private readonly elapsed: () => number
  private readonly tick: () => number
  private readonly gather: Gather
  private readonly again: Again
  private readonly report: Report
  private readonly flights: Flights
  private readonly outcomes: Outcomes

  constructor(
    { calls, clock, driver, fork, metrics, options, tick }: {
      readonly driver: Driver
      readonly calls: Calls
      readonly clock: Clock.Clock
      readonly metrics: Metrics.Metrics
      readonly fork: Fork
      readonly tick: () => number
      readonly options: Options
    }
  ) {
    this.driver = driver
    this.calls = calls
    this.metrics = metrics
    this.tick = tick
    this.elapsed = stopwatch(clock)
    this.report = new Report({ driver: driver.name, fork, elapsed: this.elapsed })
    this.lanes = new Lanes(driver, (lane) => {
      fork(this.turn(lane)).addObserver((exit) => {
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
      fork,
      tick,
      room: () => this.gather.room || this.flights.size === 0
    })
    this.flights = new Flights((run) => {
      for (const { cell } of run.slots) {
        // Where one is to blame, the next may be, too.
        cell.most *= 2
        this.gather.unload(cell)
      }
      this.reader.wake()
    })
    this.again = new Again({
      clock,
      elapsed: this.elapsed,
      lines: this.lines,
      fork,
      recovery: options.recovery,
      // The other half is room for what travels slowly.
      resendFor: Duration.toMillis(options.retention) / 2
    })
    let sequence = 0
    const env: Environment = {
      clock,
      steady: steady(clock),
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
      onStart: (run) => this.flights.start(run),
      onBlame: (run) => this.outcomes.halve(run)
    })
    this.outcomes = new Outcomes({
      clock,
      steady: env.steady,
      tick,
      lines: this.lines,
      flights: this.flights,
      again: this.again,
      report: this.report,
      metrics,
      closed: calls.closed
    })
  }

  /** Fails what waits, and waits for what is in flight. */
  readonly close: Effect.Effect<void> = Effect.callback((resume) => {
    this.again.close(this.calls.closed)
    for (const cell of this.lines.cells) failAll(this.lines.drain(cell), this.calls.closed)
    this.flights.close(() => {
      this.lanes.stop()
      resume(Effect.void)
    })
  })

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
            this.outcomes.abort(batch, exit)
          }))
      } while (lane.hurry)
    })
  }

  private go(lane: Lane, batch: Batch): Effect.Effect<void> {
    return Effect.gen({ self: this }, function*() {
      while (this.gather.fill(lane, batch)) yield* Effect.yieldNow
      for (const run of batch.answered) {
        this.lines.free(run.cells)
        yield* this.outcomes.reply(run)
      }
      const { runs } = batch
      if (runs.length === 0) return
      const asOf = this.tick()
      const sentAt = this.elapsed()
      for (const run of runs) run.sentAt ??= sentAt
      this.metrics.sent(runs.length, this.lines.waiting, this.flights.size)
      const answers = yield* traced(this.calls.commit(runs.map((run) => run.transaction)), {
        name: "effect-scoped.commit",
        driver: this.driver.name,
        count: runs.length,
        spans: spansOf(runs)
      })
      const millis = this.elapsed() - sentAt
      for (let i = 0; i < runs.length; i++) {
        const done = this.outcomes.conclude(runs[i]!, answers[i]!, lane, asOf)
        batch.concluded = i + 1
        if (done) yield* this.outcomes.reply(runs[i]!)
      }
      this.metrics.answered(millis, this.lines.waiting, this.flights.size)
    })
  }
}

const spansOf = (runs: ReadonlyArray<Run>): ReadonlyArray<Tracer.Span> => {
  const spans: Array<Tracer.Span> = []
  for (const { updates } of runs) {
    for (const { span } of updates) if (span !== undefined) spans.push(span)
  }
  return spans
}
