import { type Cell, toKnown } from "./cell.ts"
import type { Lane } from "./lanes.ts"
import type { Lines } from "./lines.ts"
import type { Reader } from "./reader.ts"
import { type Environment, Run } from "./run.ts"
import { failAll, type Update } from "./update.ts"

/** What goes to the store together. */
export interface Batch {
  readonly runs: Array<Run>
  /** UTF-16 units of all that the runs write. */
  size: number
  /** Runs whose answers hold without asking. */
  readonly answered: Array<Run>
  /** How many of the runs have got their answer. */
  concluded: number
}

export const emptyBatch = (): Batch => ({ runs: [], size: 0, answered: [], concluded: 0 })

/** How long handlers may keep the event loop at a stretch, in milliseconds. */
export const slice = 5

/** How much a batch may write, in UTF-16 units, unless a single commit is larger. */
const mostSize = 8 * 1024 * 1024

/** UTF-16 units of stored states that may be held for updates that wait, before no more are read. */
const mostLoaded = 64 * 1024 * 1024

/** Chooses what goes: takes updates from the heads of the lines, runs their handlers, and puts the outcomes in a batch. */
export class Gather {
  private readonly env: Environment
  private readonly lines: Lines
  private readonly reader: Reader
  private readonly batchSize: number
  private readonly tick: () => number
  private readonly onStart: (run: Run) => void
  private readonly onBlame: (run: Run) => void
  private loaded = 0

  constructor(options: {
    readonly env: Environment
    readonly lines: Lines
    readonly reader: Reader
    readonly batchSize: number
    readonly tick: () => number
    readonly onStart: (run: Run) => void
    /** Some update of a run left a state that cannot be written, and it is not known which. */
    readonly onBlame: (run: Run) => void
  }) {
    this.env = options.env
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
    if (cell.line.head !== undefined || cell.loaded === 0) return false
    this.unload(cell)
    return true
  }

  /** Fills a batch for a moment. Tells whether there is more to do before it is sent. */
  fill(lane: Lane, batch: Batch): boolean {
    const { steady } = this.env
    const until = steady() + slice
    while (lane.outbox.length > 0 && !this.full(batch) && steady() < until) {
      const { run, tooLate } = lane.outbox.shift()!
      // It may have waited for long, behind others that got no answer.
      if (!tooLate()) this.add(batch, run)
    }
    const unfinished = lane.unfinished.shift()
    if (unfinished !== undefined) this.go(unfinished, lane, batch, until)
    while (!this.full(batch) && steady() < until) {
      const cell = lane.take()
      if (cell === undefined) break
      const head = this.lines.startable(cell)
      if (head === undefined) {
        if (!cell.busy && this.unwanted(cell)) this.reader.wake()
        continue
      }
      if (head.cells.some((cell) => cell.known === undefined)) {
        this.look(head)
        continue
      }
      const run = new Run(this.env, head)
      this.onStart(run)
      this.go(run, lane, batch, until)
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

  private go(run: Run, lane: Lane, batch: Batch, until: number): void {
    const before = run.updates.length
    const done = run.advance(until)
    this.lines.waiting -= run.updates.length - before
    if (!done) {
      lane.unfinished.push(run)
      return
    }
    const send = run.seal()
    if (send === true) this.add(batch, run)
    else if (send === false) batch.answered.push(run)
    else this.onBlame(run)
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
          const { asOf, record } = reading
          cell.known = toKnown(record, asOf, this.tick(), this.env.clock.currentTimeMillisUnsafe())
          cell.loaded = record?.data?.length ?? 0
          this.loaded += cell.loaded
        }
        if (--missing > 0) return
        // Whoever they were read for may be gone.
        for (const cell of cells) this.unwanted(cell)
        this.lines.free(cells)
      })
    }
  }
}
