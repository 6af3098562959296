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
import { areRecords, isAnswer, isRecord } from "./shape.ts"
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
   * records if the driver has read them since.
   */
  readonly turn: (
    names: ReadonlyArray<string>,
    later: (records: ReadonlyArray<Record | null> | undefined) => void
  ) => boolean
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

  // A call that does not end by itself is interrupted, but not waited for: it may hang there, too.
  const within = <A>(
    operation: Operation,
    call: Effect.Effect<A, DriverError>,
    later: (answer: A | DriverError) => void
  ): A | DriverError | undefined => {
    const fiber = fork(call)
    const valueOf = (exit: Exit.Exit<A, DriverError>) =>
      Exit.isSuccess(exit) ? exit.value : toError(operation, exit.cause)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return valueOf(exit)
    const deadline = deadlines.begin(deadlines.in(millis), () => {
      later(error(
        operation,
        "Timeout",
        `it did not answer within ${Duration.format(timeout)}. Is it overloaded or gone?`
      ))
      fiber.interruptUnsafe()
    })
    fiber.addObserver((exit) => {
      if (deadline.list === undefined) return
      deadlines.end(deadline)
      later(valueOf(exit))
    })
    return undefined
  }

  const toError = (operation: Operation, cause: Cause.Cause<DriverError>): DriverError => {
    const failure = cause.reasons[0]
    if (failure?._tag === "Fail") return failure.error
    if (failure?._tag === "Die") {
      return error(operation, "Unknown", `it failed in an unexpected way: ${shown(failure.defect)}`, failure.defect)
    }
    return error(operation, "Unknown", "it was interrupted")
  }

  const counted = <A>(operation: Operation, count: number) => (answers: ReadonlyArray<A> | DriverError) =>
    answers instanceof DriverError || Array.isArray(answers) && answers.length === count ? answers : error(
      operation,
      "Unknown",
      `it gave ${
        Array.isArray(answers) ? answers.length : "no"
      } answers to ${count} questions. Report this to its authors`
    )

  const odd = (operation: Operation) =>
    error(operation, "Unknown", "it gave something that is no answer. Report this to its authors")

  const recordsOf = (answers: ReadonlyArray<unknown>): ReadonlyArray<Record | null | DriverError> =>
    areRecords(answers, answers.length)
      ? answers
      : Array.from(answers, (answer) => isRecord(answer) ? answer : odd("read"))

  const answersTo = (batch: ReadonlyArray<Transaction>, given: Answers | DriverError): Answers => {
    const answers = counted<Verdict | DriverError>("commit", batch.length)(given)
    if (answers instanceof DriverError) return batch.map(() => answers)
    for (let i = 0; i < batch.length; i++) {
      if (isAnswer(answers[i], batch[i]!.length)) continue
      return batch.map(({ length }, i) => isAnswer(answers[i], length) ? answers[i]! : odd("commit"))
    }
    return answers
  }

  return {
    read: (names) =>
      Effect.map(
        Effect.callback<ReadonlyArray<Record | null> | DriverError>((resume) => {
          const answer = within("read", Effect.suspend(() => driver.read(names)), (answer) => {
            resume(Effect.succeed(answer))
          })
          if (answer !== undefined) resume(Effect.succeed(answer))
        }),
        (answers) => {
          const records = counted<Record | null>("read", names.length)(answers)
          return records instanceof DriverError ? records : recordsOf(records)
        }
      ),
    commit: (batch, spans, later) => {
      const call = traced(() => driver.commit(batch), {
        name: "effect-scoped.commit",
        driver: driver.name,
        count: batch.length,
        spans
      })
      const answers = within("commit", call, (answers) => later(answersTo(batch, answers)))
      return answers && answersTo(batch, answers)
    },
    turn: (names, later) => {
      let turn: ReturnType<NonNullable<Driver["turn"]>>
      try {
        turn = driver.turn?.(names)
      } catch {
        // Turns are advice.
      }
      if (turn === undefined) return false
      const told = Effect.map(turn, (records) => areRecords(records, names.length) ? records : none)
      const tell = (records: ReadonlyArray<Record | null> | DriverError) => {
        later(records instanceof DriverError || records === none ? undefined : records)
      }
      const records = within("read", told, tell)
      if (records !== undefined) tell(records)
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
