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
    process.end()
    this.processes.splice(this.processes.indexOf(process), 1)
  }

  /** Nothing happens any more, and nothing is kept for what would. */
  stop(): void {
    for (const process of this.processes) process.end()
    this.processes.length = 0
    this.timers.clear()
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
}

/** Times are whole 1024ths of a millisecond, so that sums of them are exact, whatever is added first. */
const onGrid = (millis: number): number => Math.ceil(millis * 1024) / 1024
