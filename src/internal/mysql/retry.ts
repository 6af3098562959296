/**
 * What is tried again inside a call, and for how long.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fault from "./fault.ts"

export const timeout: Fault.Fault = Fault.make(
  "Timeout",
  "the server did not answer in time. Is it overloaded, out of disk space, or gone?"
)

/** Whether to try again after so many attempts. */
export const helps = (fault: Fault.Fault, attempts: number, patient: boolean): boolean => {
  switch (fault.remedy) {
    case "again":
      return attempts < 8
    case "wait":
      return patient
    case "elsewhere":
      return attempts < 3 && !fault.inDoubt
    default:
      return false
  }
}

/** Fails when the deadline passes: for what does no harm when it goes on for a moment. */
export const within = <A>(
  clock: Clock.Clock,
  deadline: number,
  effect: Effect.Effect<A, Fault.Fault>
): Effect.Effect<A, Fault.Fault> =>
  Effect.timeoutOrElse(effect, {
    duration: Math.max(0, deadline - clock.currentTimeMillisUnsafe()),
    orElse: () => Effect.fail(timeout)
  })

/** Runs something again that has no effect on the server, such as a query. */
export const harmless = <A>(effect: Effect.Effect<A, Fault.Fault>): Effect.Effect<A, Fault.Fault> => {
  const attempt = (attempts: number): Effect.Effect<A, Fault.Fault> =>
    Effect.catch(effect, (fault) =>
      helps({ ...fault, inDoubt: false }, attempts, true)
        ? Effect.andThen(Effect.sleep(attempts), attempt(attempts + 1))
        : Effect.fail(fault))
  return attempt(1)
}
