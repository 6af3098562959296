/**
 * Own transactions as lines, one behind the other as they are written.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Transaction, Write } from "../../Driver.ts"
import { atOnce, concat } from "./bytes.ts"
import { crc32 } from "./crc32.ts"
import * as Line from "./line.ts"

export interface Own {
  readonly commits: ReadonlyArray<Line.Commit>
  readonly bytes: Uint8Array
  /** Where each line ends. */
  readonly ends: ReadonlyArray<number>
}

export const none: Own = { commits: [], bytes: new Uint8Array(0), ends: [] }

/** What lines say besides their transactions. */
export interface Head extends Line.Moment {
  readonly synced: number
}

export const encode = function*(transactions: ReadonlyArray<Transaction>, nextId: () => string, head: () => Head) {
  return encodeShort(transactions, nextId, head()) ?? (yield* encodeLong(transactions, nextId, head))
}

/** What is no longer than this is encoded at once. */
const longestShort = 512 * 1024

/** Gives nothing where it is longer, and where names or revisions have not one byte for each character. */
const encodeShort = (transactions: ReadonlyArray<Transaction>, nextId: () => string, head: Head): Own | undefined => {
  const commits: Array<Line.Commit> = []
  const lines = new Line.Lines()
  let length = 0
  for (const transaction of transactions) {
    for (const { expected, name, next } of transaction) {
      length += name.length + (expected?.length ?? 0) + (next?.revision.length ?? 0) + (next?.data?.length ?? 0)
    }
    if (length > longestShort) return undefined
    const states: Array<string> = []
    const tx: Array<Line.Part> = []
    let bytes = 0
    for (const write of transaction) {
      const data = write.next?.data ?? null
      if (data === null) {
        tx.push(toPart(write, 0, 0))
        continue
      }
      const state = Line.stateText(data)
      const { crc, size } = Line.measure(state)
      states.push(state)
      tx.push(toPart(write, size, crc))
      bytes += size
    }
    const commit: Line.Commit = { ...head, id: nextId(), tx }
    commits.push(commit)
    lines.add(commit, states, bytes)
  }
  const bytes = lines.encode()
  return bytes && { commits, bytes, ends: lines.ends }
}

// A transaction may be as long as many others together, so others get their turn between its parts, too.
const encodeLong = function*(transactions: ReadonlyArray<Transaction>, nextId: () => string, head: () => Head) {
  const commits: Array<Line.Commit> = []
  const lines: Array<Uint8Array> = []
  const ends: Array<number> = []
  let now = head()
  let encoded = 0
  let length = 0
  for (const transaction of transactions) {
    const states: Array<Uint8Array> = []
    const tx: Array<Line.Part> = []
    for (const write of transaction) {
      const data = write.next?.data ?? null
      if (data === null) {
        tx.push(toPart(write, 0, 0))
      } else {
        const state = Line.encodeState(data)
        states.push(state)
        tx.push(toPart(write, state.length, crc32(state)))
      }
      encoded += write.name.length + (data?.length ?? 0)
      if (encoded < atOnce) continue
      encoded = 0
      yield* Effect.yieldNow
      now = head()
    }
    const commit: Line.Commit = { ...now, id: nextId(), tx }
    const line = Line.encode(commit, states)
    commits.push(commit)
    lines.push(line)
    ends.push(length += line.length)
  }
  const own: Own = { commits, bytes: concat(lines), ends }
  return own
}

const toPart = ({ expected, expiresIn, name, next, retention }: Write, size: number, crc: number): Line.Part => {
  if (next === undefined) return [name, expected]
  const [lasts, kept] = [toMillis(expiresIn), toMillis(retention)]
  return lasts === null && kept === null
    ? [name, expected, next.revision, size, crc]
    : [name, expected, next.revision, size, crc, lasts, kept]
}

const toMillis = (duration: Duration.Duration | undefined): number | null =>
  duration === undefined || !Duration.isFinite(duration) ? null : Math.ceil(Duration.toMillis(duration))
