/**
 * The records in memory, as the lines make them: revisions, and where the data is. All processes apply the same lines
 * in the same order, so all of them come to the same verdicts: nothing that is decided here may depend on anything but
 * the lines.
 */
import { expired, type Transaction } from "../../Driver.ts"
import type { Commit, Moment, State } from "./line.ts"
import type { Segment } from "./segment.ts"

export interface Entry {
  readonly revision: string
  /** Where the data is, or was. */
  readonly segment: Segment
  readonly position: number
  /** 0 for a tombstone. */
  readonly size: number
  readonly crc: number
  /** When the data turns into a tombstone, in milliseconds of the store's clock; `Infinity` for never. */
  readonly expiresAt: number
  /** When the tombstone goes. */
  readonly forgetAt: number
  /** The record's share of the line that holds it. */
  readonly bytes: number
  /** The round of the last snapshot that took it. */
  taken: number
}

/** The records as they stood at the end of a journal, while others go on. */
export interface Frozen {
  readonly number: number
  /** Tells it from an earlier one at the same journal, which came to nothing. */
  readonly round: number
  readonly moment: Moment
  /** What has changed since, and was not taken before. */
  readonly changed: ReadonlyMap<string, Entry>
}

export class Records {
  readonly entries = new Map<string, Entry>()
  /** The latest moment that a line was written at. */
  moment: Moment = { at: 0 }
  /** How many bytes of the files hold records that are current. */
  bytes = 0
  private readonly passing = new Set<string>()
  private looking = this.passing.values()
  private rounds = 0
  private frozen: Frozen & { readonly changed: Map<string, Entry> } | undefined

  private readonly touch: (name: string) => void

  /** `touch` is told each name whose record was written. */
  constructor(touch: (name: string) => void) {
    this.touch = touch
  }

  advance({ at, off, wall }: Moment): void {
    const { moment } = this
    if (at < moment.at) return
    // As of all lines of a batch.
    if (at === moment.at && off === moment.off && wall === moment.wall) return
    this.moment = { at, ...wall !== undefined && { wall }, ...off !== undefined && { off } }
  }

  /** What a name stands for at a time that may be later than that of the lines. */
  view(name: string, now: number): Entry | undefined {
    const entry = this.entries.get(name)
    return entry === undefined ? undefined : entryAt(entry, Math.max(now, this.moment.at))
  }

  /** Whether the transaction would be applied. */
  accepts(transaction: Transaction, now: number): boolean {
    for (const { expected, name } of transaction) {
      if ((this.view(name, now)?.revision ?? null) !== expected) return false
    }
    return true
  }

  /** Applies a line whose states begin at a position, or says that it was refused. */
  apply(line: Commit, segment: Segment, position: number, bytes: number): boolean {
    this.advance(line)
    for (const [name, expected] of line.tx) {
      if ((this.find(name)?.revision ?? null) !== expected) return false
    }
    let count = 0
    let data = 0
    for (const part of line.tx) {
      if (part.length === 2) continue
      count++
      data += part[3]
    }
    const meta = metaShare(bytes, count, data)
    for (const part of line.tx) {
      if (part.length === 2) continue
      const [name, , revision, size, crc, expiresIn = null, retention = null] = part
      this.put(name, this.entry(revision, segment, position, size, crc, expiresIn, retention, meta))
      if (size > 0) position += size + 1
      this.touch(name)
      this.sweep()
    }
    return true
  }

  /** Takes over a record of a snapshot. */
  restore(state: State, segment: Segment, position: number, meta: number): void {
    const [name, revision, size, crc, expiresIn = null, retention = null] = state
    this.put(name, this.entry(revision, segment, position, size, crc, expiresIn, retention, meta))
  }

  /** A record of a snapshot need not be kept elsewhere any more. */
  move(state: State, segment: Segment, position: number, meta: number): void {
    const [name, revision, size, crc] = state
    const entry = this.entries.get(name)
    if (entry === undefined || entry.revision !== revision || entry.segment.number > segment.number) return
    const bytes = size + meta
    this.bytes += bytes - entry.bytes
    this.entries.set(name, { ...entry, segment, position, size, crc, bytes })
  }

  /** From now on, what stood at the end of this journal is kept for a snapshot. */
  freeze(number: number): Frozen {
    const frozen = { number, round: ++this.rounds, moment: this.moment, changed: new Map<string, Entry>() }
    this.frozen = frozen
    return frozen
  }

  thaw(): void {
    this.frozen = undefined
  }

  private entry(
    revision: string,
    segment: Segment,
    position: number,
    size: number,
    crc: number,
    expiresIn: number | null,
    retention: number | null,
    meta: number
  ): Entry {
    const kept = retention ?? Infinity
    const expiresAt = size > 0 && expiresIn !== null ? this.moment.at + expiresIn : Infinity
    const forgetAt = size > 0 ? expiresAt + kept : this.moment.at + (expiresIn ?? kept)
    return { revision, segment, position, size, crc, expiresAt, forgetAt, bytes: size + meta, taken: 0 }
  }

  /** The record as of the time of the lines. */
  private find(name: string): Entry | undefined {
    const entry = this.entries.get(name)
    if (entry === undefined) return undefined
    const now = entryAt(entry, this.moment.at)
    if (now !== entry) this.put(name, now)
    return now
  }

  private put(name: string, entry: Entry | undefined): void {
    const before = this.entries.get(name)
    if (before !== undefined) {
      this.keep(name, before)
      this.bytes -= before.bytes
      // What was written last comes last, so that the order is that of the files.
      this.entries.delete(name)
      if (passes(before)) this.passing.delete(name)
    }
    if (entry === undefined) return
    this.bytes += entry.bytes
    this.entries.set(name, entry)
    if (passes(entry)) this.passing.add(name)
  }

  private keep(name: string, { segment, taken }: Entry): void {
    const { frozen } = this
    if (frozen === undefined || segment.number > frozen.number || taken === frozen.round) return
    if (!frozen.changed.has(name)) frozen.changed.set(name, this.entries.get(name)!)
  }

  // Each write looks at two of the records that pass, going round: they are dropped within as many writes as there are
  // such records, and no write ever pays for a sweep of them all.
  private sweep(): void {
    for (let looked = 0; looked < 2 && this.passing.size > 0; looked++) {
      let step = this.looking.next()
      if (step.done) {
        this.looking = this.passing.values()
        step = this.looking.next()
      }
      if (!step.done) this.find(step.value)
    }
  }
}

/** Whether it becomes something else by itself. */
const passes = ({ expiresAt, forgetAt }: Entry): boolean => expiresAt < Infinity || forgetAt < Infinity

/** What has become of a record at a time. */
export const entryAt = (entry: Entry, now: number): Entry | undefined => {
  if (entry.size > 0 && entry.expiresAt > now) return entry
  if (entry.forgetAt <= now) return undefined
  return entry.size === 0
    ? entry
    : { ...entry, revision: expired(entry.revision), size: 0, expiresAt: Infinity, bytes: entry.bytes - entry.size }
}

/** What each of so many records takes besides its data, in a line of so many bytes that holds so many of data. */
export const metaShare = (bytes: number, records: number, data: number): number =>
  Math.floor((bytes - data) / Math.max(1, records))
