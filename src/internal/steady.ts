import type * as Clock from "effect/Clock"

/** Milliseconds since some moment, which go on evenly whatever the wall clock is set to. */
export const steady = (clock: Clock.Clock) => (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000
