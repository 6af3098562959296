/**
 * Deletes rows that count as none. To all others they are gone already, so it does not matter who does it, nor when.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { DriverError } from "../../ScopedError.ts"

/** Never ends. Processes that start together do not sweep together. */
export const make = (options: {
  readonly interval: Duration.Duration
  /** Deletes some, and tells how many. */
  readonly sweep: Effect.Effect<number, DriverError>
}): Effect.Effect<never> => {
  const { interval, sweep } = options
  const all: Effect.Effect<void, DriverError> = Effect.flatMap(sweep, (swept) => swept === 0 ? Effect.void : all)
  const pause = Effect.flatMap(
    Random.nextBetween(0.5, 1.5),
    (factor) => Effect.sleep(Duration.millis(Duration.toMillis(interval) * factor))
  )
  return Effect.andThen(pause, Effect.catch(all, (error) => Effect.logDebug(error.message))).pipe(
    Effect.annotateLogs({ module: "effect-scoped/MysqlDriver", fiber: "sweep" }),
    Effect.forever
  )
}
