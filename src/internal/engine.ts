import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Metric from "effect/Metric"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import type { Driver, Record, Verdict } from "../Driver.ts"
import { AmbiguousCommitError, ConflictError, DriverError, type ScopedError } from "../ScopedError.ts"
import { type Cell, Cells, type Known } from "./cell.ts"
import * as Metrics from "./metrics.ts"
import * as Name from "./name.ts"
import * as Pump from "./pump.ts"
import * as Reader from "./reader.ts"
import * as Run from "./run.ts"
import * as Schedules from "./schedules.ts"
import type { Part, Target } from "./target.ts"
import { type Cohort, type Retry, settle, type Update } from "./update.ts"
import { decide } from "./verdict.ts"

export interface Options {
  readonly namespace: string | undefined
  readonly retry: Retry
  readonly recovery: Schedule.Schedule<unknown>
  readonly timeout: Duration.Duration
  readonly verify: boolean
  readonly knownScopes: number
  readonly batchSize: number
  readonly writer: string
}

export interface Engine {
  readonly update: (options: {
    readonly target: Target
    readonly handler: (state: never) => unknown
    readonly abortable: boolean
    readonly retry: Retry | undefined
  }) => Effect.Effect<unknown, unknown>
  readonly get: (part: Part) => Effect.Effect<unknown, ScopedError>
}

/** How long the handlers of one batch may keep the event loop, in milliseconds. */
const maxMillis = 5

/** How many handlers become one commit at the most. */
const maxUpdates = 4_096

/**
 * The way of an update: it joins the line of its cell; a worker takes all that wait there, runs them on what is known,
 * and sends the outcome in a batch; the verdict settles them, or brings them back to the head of the line.
 */
export const make = Effect.fnUntraced(function*(driver: Driver, options: Options) {
  const clock = yield* Clock.Clock
  const background = yield* FiberSet.makeRuntime<never>()
  const prefix = Name.namespacePrefix(options.namespace)
  const cells = new Cells(options.knownScopes)
  /** Cells whose head may be able to start. */
  const ready = new Set<Cell>()
  /** Runs to be sent again. */
  const outbox: Array<Run.Run> = []
  const inFlight = new Set<Run.Run>()
  let onIdle: (() => void) | undefined
  let closed = false

  let ticks = 0
  const tick = () => ++ticks
  let sequence = 0
  const env: Run.Environment = {
    clock,
    limits: driver.limits,
    verify: options.verify,
    maxUpdates,
    maxMillis,
    writer: options.writer,
    nextMark: () => `${options.writer}:${(sequence++).toString(36)}`
  }

  const driverError = (
    operation: "read" | "commit",
    reason: "Timeout" | "Closed" | "Unknown",
    description: string,
    cause?: unknown
  ) =>
    new DriverError({
      driver: driver.name,
      operation,
      reason,
      description,
      inDoubt: operation === "commit" && reason !== "Closed",
      ...(cause === undefined ? {} : { cause })
    })

  /** A driver's call as the engine trusts it: it ends in time, and nothing but a `DriverError` comes out of it. */
  const call = <A>(
    operation: "read" | "commit",
    effect: Effect.Effect<A, DriverError>
  ): Effect.Effect<A, DriverError> =>
    effect.pipe(
      Effect.timeoutOrElse({
        duration: options.timeout,
        orElse: () =>
          Effect.fail(driverError(operation, "Timeout", "it did not answer in time. Is it overloaded or gone?"))
      }),
      Effect.catchDefect((defect) =>
        Effect.fail(driverError(operation, "Unknown", `it failed in an unexpected way: ${String(defect)}`, defect))
      )
    )

  // ---- Lines

  const wake = () => {
    if (ready.size > 0 || outbox.length > 0) committer.wake()
  }

  const resolve = (target: Target): ReadonlyArray<Cell> =>
    target.parts.length === 1
      ? [cells.get(prefix + target.parts[0]!.name)]
      : target.parts.map((part) => cells.get(prefix + part.name))

  const free = (some: ReadonlyArray<Cell>) => {
    for (const cell of some) {
      cell.busy = false
      ready.add(cell)
    }
  }

  /** Puts updates back at the head of their lines, in one synchronous step, so that lines never wait in a circle. */
  const rejoin = (updates: ReadonlyArray<Update>) => {
    for (let i = updates.length - 1; i >= 0; i--) {
      const update = updates[i]!
      if (update.phase !== "waiting") continue
      update.cells = resolve(update.target)
      for (const cell of update.cells) {
        cell.line.unshift(update)
        ready.add(cell)
      }
    }
    wake()
  }

  const leave = (update: Update): Effect.Effect<void> => {
    if (update.phase === "inFlight") {
      return Effect.callback((resume) => {
        update.abandoned = () => resume(Effect.void)
      })
    }
    if (update.phase === "waiting") {
      update.phase = "settled"
      for (const cell of update.cells) ready.add(cell)
      wake()
    }
    return Effect.void
  }

  // ---- From the line to the batch

  const start = (cell: Cell, batch: Array<Run.Run>, answered: Array<Run.Run>) => {
    const head = cell.line.head
    if (cell.busy) return
    if (head === undefined) return cells.release(cell)
    if (!head.cells.every((cell) => !cell.busy && cell.line.head === head)) return
    const unknown = head.cells.filter((cell) => cell.known === undefined)
    if (unknown.length > 0) return look(head, unknown)
    const run = Run.start(env, head)
    if (run === undefined) {
      ready.add(cell)
    } else if (run.transaction === undefined) {
      inFlight.add(run)
      answered.push(run)
      for (const cell of run.cells) ready.add(cell)
    } else {
      inFlight.add(run)
      batch.push(run)
      for (const cell of run.cells) cell.busy = true
    }
  }

  /** Reads what is not known of the cells of a head, which then starts. */
  const look = (head: Update, unknown: ReadonlyArray<Cell>) => {
    const { cells } = head
    for (const cell of cells) cell.busy = true
    let missing = unknown.length
    for (const cell of unknown) {
      reader.read(cell.name, (reading) => {
        if (Result.isSuccess(reading)) {
          cell.known = toKnown(reading.success.record, reading.success.asOf)
        } else {
          settleAll(cell.line.drain(), reading.failure)
        }
        if (--missing === 0) {
          free(cells)
          wake()
        }
      })
    }
  }

  const collect = (batch: Array<Run.Run>, answered: Array<Run.Run>) => {
    batch.push(...outbox.splice(0, options.batchSize))
    const deadline = clock.currentTimeMillisUnsafe() + maxMillis
    for (const cell of ready) {
      if (batch.length >= options.batchSize || clock.currentTimeMillisUnsafe() >= deadline) break
      ready.delete(cell)
      start(cell, batch, answered)
    }
    wake()
  }

  // ---- From the verdict to the callers

  const conclude = Effect.fnUntraced(function*(run: Run.Run, answer: Verdict | DriverError, asOf: number) {
    const decision = decide(run, answer)
    switch (decision._tag) {
      case "Applied": {
        run.cells.forEach((cell, i) => {
          cell.known = decision.current === undefined
            ? { ...run.next[i]!, asOf }
            : toKnown(decision.current[i] ?? null, asOf)
        })
        free(run.cells)
        yield* Metric.update(Metrics.commits, 1)
        yield* Metric.update(Metrics.updates, run.updates.length)
        yield* reply(run)
        break
      }
      case "NotApplied": {
        run.cells.forEach((cell, i) => cell.known = toKnown(decision.current[i] ?? null, asOf))
        free(run.cells)
        yield* Metric.update(Metrics.refusals, 1)
        refuse(run)
        break
      }
      case "Failed": {
        free(run.cells)
        settleAll(run.updates, decision.error)
        break
      }
      case "InDoubt": {
        run.inDoubt = true
        yield* Metric.update(Metrics.doubts, 1)
        background(sendAgain(run, decision.error))
        return
      }
      case "Unknowable": {
        return giveUp(run, decision.reason)
      }
    }
    land(run)
  })

  const land = (run: Run.Run) => {
    inFlight.delete(run)
    if (inFlight.size === 0) onIdle?.()
  }

  const refuse = (run: Run.Run) => {
    const fresh: Cohort = { attempts: 0, step: undefined }
    const cohorts = new Map<Cohort, Array<Update>>()
    for (const update of run.updates) {
      if (update.abandoned !== undefined) {
        settle(update, Exit.void)
        continue
      }
      update.phase = "waiting"
      update.cohort ??= fresh
      const cohort = cohorts.get(update.cohort)
      if (cohort === undefined) {
        cohorts.set(update.cohort, [update])
      } else {
        cohort.push(update)
      }
    }
    for (const [cohort, updates] of cohorts) background(tryAgain(run, cohort, updates))
  }

  const tryAgain = Effect.fnUntraced(
    function*(run: Run.Run, cohort: Cohort, updates: ReadonlyArray<Update>) {
      const first = updates[0]!
      cohort.attempts++
      const step = cohort.step ??= yield* Schedules.stepper(first.retry, clock)
      const again = yield* step({ scope: run.target.scope, attempts: cohort.attempts })
      if (again && !closed) return rejoin(updates)
      const { scope } = run.target
      const error = closed ? about(scope, closedError) : new ConflictError({ scope, attempts: cohort.attempts })
      settleWaiting(updates, Exit.fail(error))
    },
    (effect, _run, _cohort, updates) =>
      Effect.onExit(effect, (exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(() =>
          settleWaiting(
            updates,
            Cause.hasInterruptsOnly(exit.cause) ? Exit.fail(closedError) : Exit.failCause(exit.cause)
          )
        ))
  )

  const settleWaiting = (updates: ReadonlyArray<Update>, exit: Exit.Exit<unknown, unknown>) => {
    for (const update of updates) {
      if (update.phase === "waiting") settle(update, exit)
    }
  }

  /** The same transaction, the same bytes: whatever became of the first sending, it is applied at most once. */
  const sendAgain = Effect.fnUntraced(function*(run: Run.Run, error: DriverError) {
    const step = run.recovery ??= yield* Schedules.stepper(options.recovery, clock)
    if (yield* step(undefined)) {
      outbox.push(run)
      wake()
    } else {
      giveUp(run, `${error.message}, also when it was sent again`, error)
    }
  })

  const giveUp = (run: Run.Run, reason: string, cause?: unknown) => {
    for (const cell of run.cells) cell.known = undefined
    free(run.cells)
    const error = Exit.fail(
      new AmbiguousCommitError({ scope: run.target.scope, reason, ...(cause === undefined ? {} : { cause }) })
    )
    for (const update of run.updates) settle(update, error)
    land(run)
    wake()
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
  })

  const settleAll = (updates: ReadonlyArray<Update>, error: DriverError) => {
    for (const update of updates) {
      for (const cell of update.cells) ready.add(cell)
      settle(update, Exit.fail(about(update.target.scope, error)))
    }
  }

  // ---- Workers

  const work = Effect.gen(function*() {
    const batch: Array<Run.Run> = []
    const answered: Array<Run.Run> = []
    collect(batch, answered)
    for (const run of answered) {
      yield* reply(run)
      land(run)
    }
    if (batch.length === 0) return
    const asOf = tick()
    const answers = yield* call("commit", driver.commit(batch.map((run) => run.transaction!))).pipe(
      Effect.withSpan("effect-scoped.commit", {
        kind: "client",
        attributes: { "effect-scoped.driver": driver.name, "effect-scoped.transactions": batch.length }
      }),
      Effect.result
    )
    for (let i = 0; i < batch.length; i++) {
      const run = batch[i]!
      const answer = Result.isFailure(answers) ? answers.failure : answers.success[i] ??
        driverError("commit", "Unknown", "it gave no verdict for a transaction. This is a bug in the driver")
      yield* conclude(run, answer, asOf)
    }
  })

  const reader: Reader.Reader = yield* Reader.make({
    read: (names) => call("read", driver.read(names)),
    parallelism: driver.parallelism,
    tick
  })
  const committer: Pump.Pump = yield* Pump.make({
    workers: driver.parallelism,
    ready: () => ready.size > 0 || outbox.length > 0,
    work
  })

  // ---- Closing

  const closedError = driverError("commit", "Closed", "the storage layer was closed. Keep it open while it is used")

  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      closed = true
      for (const cell of cells) settleAll(cell.line.drain(), closedError)
      reader.close(driverError("read", "Closed", closedError.description))
      onIdle = () => resume(Effect.void)
      if (inFlight.size === 0) onIdle()
    })
  )

  // ---- What users call

  const admit = (scope: string, parts: ReadonlyArray<Part>): ScopedError | undefined => {
    if (closed) return about(scope, closedError)
    for (const part of parts) {
      const fault = Name.fault(part.scope, prefix + part.name, driver.limits.nameBytes)
      if (fault !== undefined) return fault
    }
    return undefined
  }

  const engine: Engine = {
    update: ({ abortable, handler, retry, target }) =>
      Effect.callback((resume) => {
        const error = admit(target.scope, target.parts)
        if (error !== undefined) return resume(Effect.fail(error))
        const update: Update = {
          target,
          cells: resolve(target),
          handler: handler as (state: unknown) => unknown,
          abortable,
          retry: retry ?? options.retry,
          joinedAt: tick(),
          resume,
          phase: "waiting",
          outcome: Exit.void,
          cohort: undefined,
          abandoned: undefined
        }
        for (const cell of update.cells) {
          cell.line.push(update)
          if (!cell.busy) ready.add(cell)
        }
        wake()
        return Effect.suspend(() => leave(update))
      }),
    get: (part) =>
      Effect.callback((resume) => {
        const error = admit(part.scope, [part])
        if (error !== undefined) return resume(Effect.fail(error))
        const name = prefix + part.name
        const forget = reader.read(name, (reading) => {
          if (Result.isFailure(reading)) return resume(Effect.fail(about(part.scope, reading.failure)))
          const record = reading.success.record
          const known = cells.peek(name)
          const current = known !== undefined && known.revision === (record?.revision ?? null)
            ? known
            : toKnown(record, reading.success.asOf)
          const snapshot = Run.read(part, current)
          if (Result.isFailure(snapshot)) return resume(Effect.fail(snapshot.failure))
          cells.learn(name, { ...current, codec: part.codec, state: snapshot.success.state })
          resume(Effect.succeed(snapshot.success.state))
        })
        return Effect.sync(forget)
      })
  }
  return engine
})

const about = (scope: string, error: DriverError) => new DriverError({ ...error, scope, inDoubt: false })

const toKnown = (record: Record | null, asOf: number): Known => ({
  revision: record?.revision ?? null,
  text: record?.data ?? null,
  asOf,
  codec: undefined,
  state: undefined
})
