/**
 * The records of one generation in memory, as its lines make them. All processes apply the same lines in the same
 * order, so all of them come to the same verdicts: nothing here may depend on anything but the lines.
 */
import type { Record, Transaction } from "../../Driver.ts"
import type { Commit, Part } from "./line.ts"

export interface Entry {
  readonly record: Record
  /** Milliseconds of the journal's clock; `Infinity` for a record that stays. */
  readonly expiresAt: number
  /** The record's share of the line that wrote it. */
  readonly bytes: number
}

export interface Records {
  readonly entries: ReadonlyMap<string, Entry>
  /** The journal's clock: the latest time that a line was written at. */
  readonly clock: number
  /** How many bytes of the journal hold records that are current. */
  readonly bytes: number
  readonly current: (name: string, now: number) => Record | null
  /** Whether the transaction would be applied. */
  readonly accepts: (transaction: Transaction, now: number) => boolean
  /** Sets the clock on. */
  readonly advance: (at: number) => void
  /** Applies a line of so many bytes, or says that it was refused. */
  readonly apply: (line: Commit, bytes: number) => boolean
  /** Drops what has expired. */
  readonly sweep: () => void
}

/**
 * `touch` is told each name whose record changed.
 */
export const make = (touch: (name: string) => void): Records => {
  const entries = new Map<string, Entry>()
  const expiring = new Set<string>()
  let clock = 0
  let live = 0

  const current = (name: string, now: number): Record | null => {
    const entry = entries.get(name)
    return entry !== undefined && entry.expiresAt > Math.max(clock, now) ? entry.record : null
  }

  const matches = (name: string, expected: string | null, now: number): boolean =>
    (current(name, now)?.revision ?? null) === expected

  const drop = (name: string): void => {
    live -= entries.get(name)?.bytes ?? 0
    entries.delete(name)
    expiring.delete(name)
  }

  const advance = (at: number): void => {
    clock = Math.max(clock, at)
  }

  return {
    entries,
    get clock() {
      return clock
    },
    get bytes() {
      return live
    },
    current,
    accepts: (transaction, now) => transaction.every((write) => matches(write.name, write.expected, now)),
    advance,
    apply: (line, bytes) => {
      advance(line.at)
      for (const [name, expected] of line.tx) {
        if (!matches(name, expected, clock)) return false
      }
      let total = 0
      for (const part of line.tx) total += weight(part)
      for (const part of line.tx) {
        if (part.length === 2) continue
        const [name, , revision, data, expiresAt = Infinity] = part
        drop(name)
        const entry = { record: { revision, data }, expiresAt, bytes: bytes * weight(part) / total }
        live += entry.bytes
        entries.set(name, entry)
        if (expiresAt < Infinity) expiring.add(name)
        touch(name)
      }
      return true
    },
    sweep: () => {
      for (const name of expiring) {
        if (entries.get(name)!.expiresAt <= clock) drop(name)
      }
    }
  }
}

const weight = (part: Part): number => part.length === 2 ? 0 : part[0].length + part[2].length + (part[3]?.length ?? 0)
