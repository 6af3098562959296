/**
 * The store's clock.
 *
 * While processes are there, it goes on by as much as they see pass by their monotonic clocks, and has nothing to do
 * with what a clock on the wall says or where it is set to. Each line says at what time it was written, and whoever
 * reads it is no earlier from then on. The time in which no process was there is taken from the file system: from when
 * the last line was written until the store is opened. A process whose own clock is wrong does no harm.
 *
 * Only where both of these processes live in a time of their own, as tests do, that time counts.
 */
import type * as Clock from "effect/Clock"
import { steady } from "../steady.ts"
import type { Moment } from "./line.ts"

export interface Time {
  /** Milliseconds of the store's clock. Never goes back. */
  readonly now: () => number
  /** What a line says that is written now, and is not earlier than others. */
  readonly moment: (least: number) => Moment
  /** Sets the clock by the last line of the store. */
  readonly start: (last: Moment) => void
  /** A line was read. */
  readonly see: (at: number) => void
}

/** How far a clock may be from that of the file system and still be called right, in milliseconds. */
const tolerance = 60_000

/** How much further a clock must have gone than was seen to pass to have been set, in milliseconds. */
const leastStep = 1000

/**
 * `filed` is the time of the file system, where it tells.
 */
export const make = (clock: Clock.Clock, filed: number | undefined): Time => {
  const monotonic = steady(clock)
  const own = clock.currentTimeMillisUnsafe()
  const isRight = filed === undefined || Math.abs(own - filed) < tolerance
  const off = isRight ? 0 : own - filed
  let wall = own - off
  let time = wall
  let looked = monotonic()

  const now = (): number => {
    const looking = monotonic()
    const passed = Math.max(0, looking - looked)
    looked = looking
    wall += passed
    time += passed
    return Math.floor(time)
  }

  return {
    now,
    moment: (least) => {
      const at = Math.max(now(), least)
      // All clocks of the machine were set forward, or it slept. Whoever comes next compares with this, and must not
      // take the step for time in which nobody was there.
      const set = clock.currentTimeMillisUnsafe() - off
      const seen = Math.floor(set - wall > leastStep ? set : wall)
      return { at, ...seen !== at && { wall: seen }, ...off !== 0 && { off } }
    },
    start: (last) => {
      now()
      const then = last.wall ?? last.at
      const passed = off === 0 || last.off === undefined ? wall - then : wall + off - then - last.off
      time = last.at + Math.max(0, passed)
    },
    see: (at) => {
      if (at <= time) return
      now()
      time = Math.max(time, at)
    }
  }
}
