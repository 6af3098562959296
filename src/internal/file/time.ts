/**
 * The store's clock.
 *
 * It goes on by as much as the processes see pass by their monotonic clocks, and so has nothing to do with what the
 * clock on the wall says or where that is set to. Each line says at what time it was written, and who reads it is no
 * earlier from then on. For the time in which no process was there to see it pass, the clocks on the wall stand in:
 * those of the one who wrote the last line and of the one who opens the store, as far as the file system agrees.
 */
import type * as Clock from "effect/Clock"
import type { Moment } from "./line.ts"

export interface Time {
  /** Milliseconds of the store's clock. Never goes back. */
  readonly now: () => number
  /** What a line says that is written now, and is not earlier than others. */
  readonly moment: (least: number) => Moment
  /** Sets the clock by the last line of the store. */
  readonly start: (last: Required<Moment>) => void
  /** A line was read. */
  readonly see: (at: number) => void
}

/**
 * `limit` is the time of the file system. A clock on the wall that is ahead of it is wrong.
 */
export const make = (clock: Clock.Clock, limit: number): Time => {
  const monotonic = (): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  let looked = monotonic()
  let wall = Math.min(clock.currentTimeMillisUnsafe(), limit)
  let time: number | undefined

  const now = (): number => {
    const looking = monotonic()
    const passed = Math.max(0, looking - looked)
    looked = looking
    wall += passed
    time = (time ?? wall) + passed
    return Math.floor(time)
  }

  return {
    now,
    moment: (least) => {
      const at = Math.max(now(), least)
      const seen = Math.floor(wall)
      return seen === at ? { at } : { at, wall: seen }
    },
    start: (last) => {
      now()
      time = last.at + Math.max(0, wall - last.wall)
    },
    see: (at) => {
      time = Math.max(time ?? at, at)
    }
  }
}
