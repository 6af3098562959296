import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Driver, Record, Transaction, Verdict } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"
import { shown } from "../state/fault.ts"
import type { Fork } from "./background.ts"

/** A driver as the engine trusts it: every call ends in time, and nothing but a `DriverError` comes out of it. */
export interface Calls {
  readonly read: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null> | DriverError>
  /** An answer for each transaction. */
  readonly commit: (batch: ReadonlyArray<Transaction>) => Effect.Effect<ReadonlyArray<Verdict | DriverError>>
  /** What to fail with where something in here failed that should not. */
  readonly broken: (cause: unknown) => DriverError
  /** What to fail with where hints end. */
  readonly ended: DriverError
  /** What to fail with once the layer is closed. */
  readonly closed: DriverError
}

export const make = (driver: Driver, timeout: Duration.Duration, fork: Fork): Calls => {
  type Operation = "read" | "commit"

  const error = (
    operation: DriverError["operation"],
    reason: DriverError["reason"],
    description: string,
    cause?: unknown
  ) =>
    new DriverError({
      driver: driver.name,
      operation,
      reason,
      description,
      inDoubt: operation === "commit" && reason !== "Closed",
      ...cause !== undefined && { cause }
    })

  // A call that does not end by itself is interrupted, but not waited for: it may hang there, too.
  const within = <A>(operation: Operation, call: Effect.Effect<A, DriverError>): Effect.Effect<A | DriverError> =>
    Effect.callback((resume) => {
      const fiber = fork(call)
      const finish = (exit: Exit.Exit<A, DriverError>) =>
        resume(Effect.succeed(Exit.isSuccess(exit) ? exit.value : toError(operation, exit.cause)))
      const exit = fiber.pollUnsafe()
      if (exit !== undefined) return finish(exit)
      const timer = fork(Effect.andThen(
        Effect.sleep(timeout),
        Effect.sync(() => {
          resume(Effect.succeed(error(
            operation,
            "Timeout",
            `it did not answer within ${Duration.format(timeout)}. Is it overloaded or gone?`
          )))
          fiber.interruptUnsafe()
        })
      ))
      fiber.addObserver((exit) => {
        finish(exit)
        timer.interruptUnsafe()
      })
      return Effect.sync(() => {
        timer.interruptUnsafe()
        fiber.interruptUnsafe()
      })
    })

  const toError = (operation: Operation, cause: Cause.Cause<DriverError>): DriverError => {
    const failure = cause.reasons[0]
    if (failure?._tag === "Fail") return failure.error
    if (failure?._tag === "Die") {
      return error(operation, "Unknown", `it failed in an unexpected way: ${shown(failure.defect)}`, failure.defect)
    }
    return error(operation, "Unknown", "it was interrupted")
  }

  const counted = <A>(operation: Operation, count: number) => (answers: ReadonlyArray<A> | DriverError) =>
    answers instanceof DriverError || answers.length === count ? answers : error(
      operation,
      "Unknown",
      `it gave ${answers.length} answers to ${count} questions. Report this to its authors`
    )

  return {
    read: (names) =>
      Effect.map(within("read", Effect.suspend(() => driver.read(names))), counted("read", names.length)),
    commit: (batch) =>
      Effect.map(within("commit", Effect.suspend(() => driver.commit(batch))), (answers) => {
        const checked = counted<Verdict | DriverError>("commit", batch.length)(answers)
        return checked instanceof DriverError ? batch.map(() => checked) : checked
      }),
    broken: (cause) => error("read", "Unknown", "the storage itself failed. Report this to its authors", cause),
    ended: error("changes", "Unknown", "its hints came to an end. Report this to its authors"),
    closed: error("commit", "Closed", "the storage layer was closed. Keep it open for as long as it is used")
  }
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
