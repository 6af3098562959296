import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import type { Driver } from "../../Driver.ts"
import type { Fork, Soon } from "../background.ts"
import * as Name from "../name.ts"
import { steady } from "../steady.ts"
import { Again } from "./again.ts"
import type { Answers, Calls } from "./calls.ts"
import { Stopwatch } from "./elapsed.ts"
import { Flights } from "./flights.ts"
import { type Batch, emptyBatch, Gather } from "./gather.ts"
import { type Lane, Lanes } from "./lanes.ts"
import { Lines } from "./lines.ts"
import type * as Metrics from "./metrics.ts"
import { Outcomes } from "./outcomes.ts"
import { Reader } from "./reader.ts"
import { Report } from "./report.ts"
import type { Environment, Run } from "./run.ts"
import { Slice } from "./slice.ts"
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
  private readonly calls: Calls
  private readonly metrics: Metrics.Metrics
  private readonly stopwatch: Stopwatch
  private readonly steady: () => number
  private readonly soon: Soon
  private readonly tick: () => number
  private readonly gather: Gather
  private readonly again: Again
  private readonly report: Report
  private readonly flights: Flights
  private readonly outcomes: Outcomes

  constructor(
    { calls, clock, driver, fork, metrics, options, soon, tick }: {
      readonly driver: Driver
      readonly calls: Calls
      readonly clock: Clock.Clock
      readonly metrics: Metrics.Metrics
      readonly fork: Fork
      readonly soon: Soon
      readonly tick: () => number
      readonly options: Options
    }
  ) {
    this.calls = calls
    this.metrics = metrics
    this.soon = soon
    this.steady = steady(clock)
    this.tick = tick
    this.stopwatch = new Stopwatch(clock)
    const elapsed = this.stopwatch.look
    this.report = new Report({ driver: driver.name, fork, elapsed })
    // What comes in at the same moment goes together.
    this.lanes = new Lanes(driver, (lane) => soon(() => this.go(new Turn(lane, (turn) => this.turn(turn)))))
    this.lines = new Lines({
      driver,
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
        if (cell.most < Infinity) cell.most *= 2
        this.gather.unload(cell)
      }
      this.reader.wake()
    })
    this.again = new Again({
      clock,
      elapsed,
      lines: this.lines,
      fork,
      recovery: options.recovery,
      // The other half is room for what travels slowly.
      resendFor: Duration.toMillis(options.retention) / 2
    })
    let sequence = 0
    const env: Environment = {
      clock,
      driver,
      verify: options.verify,
      writer: options.writer,
      retention: options.retention,
      retentionMillis: Duration.toMillis(options.retention),
      nextMark: (latest, now) => {
        sequence = Math.max(sequence + 1, latest + 1, Math.floor(now))
        return { writer: options.writer, sequence }
      }
    }
    this.gather = new Gather({
      calls,
      env,
      steady: this.steady,
      lines: this.lines,
      reader: this.reader,
      batchSize: options.batchSize,
      tick,
      onStart: (run) => this.flights.start(run),
      onBlame: (run) => this.outcomes.halve(run)
    })
    this.outcomes = new Outcomes({
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
      this.lines.cells.clear()
      resume(Effect.void)
    })
  })

  /** Runs a turn until it has to wait for the store, or for others to have a go. */
  private go(turn: Turn, answers?: Answers): void {
    for (;;) {
      let step
      try {
        step = turn.steps.next(answers)
      } catch (defect) {
        const cause = Cause.die(defect)
        this.report.broken(cause)
        this.outcomes.abort(turn.batch, Exit.failCause(cause))
        return this.lanes.rest(turn.lane)
      }
      if (step.done) return this.lanes.rest(turn.lane)
      if (step.value === "pause") return this.soon(() => this.go(turn))
      const { runs } = turn.batch
      answers = this.calls.commit(
        runs.map((run) => run.transaction),
        spansOf(runs),
        (answers) => this.go(turn, answers)
      )
      turn.atOnce = answers !== undefined
      if (answers === undefined) return
    }
  }

  private *turn(turn: Turn): Generator<"pause" | "commit", void, Answers | undefined> {
    const { lane } = turn
    lane.starting = false
    for (;;) {
      lane.hurry = false
      const batch = turn.batch = emptyBatch()
      while (this.gather.fill(lane, batch)) yield "pause"
      while (!this.tell(batch)) yield "pause"
      const { runs } = batch
      if (runs.length > 0) {
        const asOf = this.tick()
        const sentAt = this.stopwatch.look()
        for (const run of runs) run.sentAt ??= sentAt
        this.metrics.sent(runs.length, this.lines.waiting, this.flights.size)
        const answers = (yield "commit")!
        const answeredAt = this.stopwatch.look()
        const now = this.stopwatch.wall
        for (let i = 0; i < runs.length; i++) {
          if (this.outcomes.conclude(runs[i]!, answers[i]!, lane, asOf, now)) batch.answered.push(runs[i]!)
          batch.concluded = i + 1
        }
        this.metrics.answered(answeredAt - sentAt, this.lines.waiting, this.flights.size - batch.answered.length)
        while (!this.tell(batch)) yield "pause"
      }
      if (!lane.hurry) return
      // A store in this process that refuses again and again must not keep the event loop.
      if (turn.atOnce) yield "pause"
    }
  }

  /** Tells the callers of what is answered, for a while. Tells whether all of them know. */
  private tell(batch: Batch): boolean {
    if (batch.told === batch.answered.length) return true
    const slice = new Slice(this.steady)
    while (batch.told < batch.answered.length) {
      if (!this.outcomes.reply(batch.answered[batch.told]!, slice)) return false
      batch.told++
    }
    return true
  }
}

/** A lane's turn on its way. */
class Turn {
  readonly lane: Lane
  batch = emptyBatch()
  /** Whether the store answered before it was waited for. */
  atOnce = false
  readonly steps: Generator<"pause" | "commit", void, Answers | undefined>

  constructor(lane: Lane, steps: (turn: Turn) => Turn["steps"]) {
    this.lane = lane
    this.steps = steps(this)
  }
}

const spansOf = (runs: ReadonlyArray<Run>): ReadonlyArray<Tracer.Span> => {
  let spans: Array<Tracer.Span> | undefined
  for (const { updates } of runs) {
    for (let i = 0; i < updates.length; i++) if (updates[i]!.span !== undefined) (spans ??= []).push(updates[i]!.span!)
  }
  return spans ?? none
}

const none: ReadonlyArray<never> = []
