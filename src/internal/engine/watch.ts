import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { DriverError, ScopedError } from "../../ScopedError.ts"
import type { Sight } from "./run.ts"
import * as Schedules from "./schedules.ts"

/** Expiries are looked for a little late, and not more often than this, in milliseconds: clocks differ. */
const grace = 5

/** How long hints must have come, in milliseconds, for their end to be the first of its kind. */
const steady = 1_000

/**
 * The state now, and then each newer one that is seen.
 *
 * Hints only say when to look: what is looked at is always the store, so a hint too many costs a read, and one that
 * came before the look is not needed. While the store is away, hints and looks are tried again under `recovery`.
 */
export const watch = (options: {
  readonly clock: Clock.Clock
  readonly hints: Stream.Stream<string, DriverError>
  readonly look: Effect.Effect<Sight, ScopedError>
  readonly recovery: Schedule.Schedule<unknown>
  /** What to fail with where the hints end again and again: a driver's hints go on for ever. */
  readonly ended: DriverError
  /** Fails when the layer closes. */
  readonly closed: Effect.Effect<never, DriverError>
}): Stream.Stream<unknown, ScopedError> =>
  Stream.unwrap(Effect.gen(function*() {
    // One hint that waits says as much as a hundred.
    const hints = yield* Queue.sliding<void, ScopedError>(1)
    yield* Queue.offer(hints, undefined)

    const listen = Effect.gen(function*() {
      let step: Schedules.Step<undefined> | undefined
      for (;;) {
        const start = options.clock.currentTimeMillisUnsafe()
        const ended = yield* Effect.result(Stream.runForEach(options.hints, () => Queue.offer(hints, undefined)))
        // Not at the first hint: that comes also where nothing can be listened to.
        if (options.clock.currentTimeMillisUnsafe() - start >= steady) step = undefined
        step ??= yield* Schedules.stepper(options.recovery, options.clock)
        const delay = yield* step(undefined)
        if (delay === undefined) {
          return yield* Queue.fail(hints, Result.isFailure(ended) ? ended.failure : options.ended)
        }
      }
    })
    yield* Effect.forkScoped(Effect.catchCause(listen, (cause) => Queue.failCause(hints, cause)))
    yield* Effect.forkScoped(Effect.catchCause(options.closed, (cause) => Queue.failCause(hints, cause)))

    const look = Effect.retry(options.look, {
      schedule: options.recovery,
      while: (error) => error._tag === "DriverError" ? error.reason !== "Closed" : error._tag === "ConflictError"
    })

    let last: Sight | undefined
    // An expiry need not be hinted at.
    const hint = Effect.suspend(() => {
      if (last === undefined || last.expiresAt === Infinity) return Queue.take(hints)
      const left = last.expiresAt - options.clock.currentTimeMillisUnsafe()
      return Effect.timeoutOption(Queue.take(hints), Duration.millis(Math.max(left, 0) + grace)).pipe(
        Effect.map(Option.getOrUndefined)
      )
    })
    return Stream.fromPull(Effect.succeed(Effect.gen(function*() {
      for (;;) {
        yield* hint
        const sight = yield* look
        const same = last !== undefined && last.version === sight.version
        last = sight
        if (!same) return [sight.state] as const
      }
    })))
  }))
