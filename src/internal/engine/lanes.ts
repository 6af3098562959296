import type { Driver } from "../../Driver.ts"
import type { Cell } from "./cell.ts"
import type { Run } from "./run.ts"

/** A run to be sent again, unless it is too late for that: then it is given up. */
export interface Resend {
  readonly run: Run
  readonly tooLate: () => boolean
}

/** What travels to one part of the backend. */
export class Lane {
  /** Cells whose head may be able to start, from `next` on. */
  private ready: Array<Cell> = []
  private next = 0
  /** Runs that need more time for their handlers. */
  readonly unfinished: Array<Run> = []
  /** Runs to be sent again. */
  readonly outbox: Array<Resend> = []
  /** How many turns are under way. */
  turns = 0
  /** Whether a turn is about to begin. It will take what comes in meanwhile: no need for another. */
  starting = false
  /** Whether refused updates are ready to run again. */
  hurry = false
  /** Since when the backend has not answered, in milliseconds. */
  silentSince: number | undefined = undefined

  get hasReady(): boolean {
    return this.next < this.ready.length
  }

  offer(cell: Cell): void {
    if (cell.offered) return
    cell.offered = true
    this.ready.push(cell)
  }

  take(): Cell | undefined {
    const cell = this.ready[this.next]
    if (cell === undefined) return undefined
    this.ready[this.next++] = undefined!
    if (this.next === this.ready.length) {
      this.ready.length = this.next = 0
    } else if (this.next >= 1024 && this.next * 2 >= this.ready.length) {
      this.ready.splice(0, this.next)
      this.next = 0
    }
    cell.offered = false
    return cell
  }

  get hasWork(): boolean {
    return this.hasReady || this.outbox.length > 0 || this.unfinished.length > 0
  }
}

/** The lanes of a driver, each made when it is first needed. */
export class Lanes {
  private readonly lanes = new Map<string, Lane>()
  private readonly driver: Driver
  private readonly start: (lane: Lane) => void
  private stopped = false

  /** `start` begins a turn, which ends with `rest`. */
  constructor(driver: Driver, start: (lane: Lane) => void) {
    this.driver = driver
    this.start = start
  }

  readonly of = (name: string): Lane => {
    const id = laneOf(this.driver, name)
    let lane = this.lanes.get(id)
    if (lane === undefined) this.lanes.set(id, lane = new Lane())
    return lane
  }

  wake(lane: Lane): void {
    if (this.stopped || lane.starting || lane.turns >= this.driver.parallelism || !lane.hasWork) return
    lane.starting = true
    lane.turns++
    this.start(lane)
  }

  stop(): void {
    this.stopped = true
  }

  rest(lane: Lane): void {
    lane.turns--
    lane.starting = false
    this.wake(lane)
  }
}

/** Which lane of a driver a name belongs to. */
export const laneOf = (driver: Driver, name: string): string => {
  if (driver.lane === undefined) return ""
  try {
    return driver.lane(name)
  } catch {
    return ""
  }
}
