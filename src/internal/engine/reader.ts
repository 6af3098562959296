import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Driver, Record } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"
import type { Fork } from "../background.ts"
import type { Calls } from "./calls.ts"
import { laneOf } from "./lanes.ts"
import { traced } from "./trace.ts"

/** The record of a name, and the tick before the call that read it began. */
export type Reading =
  | { readonly record: Record | null; readonly asOf: number }
  | { readonly failure: DriverError }

type Listener = (reading: Reading) => void

/** Who wants to know a record, and the spans of those that are traced. */
interface Asked {
  readonly listeners: Set<Listener>
  readonly spans: Set<Tracer.Span>
}

/** Reads that were asked for and have not begun. */
interface Queue {
  readonly asked: Map<string, Asked>
  reading: number
  starting: boolean
}

/** How many names are read at once: few at first, and more for as long as their records are small. */
const fewest = 16
const first = 64
const most = 1_000
const small = 1024 * 1024
const large = 8 * 1024 * 1024

/**
 * Reads records in batches. Reads of one name that are asked for together share one; none joins a read that began
 * before it was asked for.
 */
export class Reader {
  private readonly driver: Driver
  private readonly calls: Calls
  private readonly fork: Fork
  private readonly tick: () => number
  private readonly room: () => boolean
  private readonly queues = new Map<string, Queue>()
  private readonly open = new Set<Asked>()
  private window = first
  private closed: DriverError | undefined = undefined

  /** `room`: whether there is memory for what is read; `wake` is called when there may be again. */
  constructor(options: {
    readonly driver: Driver
    readonly calls: Calls
    readonly fork: Fork
    readonly tick: () => number
    readonly room: () => boolean
  }) {
    this.driver = options.driver
    this.calls = options.calls
    this.fork = options.fork
    this.tick = options.tick
    this.room = options.room
  }

  /** Asks for a record. The answer comes later; calling what this returns takes the question back. */
  read(name: string, listener: Listener, span?: Tracer.Span): () => void {
    if (this.closed !== undefined) {
      listener({ failure: this.closed })
      return () => {}
    }
    const lane = laneOf(this.driver, name)
    let queue = this.queues.get(lane)
    if (queue === undefined) this.queues.set(lane, queue = { asked: new Map(), reading: 0, starting: false })
    let asked = queue.asked.get(name)
    if (asked === undefined) {
      asked = { listeners: new Set(), spans: new Set() }
      this.open.add(asked)
      queue.asked.set(name, asked)
      this.start(queue)
    }
    const { listeners, spans } = asked
    listeners.add(listener)
    if (span !== undefined) spans.add(span)
    return () => {
      listeners.delete(listener)
    }
  }

  /** Goes on with what waited for room. */
  wake(): void {
    if (this.open.size === 0) return
    for (const queue of this.queues.values()) this.start(queue)
  }

  /** Answers everything that is still open with an error. */
  close(error: DriverError): void {
    this.closed = error
    for (const queue of this.queues.values()) queue.asked.clear()
    for (const asked of this.open) this.tell(asked, { failure: error })
  }

  private start(queue: Queue): void {
    if (queue.starting || queue.asked.size === 0 || queue.reading >= this.driver.parallelism || !this.room()) return
    queue.starting = true
    queue.reading++
    // What is asked for at the same moment is read together.
    this.fork(Effect.flatMap(Effect.yieldNow, () => this.work(queue))).addObserver(() => {
      queue.reading--
      queue.starting = false
      this.start(queue)
    })
  }

  private work(queue: Queue): Effect.Effect<void> {
    queue.starting = false
    const names: Array<string> = []
    const taken: Array<Asked> = []
    const spans: Array<Tracer.Span> = []
    for (const [name, asked] of queue.asked) {
      if (names.length >= this.window) break
      queue.asked.delete(name)
      if (asked.listeners.size === 0) {
        this.open.delete(asked)
        continue
      }
      names.push(name)
      taken.push(asked)
      spans.push(...asked.spans)
    }
    if (names.length === 0) return Effect.void
    const asOf = this.tick()
    this.start(queue)
    return traced(() => this.records(names), {
      name: "effect-scoped.read",
      driver: this.driver.name,
      count: names.length,
      spans
    }).pipe(
      Effect.map((records) => {
        this.adapt(records)
        taken.forEach((asked, i) => {
          const record = records[i]!
          this.tell(asked, record instanceof DriverError ? { failure: record } : { record, asOf })
        })
      }),
      Effect.onExit((exit) =>
        Exit.isSuccess(exit) ? Effect.void : Effect.sync(() => {
          for (const asked of taken) this.tell(asked, { failure: this.calls.broken(exit.cause) })
        })
      )
    )
  }

  /** An answer for each name. What is wrong with one of them is found by halving, and is no harm to the others. */
  private records(names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Record | null | DriverError>> {
    return Effect.flatMap(
      this.calls.read(names),
      (answer): Effect.Effect<ReadonlyArray<Record | null | DriverError>> => {
        if (!(answer instanceof DriverError)) return Effect.succeed(answer)
        if (answer.scope === undefined || names.length === 1) return Effect.succeed(names.map(() => answer))
        const half = Math.ceil(names.length / 2)
        return Effect.zipWith(
          this.records(names.slice(0, half)),
          this.records(names.slice(half)),
          (first, second) => [...first, ...second]
        )
      }
    )
  }

  private adapt(records: ReadonlyArray<Record | null | DriverError>): void {
    let size = 0
    for (const record of records) size += record instanceof DriverError ? 0 : record?.data?.length ?? 0
    if (size > large) this.window = Math.max(fewest, this.window / 2)
    else if (size < small && records.length >= this.window) this.window = Math.min(most, this.window * 4)
  }

  private tell(asked: Asked, reading: Reading): void {
    if (!this.open.delete(asked)) return
    for (const listener of asked.listeners) listener(reading)
  }
}
