import { Cell, type Known } from "./cell.ts"
import type { Lane } from "./lanes.ts"

/** What is remembered of a scope besides its text: cell, revision, map entry, the decoded state of a small text. */
const overhead = 500

/**
 * The cells of a storage. Those that nobody waits for are kept for what is known of them, until others need the room:
 * the least recently used go first.
 */
export class Cells {
  private readonly cells = new Map<string, Cell>()
  private readonly most: number
  private readonly mostBytes: number
  private readonly laneOf: (name: string) => Lane
  private oldest: Cell | undefined = undefined
  private newest: Cell | undefined = undefined
  private idle = 0
  private bytes = 0

  constructor(options: {
    readonly most: number
    readonly mostBytes: number
    readonly laneOf: (name: string) => Lane
  }) {
    this.most = options.most
    this.mostBytes = options.mostBytes
    this.laneOf = options.laneOf
  }

  get(name: string): Cell {
    const cell = this.cells.get(name)
    if (cell === undefined) return this.add(name, undefined)
    if (cell.idle) this.unlink(cell)
    return cell
  }

  /** Lets a cell go that nobody waits for. */
  release(cell: Cell): void {
    if (cell.idle || this.cells.get(cell.name) !== cell) return
    if (cell.known === undefined) this.cells.delete(cell.name)
    else this.link(cell, cell.known)
  }

  /** What is known of a scope. */
  peek(name: string): Known | undefined {
    return this.cells.get(name)?.known
  }

  /** Remembers something about a scope, unless it is being updated, which knows better. */
  learn(name: string, known: Known): void {
    const cell = this.cells.get(name)
    if (cell === undefined) return this.link(this.add(name, known), known)
    if (!cell.idle) return
    this.unlink(cell)
    if (cell.known === undefined || cell.known.asOf <= known.asOf) cell.known = known
    this.link(cell, cell.known)
  }

  /** Those that somebody waits for. */
  *[Symbol.iterator](): Iterator<Cell> {
    for (const cell of this.cells.values()) if (!cell.idle) yield cell
  }

  private add(name: string, known: Known | undefined): Cell {
    const cell = new Cell(name, this.laneOf(name), known)
    this.cells.set(name, cell)
    return cell
  }

  private link(cell: Cell, known: Known): void {
    cell.idle = true
    cell.weight = cell.name.length + (known.text?.length ?? 0) + (known.revision?.length ?? 0) + overhead
    this.idle++
    this.bytes += cell.weight
    cell.older = this.newest
    if (this.newest === undefined) this.oldest = cell
    else this.newest.newer = cell
    this.newest = cell
    while (this.oldest !== undefined && (this.idle > this.most || this.bytes > this.mostBytes)) {
      const { name } = this.oldest
      this.unlink(this.oldest)
      this.cells.delete(name)
    }
  }

  private unlink(cell: Cell): void {
    cell.idle = false
    this.idle--
    this.bytes -= cell.weight
    if (cell.older === undefined) this.oldest = cell.newer
    else cell.older.newer = cell.newer
    if (cell.newer === undefined) this.newest = cell.older
    else cell.newer.older = cell.older
    cell.older = cell.newer = undefined
  }
}
