import type * as Clock from "effect/Clock"

/**
 * Milliseconds that have passed at least, by whichever clock shows more: a wall clock may be set back, and a monotonic
 * one stands still while the machine sleeps.
 */
export const stopwatch = (clock: Clock.Clock): () => number => {
  let wall = clock.currentTimeMillisUnsafe()
  let monotonic = clock.monotonicTimeNanosUnsafe()
  let passed = 0
  return () => {
    const wallNow = clock.currentTimeMillisUnsafe()
    const monotonicNow = clock.monotonicTimeNanosUnsafe()
    passed += Math.max(0, wallNow - wall, Number(monotonicNow - monotonic) / 1_000_000)
    wall = wallNow
    monotonic = monotonicNow
    return passed
  }
}
