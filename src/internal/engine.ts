import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Driver, Record, Verdict } from "../Driver.ts"
import {
  AmbiguousCommitError,
  ConflictError,
  DriverError,
  NotReplicatedError,
  ProductError,
  type ScopedError
} from "../ScopedError.ts"
import * as Calls from "./calls.ts"
import { toKnown } from "./cell.ts"
import { Lines } from "./lines.ts"
import * as Metrics from "./metrics.ts"
import * as Name from "./name.ts"
import * as Pump from "./pump.ts"
import * as Reader from "./reader.ts"
import * as Run from "./run.ts"
import * as Schedules from "./schedules.ts"
import type { Target } from "./target.ts"
import { type Cohort, cohortsOf, type Kind, type Retry, settle, settleWaiting, type Update } from "./update.ts"
import { decide } from "./verdict.ts"
import { watch } from "./watch.ts"

export interface Options {
  readonly namespace: string | undefined
  readonly retry: Retry
  readonly recovery: Schedule.Schedule<unknown>
  readonly timeout: Duration.Duration
  readonly verify: boolean
  readonly retention: Duration.Duration
  readonly knownScopes: number
  readonly batchSize: number
  readonly writer: string
}

export interface Engine {
  readonly update: (options: {
    readonly target: Target
    readonly kind: Kind
    readonly handler: (state: never) => unknown
    readonly retry: Retry | undefined
  }) => Effect.Effect<unknown, unknown>
  readonly get: (target: Target) => Effect.Effect<unknown, ScopedError>
  readonly changes: (target: Target) => Stream.Stream<unknown, ScopedError>
  /** What is stored under names of this namespace that start with `prefix`. */
  readonly names: (prefix: string) => Stream.Stream<string, DriverError>
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
  const calls = Calls.make(driver, options.timeout)
  const lines = new Lines({
    prefix: Name.namespacePrefix(options.namespace),
    knownScopes: options.knownScopes,
    onReady: () => committer.wake()
  })
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
          cell.known = toKnown(reading.success.record, reading.success.asOf)
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
    switch (decision._tag) {
      case "Applied":
        run.cells.forEach((cell, i) => {
          cell.known = decision.current === undefined
            ? { ...run.next[i]!, asOf }
            : toKnown(decision.current[i]!, asOf)
        })
        lines.free(run.cells)
        if (decision.shortfall !== undefined) warn(run, decision.shortfall)
        return Effect.andThen(Metrics.applied(run.updates.length), reply(run))
      case "NotApplied":
        run.cells.forEach((cell, i) => cell.known = toKnown(decision.current[i]!, asOf))
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
      if (!(yield* step({ scope, attempts: cohort.attempts }))) {
        const { attempts, changed } = cohort
        return settleWaiting(updates, Exit.fail(new ConflictError({ scope, attempts, changed: [...changed] })))
      }
      if (closed) return yield* Effect.interrupt
      lines.rejoin(updates)
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
    if (!(yield* step(undefined))) return giveUp(run, `${error.message}, also when it was sent again`, error)
    if (clock.currentTimeMillisUnsafe() - run.doubtSince! >= Run.lifetime(run)) {
      return giveUp(run, `${error.message}, and whatever it wrote has expired since`, error)
    }
    outbox.push(run)
    committer.wake()
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

  // ---- Workers

  const reader: Reader.Reader = yield* Reader.make({ read: calls.read, parallelism: driver.parallelism, tick })

  const committer: Pump.Pump = yield* Pump.make({
    workers: driver.parallelism,
    ready: () => lines.ready.size > 0 || outbox.length > 0,
    work
  })

  yield* Effect.addFinalizer(() =>
    Effect.callback<void>((resume) => {
      closed = true
      for (const cell of lines.cells) failAll(cell.line.drain(), calls.closed)
      reader.close(calls.closed)
      onIdle = () => resume(Effect.void)
      if (inFlight.size === 0) onIdle()
    })
  )

  // ---- What users call

  const admit = ({ fault, parts, scope }: Target): ScopedError | undefined => {
    if (closed) return about(scope, calls.closed)
    if (fault !== undefined) return fault
    const limits = driver.limits
    for (const part of parts) {
      const fault = Name.fault(part.scope, lines.nameOf(part.name), limits.nameBytes)
      if (fault !== undefined) return fault
    }
    return parts.length <= limits.scopesPerTransaction ? undefined : new ProductError({
      scope,
      reason:
        `it has ${parts.length} scopes, and this driver commits ${limits.scopesPerTransaction} at once at most. ` +
        `Take fewer`
    })
  }

  const update: Engine["update"] = ({ handler, kind, retry, target }) =>
    Effect.callback((resume) => {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      const update: Update = {
        target,
        cells: lines.cellsOf(target),
        kind,
        handler: handler as (state: unknown) => unknown,
        retry: retry ?? options.retry,
        joinedAt: tick(),
        resume,
        phase: "waiting",
        outcome: Exit.void,
        cohort: undefined,
        abandoned: undefined
      }
      lines.join(update)
      return Effect.suspend(() => lines.leave(update))
    })

  const getOne = (target: Target): Effect.Effect<unknown, ScopedError> =>
    Effect.callback((resume) => {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      const part = target.parts[0]!
      const name = lines.nameOf(part.name)
      const forget = reader.read(name, (reading) => {
        if (Result.isFailure(reading)) return resume(Effect.fail(about(part.scope, reading.failure)))
        const { asOf, record } = reading.success
        const known = lines.cells.peek(name)
        const current = known?.revision === (record?.revision ?? null) ? known : toKnown(record, asOf)
        const state = Run.read(part, current)
        if (Result.isFailure(state)) return resume(Effect.fail(state.failure))
        lines.cells.learn(name, { ...current, codec: part.codec, state: state.success })
        resume(Effect.succeed(state.success))
      })
      return Effect.sync(forget)
    })

  // Reads of several scopes are of one moment when a transaction that changes nothing says so.
  const getAll = (target: Target): Effect.Effect<unknown, ScopedError> =>
    update({ target, kind: "update", handler: (state) => [state, state], retry: undefined }) as Effect.Effect<
      unknown,
      ScopedError
    >

  const get: Engine["get"] = (target) =>
    target.parts.length === 1 ? Effect.map(getOne(target), (state) => target.join([state])) : getAll(target)

  const changes: Engine["changes"] = (target) =>
    Stream.suspend(() => {
      const error = admit(target)
      if (error !== undefined) return Stream.fail(error)
      const lifetimes = target.parts.flatMap((part) => part.idleTimeToLive ?? [])
      return watch({
        clock,
        hints: driver.changes(target.parts.map((part) => lines.nameOf(part.name))),
        look: get(target),
        recovery: options.recovery,
        idleTimeToLive: lifetimes.length === 0 ? undefined : lifetimes.reduce(Duration.min)
      })
    })

  const names: Engine["names"] = (prefix) =>
    driver.names(lines.nameOf(prefix)).pipe(
      Stream.map((name) => name.slice(lines.nameOf("").length)),
      Stream.filter((name) => !Name.isOfNamespace(name))
    )

  const engine: Engine = { update, get, changes, names }
  return engine
})

const about = (scope: string, error: DriverError) => new DriverError({ ...error, scope, inDoubt: false })
