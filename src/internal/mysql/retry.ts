/**
 * What is tried again inside a call, and for how long.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { lockWait } from "./connections.ts"
import * as Fault from "./fault.ts"

export const timeout: Fault.Fault = Fault.make(
  "Timeout",
  "the server did not answer in time. Is it overloaded, out of disk space, or gone?"
)

/** How long an attempt may wait for a lock, and tell of it before the deadline. */
export const patience = lockWait + 200

/** For how many milliseconds to pause and then try again, after so many attempts; `undefined` for no more. */
export const pause = (fault: Fault.Fault, attempts: number, left: number): number | undefined => {
  switch (fault.remedy) {
    case "again":
      return attempts < 8 && left > 5 * attempts ? 5 * attempts : undefined
    case "wait":
      return left > patience ? 0 : undefined
    case "elsewhere":
      return attempts < 3 ? 1 : undefined
    case "primary":
      return left > 250 ? 100 : undefined
    default:
      return undefined
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

/** Runs something again until the deadline that has no effect on the server, such as a query. */
export const harmless = <A>(
  clock: Clock.Clock,
  deadline: number,
  effect: Effect.Effect<A, Fault.Fault>
): Effect.Effect<A, Fault.Fault> => {
  const attempt = (attempts: number): Effect.Effect<A, Fault.Fault> =>
    Effect.catch(effect, (fault) => {
      const delay = pause(fault, attempts, deadline - clock.currentTimeMillisUnsafe())
      return delay === undefined ? Effect.fail(fault) : Effect.andThen(Effect.sleep(delay), attempt(attempts + 1))
    })
  return within(clock, deadline, attempt(1))
}
