import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"

/**
 * How long an update is tried again, in milliseconds, where no schedule says otherwise: always at once, since a refusal
 * brings the current record along.
 *
 * Backing off would starve whoever lost a few times, for the others win again from fresher guesses. And it would need a
 * clock, which in a test may stand still.
 */
export const patience = 30_000

/** While it is in doubt whether a commit was applied: again after 10 ms, doubling up to a second, for 30 seconds. */
export const recovery: Schedule.Schedule<unknown> = Schedule.min([
  Schedule.exponential("10 millis"),
  Schedule.spaced("1 second")
]).pipe(Schedule.jittered, Schedule.upTo({ duration: "30 seconds" }))

/** Waits for as long as the schedule says, and tells how long that was; `undefined` when it is exhausted. */
export type Step<Input> = (input: Input) => Effect.Effect<Duration.Duration | undefined>

/**
 * A schedule that is stepped by hand. Unlike a timer, a delay of zero takes no time at all. The first `behind` steps are
 * gone without waiting, for whoever went them with others before.
 */
export const stepper = <Input>(
  schedule: Schedule.Schedule<unknown, Input>,
  clock: Clock.Clock,
  behind: ReadonlyArray<Input> = []
): Effect.Effect<Step<Input>> =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    for (const input of behind) yield* Effect.ignore(step(clock.currentTimeMillisUnsafe(), input))
    return (input) =>
      Effect.matchEffect(step(clock.currentTimeMillisUnsafe(), input), {
        onFailure: () => Effect.undefined,
        onSuccess: ([, delay]) => Duration.isZero(delay) ? Effect.succeed(delay) : Effect.as(Effect.sleep(delay), delay)
      })
  })
