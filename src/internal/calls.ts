import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Driver, Record, Transaction, Verdict } from "../Driver.ts"
import { DriverError } from "../ScopedError.ts"

/** A driver as the engine trusts it: every call ends in time, and nothing but a `DriverError` comes out of it. */
export interface Calls {
  readonly read: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null>, DriverError>
  readonly commit: (
    batch: ReadonlyArray<Transaction>
  ) => Effect.Effect<ReadonlyArray<Verdict | DriverError>, DriverError>
  /** What to fail with once the layer is closed. */
  readonly closed: DriverError
}

export const make = (driver: Driver, timeout: Duration.Duration): Calls => {
  const error = (
    operation: "read" | "commit",
    reason: "Timeout" | "Closed" | "Unknown",
    description: string,
    cause?: { readonly cause: unknown }
  ) =>
    new DriverError({
      driver: driver.name,
      operation,
      reason,
      description,
      inDoubt: operation === "commit" && reason !== "Closed",
      ...cause
    })

  const guard = (operation: "read" | "commit") =>
  <A>(
    size: number,
    call: Effect.Effect<ReadonlyArray<A>, DriverError>
  ): Effect.Effect<ReadonlyArray<A>, DriverError> =>
    call.pipe(
      Effect.timeoutOrElse({
        duration: timeout,
        orElse: () => Effect.fail(error(operation, "Timeout", "it did not answer in time. Is it overloaded or gone?"))
      }),
      Effect.catchDefect((cause) =>
        Effect.fail(error(operation, "Unknown", `it failed in an unexpected way: ${String(cause)}`, { cause }))
      ),
      Effect.flatMap((answers) =>
        answers.length === size
          ? Effect.succeed(answers)
          : Effect.fail(
            error(
              operation,
              "Unknown",
              `it gave ${answers.length} answers to ${size} questions. Report this to its authors`
            )
          )
      )
    )
  const guardRead = guard("read")
  const guardCommit = guard("commit")

  return {
    read: (names) => guardRead(names.length, driver.read(names)),
    commit: (batch) =>
      Effect.withSpan(guardCommit(batch.length, driver.commit(batch)), "effect-scoped.commit", {
        kind: "client",
        attributes: { "effect-scoped.driver": driver.name, "effect-scoped.transactions": batch.length }
      }),
    closed: error("commit", "Closed", "the storage layer was closed. Keep it open for as long as it is used")
  }
}

/** A driver's error as the caller of an update of `scope` gets it: by then nothing is in doubt any more. */
export const about = (scope: string, error: DriverError): DriverError =>
  new DriverError({ ...error, scope, inDoubt: false })
