import type * as Clock from "effect/Clock"

/**
 * Milliseconds that have passed at least, by whichever clock shows more: a wall clock may be set back, and a monotonic
 * one stands still while the machine sleeps.
 */
export class Stopwatch {
  /** What the wall clock showed at the last look. */
  wall: number
  private readonly clock: Clock.Clock
  private monotonic: bigint
  private passed = 0

  constructor(clock: Clock.Clock) {
    this.clock = clock
    this.wall = clock.currentTimeMillisUnsafe()
    this.monotonic = clock.monotonicTimeNanosUnsafe()
  }

  readonly look = (): number => {
    const wall = this.clock.currentTimeMillisUnsafe()
    const monotonic = this.clock.monotonicTimeNanosUnsafe()
    this.passed += Math.max(0, wall - this.wall, Number(monotonic - this.monotonic) / 1_000_000)
    this.wall = wall
    this.monotonic = monotonic
    return this.passed
  }
}
