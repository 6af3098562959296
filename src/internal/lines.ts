import * as Effect from "effect/Effect"
import { type Cell, Cells } from "./cell.ts"
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
  /** Cells whose head may be able to start. */
  readonly ready = new Set<Cell>()
  private readonly prefix: string
  private readonly onReady: () => void

  constructor(options: { readonly prefix: string; readonly knownScopes: number; readonly onReady: () => void }) {
    this.cells = new Cells(options.knownScopes)
    this.prefix = options.prefix
    this.onReady = options.onReady
  }

  nameOf(name: string): string {
    return this.prefix === "" ? name : this.prefix + name
  }

  cellsOf(target: Target): ReadonlyArray<Cell> {
    return target.parts.map((part) => this.cells.get(this.nameOf(part.name)))
  }

  join(update: Update): void {
    for (const cell of update.cells) {
      cell.line.push(update)
      if (!cell.busy) this.ready.add(cell)
    }
    this.wake()
  }

  /** Puts updates back in front of everybody who came after them, to run on what is known, or to read again first. */
  rejoin(updates: ReadonlyArray<Update>, onKnown: boolean): void {
    for (const update of updates.toReversed()) {
      if (update.phase !== "waiting") continue
      // Nobody waited for its cells while it was away, so they may have been let go.
      update.cells = this.cellsOf(update.target)
      for (const cell of update.cells) {
        cell.line.unshift(update)
        if (!onKnown && !cell.busy) cell.known = undefined
        this.ready.add(cell)
      }
    }
    this.wake()
  }

  /** Takes an update out that still waits; waits for one that is in flight. */
  leave(update: Update): Effect.Effect<void> {
    if (update.phase === "inFlight") {
      return Effect.callback((resume) => {
        update.abandoned = () => resume(Effect.void)
      })
    }
    if (update.phase === "waiting") {
      update.phase = "settled"
      this.offer(update.cells)
      this.wake()
    }
    return Effect.void
  }

  /** The head of a cell's line, if it can start now. */
  startable(cell: Cell): Update | undefined {
    if (cell.busy) return undefined
    const head = cell.line.head
    if (head === undefined) {
      this.cells.release(cell)
      return undefined
    }
    return head.cells.every((cell) => !cell.busy && cell.line.head === head) ? head : undefined
  }

  hold(cells: ReadonlyArray<Cell>): void {
    for (const cell of cells) cell.busy = true
  }

  free(cells: ReadonlyArray<Cell>): void {
    for (const cell of cells) cell.busy = false
    this.offer(cells)
  }

  /** Has another look at the heads of some cells. */
  offer(cells: ReadonlyArray<Cell>): void {
    for (const cell of cells) this.ready.add(cell)
  }

  wake(): void {
    if (this.ready.size > 0) this.onReady()
  }
}
