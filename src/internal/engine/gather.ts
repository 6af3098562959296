import type { Record } from "../../Driver.ts"
import type { Calls } from "./calls.ts"
import { type Cell, toKnown } from "./cell.ts"
import type { Lane } from "./lanes.ts"
import type { Lines } from "./lines.ts"
import type { Reader } from "./reader.ts"
import { type Environment, Run } from "./run.ts"
import { Slice } from "./slice.ts"
import { failAll, type Update } from "./update.ts"

/** What goes to the store together. */
export interface Batch {
  readonly runs: Array<Run>
  /** UTF-16 units of all that the runs write. */
  size: number
  /** How many of the runs have got their answer from the store. */
  concluded: number
  /** Runs whose callers can be told, and how many have been. */
  readonly answered: Array<Run>
  told: number
}

export const emptyBatch = (): Batch => ({ runs: [], size: 0, concluded: 0, answered: [], told: 0 })

/** How much a batch may write, in UTF-16 units, unless a single commit is larger. */
const mostSize = 8 * 1024 * 1024

/** UTF-16 units of stored states that may be held for updates that wait, before no more are read. */
const mostLoaded = 64 * 1024 * 1024

/** Chooses what goes: takes updates from the heads of the lines, runs their handlers, and puts the outcomes in a batch. */
export class Gather {
  private readonly calls: Calls
  private readonly env: Environment
  private readonly steady: () => number
  private readonly lines: Lines
  private readonly reader: Reader
  private readonly batchSize: number
  private readonly tick: () => number
  private readonly onStart: (run: Run) => void
  private readonly onBlame: (run: Run) => void
  private loaded = 0

  constructor(options: {
    readonly calls: Calls
    readonly env: Environment
    readonly steady: () => number
    readonly lines: Lines
    readonly reader: Reader
    readonly batchSize: number
    readonly tick: () => number
    readonly onStart: (run: Run) => void
    /** Some update of a run left a state that cannot be written, and it is not known which. */
    readonly onBlame: (run: Run) => void
  }) {
    this.calls = options.calls
    this.env = options.env
    this.steady = options.steady
    this.lines = options.lines
    this.reader = options.reader
    this.batchSize = options.batchSize
    this.tick = options.tick
    this.onStart = options.onStart
    this.onBlame = options.onBlame
  }

  /** Whether more may be read for updates that wait. */
  get room(): boolean {
    return this.loaded < mostLoaded
  }

  /** What was read for the updates of a cell was used. */
  unload(cell: Cell): void {
    this.loaded -= cell.loaded
    cell.loaded = 0
  }

  /** Gives back what was read for a cell that nobody waits for any more. Tells whether there was anything. */
  private unwanted(cell: Cell): boolean {
    if (cell.head !== undefined || cell.loaded === 0) return false
    this.unload(cell)
    return true
  }

  /** Fills a batch for a moment. Tells whether there is more to do before it is sent. */
  fill(lane: Lane, batch: Batch): boolean {
    const slice = new Slice(this.steady)
    const now = this.env.clock.currentTimeMillisUnsafe()
    while (lane.outbox.length > 0 && !this.full(batch) && !slice.over) {
      const { run, tooLate } = lane.outbox.shift()!
      // It may have waited for long, behind others that got no answer.
      if (!tooLate()) this.add(batch, run)
      slice.step()
    }
    const unfinished = lane.unfinished.shift()
    if (unfinished !== undefined) this.go(unfinished, lane, batch, slice, now)
    while (!this.full(batch) && !slice.over) {
      const cell = lane.take()
      if (cell === undefined) break
      slice.step()
      const head = this.lines.startable(cell)
      if (head === undefined) {
        if (!cell.busy && this.unwanted(cell)) this.reader.wake()
        continue
      }
      if (this.waits(head)) continue
      if (!isKnown(head)) {
        this.look(head)
        continue
      }
      head.cells[0]!.waited = false
      const run = new Run(this.env, head)
      this.lines.waiting--
      this.onStart(run)
      this.go(run, lane, batch, slice, now)
    }
    // Whoever is done does not wait for handlers that take long.
    return batch.runs.length === 0 && batch.answered.length === 0 && (lane.unfinished.length > 0 || lane.hasReady)
  }

  private full({ runs, size }: Batch): boolean {
    return runs.length >= this.batchSize || size >= mostSize
  }

  private add(batch: Batch, run: Run): void {
    batch.runs.push(run)
    batch.size += run.size
  }

  private go(run: Run, lane: Lane, batch: Batch, slice: Slice, now: number): void {
    const before = run.updates.length
    const done = run.advance(slice)
    this.lines.waiting -= run.updates.length - before
    if (!done) {
      lane.unfinished.push(run)
      return
    }
    const send = run.seal(now)
    if (send === true) this.add(batch, run)
    else if (send === false) {
      // Its answers hold without asking.
      this.lines.free(run.cells)
      batch.answered.push(run)
    } else this.onBlame(run)
  }

  /** Whether a head waits for its turn, once. What is known of its cells by then is old. */
  private waits({ cells, kind }: Update): boolean {
    // Who only looks is in nobody's way.
    if (this.env.driver.turn === undefined || kind === "look" || cells[0]!.waited) return false
    for (const cell of cells) cell.busy = true
    const asOf = this.tick()
    const waits = this.calls.turn(cells.map(({ name }) => name), (records) => {
      cells[0]!.waited = true
      cells.forEach((cell, i) => {
        cell.contended = cell.known?.contended === true
        cell.known = undefined
        this.unload(cell)
        const record = records[i]
        if (record !== undefined) this.learn(cell, record, asOf)
        this.unwanted(cell)
      })
      this.reader.wake()
      this.lines.free(cells)
    })
    if (!waits) { for (const cell of cells) cell.busy = false }
    return waits
  }

  /** What is read for the updates that wait for a cell. It was current at some moment after the tick `asOf`. */
  private learn(cell: Cell, record: Record | null, asOf: number): void {
    cell.known = toKnown(record, asOf, this.tick(), this.env.clock.currentTimeMillisUnsafe())
    cell.known.contended = cell.contended
    cell.contended = false
    cell.loaded = record?.data?.length ?? 0
    this.loaded += cell.loaded
  }

  /** Reads what is not known of the cells of a head, which can start then. */
  private look({ cells }: Update): void {
    for (const cell of cells) cell.busy = true
    const unknown = cells.filter((cell) => cell.known === undefined)
    let missing = unknown.length
    for (const cell of unknown) {
      this.reader.read(cell.name, (reading) => {
        if ("failure" in reading) {
          failAll(this.lines.drain(cell), reading.failure)
        } else {
          this.learn(cell, reading.record, reading.asOf)
        }
        if (--missing > 0) return
        // Whoever they were read for may be gone.
        for (const cell of cells) this.unwanted(cell)
        this.lines.free(cells)
      })
    }
  }
}

const isKnown = ({ cells }: Update): boolean => {
  for (let i = 0; i < cells.length; i++) if (cells[i]!.known === undefined) return false
  return true
}
