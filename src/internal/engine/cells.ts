import { Cell, type Known } from "./cell.ts"
import type { Lane } from "./lanes.ts"

/** What is remembered of a scope besides its text: cell, revision, map entry, the decoded state of a small text. */
const overhead = 500

/** How many cells are looked at to find one to forget. */
const most = 64

/**
 * The cells of a storage. Those that nobody waits for are kept for what is known of them, until others need the room.
 * Then a hand goes round: who was used since it came by stays for another round, who was not is forgotten (the CLOCK
 * algorithm; Corbató, "A Paging Experiment with the Multics System", 1968).
 */
export class Cells {
  /** Stands for these cells: what a cell refers to, so that it keeps none of the others alive. */
  readonly key = {}
  private readonly cells = new Map<string, Cell>()
  // A hand that rests while cells come and go would keep alive every table that the map ever had.
  private hand: MapIterator<Cell> | undefined = undefined
  private readonly mostIdle: number
  private readonly mostBytes: number
  private readonly laneOf: (name: string) => Lane
  private idle = 0
  private bytes = 0

  constructor(options: {
    readonly most: number
    readonly mostBytes: number
    readonly laneOf: (name: string) => Lane
  }) {
    this.mostIdle = options.most
    this.mostBytes = options.mostBytes
    this.laneOf = options.laneOf
  }

  get(name: string): Cell {
    const cell = this.cells.get(name)
    if (cell === undefined) return this.add(name, undefined)
    this.hold(cell)
    return cell
  }

  /** Keeps a cell for somebody who waits. */
  hold(cell: Cell): void {
    if (cell.idle) this.wake(cell)
  }

  /** Lets a cell go that nobody waits for. */
  release(cell: Cell): void {
    if (cell.idle || cell.key === undefined) return
    if (cell.known !== undefined) return this.rest(cell, cell.known)
    this.drop(cell)
    this.hand = undefined
  }

  /** What is known of a scope. */
  peek(name: string): Known | undefined {
    return this.cells.get(name)?.known
  }

  /** Remembers something about a scope, unless it is being updated, which knows better. */
  learn(name: string, known: Known): void {
    const cell = this.cells.get(name)
    if (cell === undefined) return this.rest(this.add(name, known), known)
    if (!cell.idle) return
    this.wake(cell)
    if (cell.known === undefined || cell.known.asOf <= known.asOf) cell.known = known
    this.rest(cell, cell.known)
  }

  /** Those that somebody waits for. */
  *[Symbol.iterator](): Iterator<Cell> {
    for (const cell of this.cells.values()) if (!cell.idle) yield cell
  }

  private add(name: string, known: Known | undefined): Cell {
    const cell = new Cell(name, this.key, this.laneOf(name), known)
    this.cells.set(name, cell)
    return cell
  }

  private rest(cell: Cell, known: Known): void {
    cell.idle = true
    cell.used = true
    cell.weight = cell.name.length + (known.text?.length ?? 0) + (known.revision?.length ?? 0) + overhead
    this.idle++
    this.bytes += cell.weight
    while (this.full) this.forget(this.unused() ?? cell)
  }

  private get full(): boolean {
    return this.idle > this.mostIdle || this.bytes > this.mostBytes
  }

  /** The next idle cell that was not used of late. */
  private unused(): Cell | undefined {
    for (let looked = 0; looked < most; looked++) {
      const { done, value: cell } = (this.hand ??= this.cells.values()).next()
      if (done) this.hand = undefined
      else if (cell.idle && !cell.used) return cell
      else cell.used = false
    }
    return undefined
  }

  private forget(cell: Cell): void {
    this.wake(cell)
    this.drop(cell)
  }

  private drop(cell: Cell): void {
    cell.key = undefined
    cell.known = undefined
    this.cells.delete(cell.name)
  }

  /** Forgets all. */
  clear(): void {
    for (const cell of this.cells.values()) this.drop(cell)
    this.hand = undefined
  }

  private wake(cell: Cell): void {
    cell.idle = false
    this.idle--
    this.bytes -= cell.weight
  }
}
