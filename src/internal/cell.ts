import type { Record } from "../Driver.ts"
import type { Codec } from "./codec.ts"
import type { Update } from "./update.ts"

/**
 * What is known of a scope: its record, and the state that `codec` reads from it.
 *
 * `asOf` is a tick of the engine's logical clock: the record was current at some moment after it. Records of the same
 * `moment` were current at the same one.
 */
export interface Known {
  readonly revision: string | null
  readonly text: string | null
  readonly asOf: number
  readonly moment: number
  readonly codec: Codec | undefined
  readonly state: unknown
}

export const toKnown = (record: Record | null, asOf: number, moment: number): Known => ({
  revision: record?.revision ?? null,
  text: record?.data ?? null,
  asOf,
  moment,
  codec: undefined,
  state: undefined
})

/** A scope in this process: the updates that wait for it, what is known of it, and whether a call is in flight. */
export interface Cell {
  readonly name: string
  readonly line: Line
  busy: boolean
  known: Known | undefined
}

/** A first-in first-out line of updates. Updates that left it while waiting are passed over. */
export class Line {
  private items: Array<Update> = []
  private start = 0

  get head(): Update | undefined {
    while (this.start < this.items.length) {
      const update = this.items[this.start]!
      if (update.phase === "waiting") return update
      this.shift()
    }
    return undefined
  }

  /** Takes everybody out. */
  drain(): ReadonlyArray<Update> {
    const waiting = this.items.slice(this.start).filter((update) => update.phase === "waiting")
    this.items = []
    this.start = 0
    return waiting
  }

  push(update: Update): void {
    this.items.push(update)
  }

  unshift(update: Update): void {
    if (this.start > 0) {
      this.items[--this.start] = update
    } else {
      this.items.unshift(update)
    }
  }

  shift(): void {
    this.items[this.start++] = undefined!
    if (this.start === this.items.length) {
      this.items = []
      this.start = 0
    } else if (this.start >= 1024 && this.start * 2 >= this.items.length) {
      this.items.splice(0, this.start)
      this.start = 0
    }
  }
}

/**
 * The cells of a storage. One that nobody waits for keeps what it knows until `capacity` others were used since.
 */
export class Cells {
  private readonly active = new Map<string, Cell>()
  private readonly idle = new Map<string, Known>()
  private readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
  }

  get(name: string): Cell {
    let cell = this.active.get(name)
    if (cell === undefined) {
      cell = { name, line: new Line(), busy: false, known: this.idle.get(name) }
      this.idle.delete(name)
      this.active.set(name, cell)
    }
    return cell
  }

  /** Lets a cell go that nobody waits for. */
  release(cell: Cell): void {
    if (this.active.get(cell.name) !== cell) return
    this.active.delete(cell.name)
    this.learn(cell.name, cell.known)
  }

  /** What is known of a scope. */
  peek(name: string): Known | undefined {
    const cell = this.active.get(name)
    return cell === undefined ? this.idle.get(name) : cell.known
  }

  /** Remembers something newer about a scope, unless it is being updated, which knows better. */
  learn(name: string, known: Known | undefined): void {
    if (known === undefined || this.capacity === 0 || this.active.has(name)) return
    const old = this.idle.get(name)
    this.idle.delete(name)
    this.idle.set(name, old !== undefined && old.asOf > known.asOf ? old : known)
    if (this.idle.size > this.capacity) this.idle.delete(this.idle.keys().next().value!)
  }

  [Symbol.iterator](): Iterator<Cell> {
    return this.active.values()
  }
}
