import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Process } from "./process.ts"
import type { World } from "./world.ts"

/** The time at which every simulation begins, in milliseconds: 2026-01-01. */
const epoch = Date.UTC(2026, 0, 1)

/** The time of a world; or that of a process, which may be ahead, and to whom belongs what sleeps on it. */
export class WorldClock implements Clock.Clock {
  private readonly world: World
  private readonly process: Process | undefined
  private seen = 0
  private seenNanos = 0n

  constructor(world: World, process?: Process) {
    this.world = world
    this.process = process
  }

  currentTimeMillisUnsafe(): number {
    return epoch + this.world.now + (this.process?.skew ?? 0)
  }

  get currentTimeMillis(): Effect.Effect<number> {
    return Effect.sync(() => this.currentTimeMillisUnsafe())
  }

  currentTimeNanosUnsafe(): bigint {
    return nanos(this.currentTimeMillisUnsafe())
  }

  get currentTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.currentTimeNanosUnsafe())
  }

  /** Asked for far more often than time passes. */
  monotonicTimeNanosUnsafe(): bigint {
    const { now } = this.world
    if (now !== this.seen) {
      this.seen = now
      this.seenNanos = nanos(now)
    }
    return this.seenNanos
  }

  get monotonicTimeNanos(): Effect.Effect<bigint> {
    return Effect.sync(() => this.monotonicTimeNanosUnsafe())
  }

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    const left = Duration.toMillis(duration)
    if (left <= 0) return Effect.yieldNow
    if (left === Infinity) return Effect.never
    return Effect.callback((resume) => {
      const cancel = this.world.after(left, () => resume(Effect.void), this.process)
      return Effect.sync(cancel)
    })
  }
}

const nanos = (millis: number): bigint => BigInt(Math.floor(millis * 1_000_000))
