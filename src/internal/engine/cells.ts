import { Cell, type Known } from "./cell.ts"
import type { Lane } from "./lanes.ts"

/** What is remembered of a scope besides its text: revision, map entries, the decoded state of a small text. */
const overhead = 500

/**
 * The cells of a storage. One that nobody waits for is forgotten but for what is known of it, which is kept until others
 * need the room: the least recently used go first.
 */
export class Cells {
  private readonly active = new Map<string, Cell>()
  private readonly idle = new Map<string, Known>()
  private readonly most: number
  private readonly mostBytes: number
  private readonly laneOf: (name: string) => Lane
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
    let cell = this.active.get(name)
    if (cell === undefined) {
      cell = new Cell(name, this.laneOf(name), this.take(name))
      this.active.set(name, cell)
    }
    return cell
  }

  /** Lets a cell go that nobody waits for. */
  release(cell: Cell): void {
    if (this.active.get(cell.name) !== cell) return
    this.active.delete(cell.name)
    if (cell.known !== undefined) this.learn(cell.name, cell.known)
  }

  /** What is known of a scope. */
  peek(name: string): Known | undefined {
    const cell = this.active.get(name)
    return cell === undefined ? this.idle.get(name) : cell.known
  }

  /** Remembers something about a scope, unless it is being updated, which knows better. */
  learn(name: string, known: Known): void {
    if (this.active.has(name)) return
    const old = this.take(name)
    const newest = old !== undefined && old.asOf > known.asOf ? old : known
    this.idle.set(name, newest)
    this.bytes += weight(name, newest)
    while (this.idle.size > this.most || this.bytes > this.mostBytes) this.take(this.idle.keys().next().value!)
  }

  private take(name: string): Known | undefined {
    const known = this.idle.get(name)
    if (known !== undefined) {
      this.idle.delete(name)
      this.bytes -= weight(name, known)
    }
    return known
  }

  [Symbol.iterator](): Iterator<Cell> {
    return this.active.values()
  }
}

const weight = (name: string, known: Known): number =>
  name.length + (known.text?.length ?? 0) + (known.revision?.length ?? 0) + overhead
