import * as Effect from "effect/Effect"
import type { Driver } from "../../Driver.ts"
import type { Cell } from "./cell.ts"
import { Cells } from "./cells.ts"
import type { Lane, Lanes } from "./lanes.ts"
import type { Target } from "./target.ts"
import type { Update } from "./update.ts"

/**
 * Where updates wait: a line for each scope. An update of several scopes waits in all their lines, and starts when it
 * is the head of each.
 *
 * Lines are joined, rejoined and left in one synchronous step, so they never wait for each other in a circle.
 */
export class Lines {
  readonly cells: Cells
  /** How many updates wait. */
  waiting = 0
  private readonly driver: Driver
  private readonly prefix: string
  private readonly lanes: Lanes

  constructor(options: {
    readonly driver: Driver
    readonly prefix: string
    readonly knownScopes: number
    readonly knownBytes: number
    readonly lanes: Lanes
  }) {
    this.cells = new Cells({ most: options.knownScopes, mostBytes: options.knownBytes, laneOf: options.lanes.of })
    this.driver = options.driver
    this.prefix = options.prefix
    this.lanes = options.lanes
  }

  nameOf(name: string): string {
    return this.prefix === "" ? name : this.prefix + name
  }

  /** Lets an update wait. */
  join(update: Update): void {
    this.waiting++
    const { cells } = update
    for (let i = 0; i < cells.length; i++) {
      cells[i]!.push(update.place(i))
      this.offer(cells[i]!)
    }
  }

  /** Puts updates back in front of everybody who came after them, to run on what is known, or to read again first. */
  rejoin(updates: ReadonlyArray<Update>, onKnown: boolean): void {
    for (let i = updates.length - 1; i >= 0; i--) {
      const update = updates[i]!
      if (update.phase !== "waiting") continue
      this.waiting++
      // Nobody waited for its cells while it was away, so they may have been let go.
      update.cells = this.cellsOf(update.target)
      update.cells.forEach((cell, i) => {
        cell.unshift(update.place(i))
        if (!onKnown && !cell.busy) cell.known = undefined
      })
    }
    for (const update of updates) for (const cell of update.cells) this.offer(cell)
  }

  /** Takes an update out that still waits; waits for one that is in flight. */
  leave(update: Update): Effect.Effect<void> {
    if (update.phase === "inFlight") {
      return Effect.callback((resume) => {
        // Assigned as it is written, it would be put where only a full collection comes by, with all that it refers to.
        const settled = () => resume(Effect.void)
        update.abandoned = settled
      })
    }
    if (update.phase === "waiting") {
      update.phase = "settled"
      if (update.list !== undefined) this.waiting--
      update.cells.forEach((cell, i) => {
        cell.remove(update.place(i))
        this.offer(cell)
      })
    }
    return Effect.void
  }

  /** Takes everybody out. */
  drain(cell: Cell): ReadonlyArray<Update> {
    const drained: Array<Update> = []
    for (let head = cell.head; head !== undefined; head = cell.head) {
      drained.push(head)
      this.waiting--
      const { cells } = head
      for (let i = 0; i < cells.length; i++) {
        cells[i]!.remove(head.place(i))
        this.offer(cells[i]!)
      }
    }
    return drained
  }

  /** The head of a cell's line, if it can start now. */
  startable(cell: Cell): Update | undefined {
    if (cell.busy) return undefined
    const head = cell.head
    if (head === undefined) {
      this.cells.release(cell)
      return undefined
    }
    const { cells } = head
    for (let i = 0; i < cells.length; i++) {
      if (cells[i]!.busy || cells[i]!.first !== head.place(i)) return undefined
    }
    return head
  }

  /** Lets go of cells that were held. */
  free(cells: ReadonlyArray<Cell>): void {
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!
      cell.busy = false
      cell.lane = this.lanes.of(cell.name)
      if (cell.first === undefined) this.cells.release(cell)
      else this.offer(cell)
    }
  }

  /** Has another look at the head of a cell. */
  offer(cell: Cell): void {
    if (cell.busy) return
    cell.lane.offer(cell)
    this.lanes.wake(cell.lane)
  }

  wake(lane: Lane): void {
    this.lanes.wake(lane)
  }

  /** The cells of a target that was let in before, under the limits that hold now. */
  seated({ seat }: Target): ReadonlyArray<Cell> | undefined {
    const { cells, driver: { limits } } = this
    if (seat === undefined || seat.length > limits.scopesPerTransaction) return undefined
    const { nameBytes } = limits
    for (let i = 0; i < seat.length; i++) {
      if (seat[i]!.key !== cells.key || seat[i]!.nameBytes !== nameBytes) return undefined
    }
    for (let i = 0; i < seat.length; i++) cells.hold(seat[i]!)
    return seat
  }

  /** The cells of a target that is let in. */
  seat(target: Target): ReadonlyArray<Cell> {
    const { nameBytes } = this.driver.limits
    const cells = target.seat = this.cellsOf(target)
    for (const cell of cells) cell.nameBytes = nameBytes
    return cells
  }

  private cellsOf({ parts }: Target): ReadonlyArray<Cell> {
    return parts.length === 1
      ? this.cells.get(this.nameOf(parts[0]!.name)).alone
      : parts.map((part) => this.cells.get(this.nameOf(part.name)))
  }
}
