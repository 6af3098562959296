import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Heap } from "./heap.ts"
import { Process } from "./process.ts"
import { Seeded } from "./random.ts"

/** Something that happens at a time, unless it is cancelled, or its process is dead by then. */
interface Timer {
  readonly at: number
  readonly order: number
  readonly process: Process | undefined
  run: (() => void) | undefined
}

/** The time at which every simulation begins, in milliseconds: 2026-01-01. */
const epoch = Date.UTC(2026, 0, 1)

/**
 * Time that passes when nobody has anything left to do, and processes that take turns.
 *
 * Everything that happens, happens inside {@link turn}: no timer, promise or thread of the machine has a part in it.
 */
export class World {
  /** Milliseconds since the beginning. */
  now = 0
  /** Turns that were taken since time last passed. */
  turns = 0
  private order = 0
  private readonly timers = new Heap<Timer>()
  private readonly processes: Array<Process> = []
  private readonly random: Seeded
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
    this.random = new Seeded(seed, 1)
  }

  /** Starts a process whose clock is `skew` milliseconds ahead. */
  process(id: number, skew: number): Process {
    const process = new Process(this, id, skew)
    this.processes.push(process)
    return process
  }

  end(process: Process): void {
    if (!process.alive) return
    process.alive = false
    this.processes.splice(this.processes.indexOf(process), 1)
  }

  /** Calls `run` after so many milliseconds. Calling what this returns takes it back. */
  after(millis: number, run: () => void, process?: Process): () => void {
    const timer: Timer = { at: onGrid(this.now + Math.max(0, millis)), order: this.order++, process, run }
    this.timers.push(timer)
    return () => {
      timer.run = undefined
    }
  }

  /** Lets one of those who have something to do go on, or time pass. `false` when nothing will ever happen again. */
  turn(): boolean {
    const { processes, timers } = this
    let ready = 0
    let chosen: Process | undefined
    for (let i = 0; i < processes.length; i++) {
      // Each of them with the same probability, without a list of them.
      if (processes[i]!.ready && (ready++ === 0 || this.random.below(ready) === 0)) chosen = processes[i]
    }
    if (chosen !== undefined) {
      this.turns++
      chosen.turn()
      return true
    }
    for (let timer = timers.pop(); timer !== undefined; timer = timers.pop()) {
      if (timer.run === undefined || timer.process?.alive === false) continue
      if (timer.at > this.now) {
        this.now = timer.at
        this.turns = 0
      } else {
        this.turns++
      }
      timer.run()
      return true
    }
    return false
  }

  /** Whether something of a process that lives is still to come. */
  waits(process: Process): boolean {
    return process.ready || this.timers.some((timer) => timer.run !== undefined && timer.process === process)
  }

  /** A clock that is so many milliseconds ahead of the world. What sleeps on it belongs to `process`. */
  clock(ahead: () => number, process?: Process): Clock.Clock {
    const millis = () => epoch + this.now + ahead()
    const nanos = () => BigInt(Math.floor(millis() * 1_000_000))
    let [seen, seenNanos] = [0, 0n]
    // Asked for far more often than time passes.
    const monotonic = () => {
      if (this.now !== seen) [seen, seenNanos] = [this.now, BigInt(Math.floor(this.now * 1_000_000))]
      return seenNanos
    }
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => {
        const left = Duration.toMillis(duration)
        if (left <= 0) return Effect.yieldNow
        if (left === Infinity) return Effect.never
        return Effect.callback((resume) => {
          const cancel = this.after(left, () => resume(Effect.void), process)
          return Effect.sync(cancel)
        })
      }
    }
  }
}

/** Times are whole 1024ths of a millisecond, so that sums of them are exact, whatever is added first. */
const onGrid = (millis: number): number => Math.ceil(millis * 1024) / 1024
