import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Queue from "effect/Queue"
import * as Result from "effect/Result"
import type * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { DriverError, ScopedError } from "../ScopedError.ts"
import * as Schedules from "./schedules.ts"

/**
 * The state now, and then each newer one that is seen.
 *
 * Hints only say when to look: what is looked at is always the store, so a hint too many costs a read, and one that
 * came before the look is not needed. While the store is away, hints and looks are tried again under `recovery`.
 */
export const watch = (options: {
  readonly clock: Clock.Clock
  readonly hints: Stream.Stream<string, DriverError>
  readonly look: Effect.Effect<unknown, ScopedError>
  readonly recovery: Schedule.Schedule<unknown>
  /** When a state may have expired that was seen just now. */
  readonly idleTimeToLive: Duration.Duration | undefined
}): Stream.Stream<unknown, ScopedError> =>
  Stream.unwrap(Effect.gen(function*() {
    // One hint that waits says as much as a hundred.
    const hints = yield* Queue.sliding<void, ScopedError>(1)
    yield* Queue.offer(hints, undefined)

    const listen = Effect.gen(function*() {
      let step: Schedules.Step<undefined> | undefined
      for (;;) {
        const ended = yield* Effect.result(Stream.runForEach(options.hints, () => {
          step = undefined
          return Queue.offer(hints, undefined)
        }))
        step ??= yield* Schedules.stepper(options.recovery, options.clock)
        const delay = yield* step(undefined)
        if (delay === undefined && Result.isFailure(ended)) return yield* Queue.fail(hints, ended.failure)
      }
    })
    yield* Effect.forkScoped(listen)

    const hint = options.idleTimeToLive === undefined
      ? Queue.take(hints)
      // An expiry need not be hinted at.
      : Effect.timeoutOption(Queue.take(hints), Duration.sum(options.idleTimeToLive, Duration.millis(10)))
    const look = Effect.retry(options.look, {
      schedule: options.recovery,
      while: (error) => error._tag === "DriverError" ? error.reason !== "Closed" : error._tag === "ConflictError"
    })

    let last: { readonly state: unknown } | undefined
    return Stream.fromPull(Effect.succeed(Effect.gen(function*() {
      for (;;) {
        yield* last === undefined ? Queue.take(hints) : hint
        const state = yield* look
        if (last !== undefined && Equal.equals(last.state, state)) continue
        last = { state }
        return [state] as const
      }
    })))
  }))
