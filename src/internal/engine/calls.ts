import type * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Driver, Record, Transaction, Verdict } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"
import type { Fork, Soon } from "../background.ts"
import { Deadlines } from "../deadlines.ts"
import { shown } from "../state/fault.ts"
import { steady } from "../steady.ts"
import { areAnswers, areRecords, isAnswer, isRecord } from "./shape.ts"
import { traced } from "./trace.ts"

/** A driver as the engine trusts it: every call ends in time, and nothing but a `DriverError` comes out of it. */
export interface Calls {
  readonly read: (
    names: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Record | null | DriverError> | DriverError>
  /**
   * An answer for each transaction: given back at once where the store is in this process, or to `later`. `spans`: of
   * those that it is for.
   */
  readonly commit: (
    batch: ReadonlyArray<Transaction>,
    spans: ReadonlyArray<Tracer.Span>,
    later: (answers: Answers) => void
  ) => Answers | undefined
  /**
   * Whether the turn at one of some names is waited for: `later` is called when it has come, or does not come, with the
   * records if the driver has read them since, and with none otherwise.
   */
  readonly turn: (names: ReadonlyArray<string>, later: (records: ReadonlyArray<Record | null>) => void) => boolean
  /** What to fail with where something in here failed that should not. */
  readonly broken: (cause: unknown) => DriverError
  /** What to fail with where hints end. */
  readonly ended: DriverError
  /** What to fail with once the layer is closed. */
  readonly closed: DriverError
}

export type Answers = ReadonlyArray<Verdict | DriverError>

export const make = (
  { clock, driver, fork, soon, timeout }: {
    readonly driver: Driver
    readonly timeout: Duration.Duration
    readonly clock: Clock.Clock
    readonly fork: Fork
    readonly soon: Soon
  }
): Calls => {
  type Operation = "read" | "commit"

  const millis = Duration.toMillis(timeout)
  const deadlines = new Deadlines({ now: steady(clock), fork, soon })

  const error = (
    operation: Operation,
    reason: DriverError["reason"],
    description: string,
    cause?: unknown
  ) =>
    new DriverError({
      driver: driver.name,
      operation,
      reason,
      description,
      inDoubt: operation === "commit",
      ...cause !== undefined && { cause }
    })

  const unexpected = (operation: Operation, defect: unknown) =>
    error(operation, "Unknown", `it failed in an unexpected way: ${shown(defect)}`, defect)

  /**
   * Calls the driver, and makes an answer of what comes out of it, whatever that is.
   *
   * A call that does not end by itself is interrupted, but not waited for: it may hang there, too.
   */
  const within = <A>(
    operation: Operation,
    call: Effect.Effect<unknown, DriverError>,
    answerOf: (given: unknown) => A,
    later: (answer: A) => void
  ): A | undefined => {
    const fiber = fork(call)
    const answer = (exit: Exit.Exit<unknown, DriverError>) => {
      try {
        return answerOf(Exit.isSuccess(exit) ? exit.value : toError(operation, exit.cause))
      } catch (defect) {
        return answerOf(unexpected(operation, defect))
      }
    }
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return answer(exit)
    const deadline = deadlines.begin(deadlines.in(millis), () => {
      later(answerOf(error(
        operation,
        "Timeout",
        `it did not answer within ${Duration.format(timeout)}. Is it overloaded or gone?`
      )))
      fiber.interruptUnsafe()
    })
    fiber.addObserver((exit) => {
      if (deadline.list === undefined) return
      deadlines.end(deadline)
      later(answer(exit))
    })
    return undefined
  }

  const toError = (operation: Operation, cause: Cause.Cause<DriverError>): DriverError => {
    const failure = cause.reasons[0]
    if (failure?._tag === "Fail") return failure.error
    if (failure?._tag === "Die") return unexpected(operation, failure.defect)
    return error(operation, "Unknown", "it was interrupted")
  }

  const counted = (operation: Operation, count: number, given: unknown): ReadonlyArray<unknown> | DriverError => {
    if (given instanceof DriverError || Array.isArray(given) && given.length === count) return given
    const answers = Array.isArray(given) ? given.length : "no"
    return error(
      operation,
      "Unknown",
      `it gave ${answers} answers to ${count} questions. Report this to its authors`
    )
  }

  const odd = (operation: Operation) =>
    error(operation, "Unknown", "it gave something that is no answer. Report this to its authors")

  const recordsOf = (count: number) => (given: unknown): ReadonlyArray<Record | null | DriverError> | DriverError => {
    if (areRecords(given, count)) return given
    const answers = counted("read", count, given)
    return answers instanceof DriverError
      ? answers
      : Array.from(answers, (answer) => isRecord(answer) ? answer : odd("read"))
  }

  const answersTo = (batch: ReadonlyArray<Transaction>) => (given: unknown): Answers => {
    if (areAnswers(given, batch)) return given
    const answers = counted("commit", batch.length, given)
    return batch.map(({ length }, i) => {
      if (answers instanceof DriverError) return answers
      const answer = answers[i]
      return isAnswer(answer, length) ? answer : odd("commit")
    })
  }

  return {
    read: (names) =>
      Effect.callback((resume) => {
        const call = Effect.suspend(() => driver.read(names))
        const records = within("read", call, recordsOf(names.length), (records) => resume(Effect.succeed(records)))
        if (records !== undefined) resume(Effect.succeed(records))
      }),
    commit: (batch, spans, later) => {
      const call = traced(() => driver.commit(batch), {
        name: "effect-scoped.commit",
        driver: driver.name,
        count: batch.length,
        spans
      })
      return within("commit", call, answersTo(batch), later)
    },
    turn: (names, later) => {
      let turn: ReturnType<NonNullable<Driver["turn"]>>
      try {
        turn = driver.turn?.(names)
      } catch {
        // Turns are advice.
      }
      if (turn === undefined) return false
      const records = within("read", turn, (given) => areRecords(given, names.length) ? given : none, later)
      if (records !== undefined) later(records)
      return true
    },
    broken: (cause) => error("read", "Unknown", "the storage itself failed. Report this to its authors", cause),
    ...endings(driver.name)
  }
}

const none: ReadonlyArray<never> = []

const ended = new Map<string, Pick<Calls, "ended" | "closed">>()

/** Nearly every storage has these without needing them, and errors are dear to make: once for each kind of driver. */
const endings = (driver: string): Pick<Calls, "ended" | "closed"> => {
  let errors = ended.get(driver)
  if (errors === undefined) {
    errors = {
      ended: new DriverError({
        driver,
        operation: "changes",
        reason: "Unknown",
        description: "its hints came to an end. Report this to its authors",
        inDoubt: false
      }),
      closed: new DriverError({
        driver,
        operation: "commit",
        reason: "Closed",
        description: "the storage layer was closed. Keep it open for as long as it is used",
        inDoubt: false
      })
    }
    ended.set(driver, errors)
  }
  return errors
}

/** A driver's error as the caller of an update of `scope` gets it: by then nothing is in doubt any more. */
export const about = (scope: string, error: DriverError): DriverError =>
  new DriverError({
    driver: error.driver,
    operation: error.operation,
    reason: error.reason,
    description: error.description,
    inDoubt: false,
    scope,
    // A cause that is not enumerable would be lost by a spread.
    ..."cause" in error && error.cause !== undefined && { cause: error.cause }
  })
