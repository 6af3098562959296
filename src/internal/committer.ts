import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type { Driver, Record, Verdict } from "../Driver.ts"
import { AmbiguousCommitError, ConflictError, type DriverError, NotReplicatedError } from "../ScopedError.ts"
import { about, type Calls } from "./calls.ts"
import { toKnown } from "./cell.ts"
import { Lines } from "./lines.ts"
import * as Metrics from "./metrics.ts"
import * as Name from "./name.ts"
import * as Pump from "./pump.ts"
import type { Reader } from "./reader.ts"
import * as Run from "./run.ts"
import * as Schedules from "./schedules.ts"
import { type Cohort, cohortsOf, settle, settleWaiting, type Update } from "./update.ts"
import { decide } from "./verdict.ts"

export interface Options {
  readonly namespace: string | undefined
  readonly recovery: Schedule.Schedule<unknown>
  readonly verify: boolean
  readonly retention: Duration.Duration
  readonly knownScopes: number
  readonly batchSize: number
  readonly writer: string
}

/** Commits the updates that wait in its lines. */
export interface Committer {
  readonly lines: Lines
  /** Fails what waits, and waits for what is in flight. */
  readonly close: Effect.Effect<void>
}

/** How long the handlers of one batch may keep the event loop, in milliseconds. */
const maxMillis = 5

/** How many handlers become one commit at the most. */
const maxUpdates = 4_096

/**
 * The way of an update: it joins the line of its cell; a worker takes all that wait there, runs them on what is known,
 * and sends the outcome in a batch; the verdict settles them, or brings them back to the head of the line.
 */
export const make = Effect.fnUntraced(function*(
  { calls, driver, options, reader, tick }: {
    readonly driver: Driver
    readonly calls: Calls
    readonly reader: Reader
    readonly tick: () => number
    readonly options: Options
  }
) {
  const clock = yield* Clock.Clock
  const background = yield* FiberSet.makeRuntime<never>()
  const lines = new Lines({
    prefix: Name.namespacePrefix(options.namespace),
    knownScopes: options.knownScopes,
    onReady: () => pump.wake()
  })
  /** Runs to be sent again. */
  const outbox: Array<Run.Run> = []
  const inFlight = new Set<Run.Run>()
  let onIdle: (() => void) | undefined
  let closed = false

  let sequence = 0
  const env: Run.Environment = {
    clock,
    // A driver may learn its server's limits later.
    get dataBytes() {
      return driver.limits.dataBytes
    },
    verify: options.verify,
    retention: options.retention,
    maxUpdates,
    maxMillis,
    writer: options.writer,
    nextMark: () => `${options.writer}:${(sequence++).toString(36)}`
  }

  // ---- From the lines to a batch

  const collect = (batch: Array<Run.Run>, answered: Array<Run.Run>) => {
    batch.push(...outbox.splice(0, options.batchSize))
    const deadline = clock.currentTimeMillisUnsafe() + maxMillis
    for (const cell of lines.ready) {
      if (batch.length >= options.batchSize || clock.currentTimeMillisUnsafe() >= deadline) break
      lines.ready.delete(cell)
      const head = lines.startable(cell)
      if (head === undefined) continue
      if (head.cells.some((cell) => cell.known === undefined)) {
        look(head)
        continue
      }
      const run = Run.start(env, head)
      if (run === undefined) {
        lines.offer(head.cells)
        continue
      }
      inFlight.add(run)
      if (run.transaction === undefined) {
        lines.offer(run.cells)
        answered.push(run)
      } else {
        lines.hold(run.cells)
        batch.push(run)
      }
    }
    lines.wake()
  }

  /** Reads what is not known of the cells of a head, which can start then. */
  const look = ({ cells }: Update) => {
    lines.hold(cells)
    const unknown = cells.filter((cell) => cell.known === undefined)
    let missing = unknown.length
    for (const cell of unknown) {
      reader.read(cell.name, (reading) => {
        if (Result.isSuccess(reading)) {
          cell.known = toKnown(reading.success.record, reading.success.asOf, tick())
        } else {
          failAll(cell.line.drain(), reading.failure)
        }
        if (--missing === 0) {
          lines.free(cells)
          lines.wake()
        }
      })
    }
  }

  const work = Effect.gen(function*() {
    const batch: Array<Run.Run> = []
    const answered: Array<Run.Run> = []
    collect(batch, answered)
    for (const run of answered) yield* reply(run)
    if (batch.length === 0) return
    const asOf = tick()
    const answers = yield* Effect.result(calls.commit(batch.map((run) => run.transaction!)))
    for (let i = 0; i < batch.length; i++) {
      yield* conclude(batch[i]!, Result.isSuccess(answers) ? answers.success[i]! : answers.failure, asOf)
    }
  })

  // ---- From the verdict to the callers

  const conclude = (run: Run.Run, answer: Verdict | DriverError, asOf: number): Effect.Effect<void> => {
    const decision = decide(run, answer)
    // A verdict is about one moment, in which all its records were current.
    const moment = tick()
    switch (decision._tag) {
      case "Applied":
        run.cells.forEach((cell, i) => {
          cell.known = decision.current === undefined
            ? { ...run.next[i]!, asOf, moment }
            : toKnown(decision.current[i]!, asOf, moment)
        })
        lines.free(run.cells)
        if (decision.shortfall !== undefined) warn(run, decision.shortfall)
        return Effect.andThen(Metrics.applied(run.updates.length), reply(run))
      case "NotApplied":
        run.cells.forEach((cell, i) => cell.known = toKnown(decision.current[i]!, asOf, moment))
        lines.free(run.cells)
        refuse(run, decision.current)
        return Metrics.refused
      case "Failed":
        lines.free(run.cells)
        failAll(run.updates, decision.error)
        land(run)
        return Effect.void
      case "InDoubt":
        run.doubtSince ??= clock.currentTimeMillisUnsafe()
        background(sendAgain(run, decision.error))
        return Metrics.doubted
      case "Unknowable":
        giveUp(run, decision.reason)
        return Effect.void
    }
  }

  const warn = ({ target: { scope }, updates }: Run.Run, reason: string) => {
    const error = Exit.fail(new NotReplicatedError({ scope, reason }))
    for (const update of updates) {
      if (Exit.isSuccess(update.outcome)) update.outcome = error
    }
  }

  // Whoever gets an answer goes on at once, inside `settle`. Many of them must not keep the event loop.
  const reply = Effect.fnUntraced(function*(run: Run.Run) {
    let deadline = clock.currentTimeMillisUnsafe() + maxMillis
    for (const update of run.updates) {
      settle(update, update.outcome)
      if (clock.currentTimeMillisUnsafe() >= deadline) {
        yield* Effect.yieldNow
        deadline = clock.currentTimeMillisUnsafe() + maxMillis
      }
    }
    land(run)
  })

  const land = (run: Run.Run) => {
    inFlight.delete(run)
    if (inFlight.size === 0) onIdle?.()
  }

  const failAll = (updates: ReadonlyArray<Update>, error: DriverError) => {
    for (const update of updates) {
      lines.offer(update.cells)
      settle(update, Exit.fail(about(update.target.scope, error)))
    }
  }

  // ---- Once more, after a refusal

  const refuse = (run: Run.Run, current: ReadonlyArray<Record | null>) => {
    const { parts, scope } = run.target
    const changed = parts.filter((_, i) => (current[i]?.revision ?? null) !== run.transaction![i]!.expected)
    for (const [cohort, updates] of cohortsOf(run.updates)) {
      for (const part of changed) cohort.changed.add(part.scope)
      background(tryAgain(scope, cohort, updates))
    }
    land(run)
  }

  const tryAgain = (scope: string, cohort: Cohort, updates: ReadonlyArray<Update>) =>
    Effect.gen(function*() {
      cohort.attempts++
      const step = cohort.step ??= yield* Schedules.stepper(updates[0]!.retry, clock)
      const delay = yield* step({ scope, attempts: cohort.attempts })
      if (delay === undefined) {
        const { attempts, changed } = cohort
        return settleWaiting(updates, Exit.fail(new ConflictError({ scope, attempts, changed: [...changed] })))
      }
      if (closed) return yield* Effect.interrupt
      // What the refusal told is only good for trying again at once.
      lines.rejoin(updates, Duration.isZero(delay))
    }).pipe(Effect.onExit((exit) =>
      Exit.isSuccess(exit) ?
        Effect.void :
        Effect.sync(() =>
          settleWaiting(updates, closed ? Exit.fail(about(scope, calls.closed)) : Exit.failCause(exit.cause))
        )
    ))

  // ---- Once more, after a lost answer

  /** The same transaction, the same bytes: whatever became of the first sending, it is applied at most once. */
  const sendAgain = Effect.fnUntraced(function*(run: Run.Run, error: DriverError) {
    const step = run.recovery ??= yield* Schedules.stepper(options.recovery, clock)
    if ((yield* step(undefined)) === undefined) {
      return giveUp(run, `${error.message}, also when it was sent again`, error)
    }
    if (clock.currentTimeMillisUnsafe() - run.doubtSince! >= Run.lifetime(run)) {
      return giveUp(run, `${error.message}, and whatever it wrote has expired since`, error)
    }
    outbox.push(run)
    pump.wake()
  })

  const giveUp = (run: Run.Run, reason: string, error?: DriverError) => {
    for (const cell of run.cells) cell.known = undefined
    lines.free(run.cells)
    if (error !== undefined && !Run.writes(run)) {
      failAll(run.updates, error)
    } else {
      const cause = error === undefined ? {} : { cause: error }
      const ambiguous = Exit.fail(new AmbiguousCommitError({ scope: run.target.scope, reason, ...cause }))
      for (const update of run.updates) settle(update, ambiguous)
    }
    land(run)
    lines.wake()
  }

  const pump: Pump.Pump = yield* Pump.make({
    workers: driver.parallelism,
    ready: () => lines.ready.size > 0 || outbox.length > 0,
    work
  })

  const committer: Committer = {
    lines,
    close: Effect.callback((resume) => {
      closed = true
      for (const cell of lines.cells) failAll(cell.line.drain(), calls.closed)
      onIdle = () => resume(Effect.void)
      if (inFlight.size === 0) onIdle()
    })
  }
  return committer
})
