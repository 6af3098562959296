/**
 * Lets operations in until the driver is closed, each with the time that it may take.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { DriverError } from "../../ScopedError.ts"
import * as Fault from "./fault.ts"

export interface Gate {
  readonly run: <A>(
    operation: DriverError["operation"],
    f: (deadline: number) => Effect.Effect<A, Fault.Fault>
  ) => Effect.Effect<A, DriverError>
  readonly closed: () => boolean
  /** Lets nobody in any more, and waits for those who are. */
  readonly close: Effect.Effect<void>
}

export const make = (clock: Clock.Clock, timeout: number): Gate => {
  let closed = false
  let running = 0
  let onIdle: (() => void) | undefined

  return {
    run: (operation, f) =>
      Effect.suspend(() => {
        if (closed) return Effect.fail(Fault.closed)
        running++
        return Effect.ensuring(
          f(clock.currentTimeMillisUnsafe() + timeout),
          Effect.sync(() => {
            running--
            if (running === 0) onIdle?.()
          })
        )
      }).pipe(Effect.mapError(Fault.toDriverError(operation))),
    closed: () => closed,
    close: Effect.callback<void>((resume) => {
      closed = true
      onIdle = () => resume(Effect.void)
      if (running === 0) onIdle()
    })
  }
}
