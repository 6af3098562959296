/**
 * Snapshots: the records at the end of a journal, in a file that never changes.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import { type Entry, entryAt, type Frozen, metaShare, type Records } from "./records.ts"
import type { Segment } from "./segment.ts"
import * as States from "./states.ts"

const chunkLength = 256 * 1024
const recordsPerLine = 512

/** How much may wait to be synced: a commit that syncs the journal meanwhile may have to wait for all of it. */
const bytesPerSync = 4 * 1024 * 1024

/**
 * Writes the records as they were when they were frozen. Reads, writes and syncs little at a time, beside all else.
 */
export const write = Effect.fnUntraced(function*(
  file: FileSystem.File,
  header: Omit<Line.SnapshotHeader, "format">,
  records: Records,
  frozen: Frozen,
  failed: (error: PlatformError) => Fault.Fault
): Effect.fn.Return<void, Fault.Fault> {
  let unsynced = 0
  const append = Effect.fnUntraced(function*(bytes: Uint8Array) {
    yield* file.writeAll(bytes)
    unsynced += bytes.length
    if (unsynced < bytesPerSync) return
    yield* file.sync
    unsynced = 0
  }, Effect.mapError(failed))

  yield* append(Line.encode({ format: Line.format, ...header }).subarray(1))
  for (const batch of batches(records, frozen)) {
    const states: Array<Uint8Array> = []
    for (const state of yield* States.read(batch.map(([, entry]) => entry))) {
      if (state instanceof Uint8Array) states.push(state)
      // A state that is damaged stays where it is, and so does all else.
      else if (state !== undefined) return yield* Effect.fail(state)
    }
    yield* append(Line.encode({ states: batch.map(([name, entry]) => toState(name, entry, frozen.moment.at)) }, states))
  }
  yield* append(Line.encode({ end: true }))
  yield* Effect.mapError(file.sync, failed)
})

type Named = readonly [name: string, entry: Entry]

function* batches(records: Records, frozen: Frozen): Generator<ReadonlyArray<Named>> {
  let batch: Array<Named> = []
  let length = 0
  for (const [name, entry] of stood(records, frozen)) {
    entry.taken = frozen.round
    const then = entryAt(entry, frozen.moment.at)
    if (then === undefined) continue
    batch.push([name, then])
    length += then.size
    if (length < chunkLength && batch.length < recordsPerLine) continue
    yield batch
    batch = []
    length = 0
  }
  if (batch.length > 0) yield batch
}

/** What stood there when it was frozen. */
function* stood({ entries }: Records, { changed, number, round }: Frozen): Generator<Named> {
  for (const named of entries) {
    const [name, { segment, taken }] = named
    if (segment.number <= number && taken !== round && !changed.has(name)) yield named
  }
  yield* changed
}

const toState = (name: string, { crc, expiresAt, forgetAt, revision, size }: Entry, at: number): Line.State => {
  const kept = size > 0 ? forgetAt - expiresAt : forgetAt - at
  return size > 0 && expiresAt === Infinity || size === 0 && forgetAt === Infinity
    ? [name, revision, size, crc]
    : [name, revision, size, crc, size > 0 ? expiresAt - at : null, kept === Infinity ? null : kept]
}

/** Is told each record, where its state is, and what it takes besides. */
export type Visit = (state: Line.State, position: number, meta: number) => void

/**
 * Reads a snapshot without the states in it. `began` is told the first line before the rest is read.
 */
export const scan = Effect.fnUntraced(function*(
  segment: Segment,
  visit: Visit,
  began: (header: Line.SnapshotHeader) => void
): Effect.fn.Return<{ readonly size: number }, Fault.Fault> {
  const { path } = segment
  let buffer = new Uint8Array(chunkLength)
  let started = false
  let position = 0
  while (true) {
    const filled = yield* segment.read(buffer, position)
    let at = 0
    while (at < filled) {
      if (buffer[at] === 10) {
        at++
        continue
      }
      const bytes = buffer.subarray(at, filled)
      const head = Line.readHead(bytes)
      if (head === "damaged") return yield* Effect.fail(notOurs(path, position + at))
      if (head === "torn" || head.end > bytes.length) break
      const line = Line.isIntact(bytes, head) ? Line.decodeMeta(bytes, head) : "damaged"
      if (typeof line === "string") return yield* Effect.fail(Fault.damaged(path, position + at))
      if (!started) {
        if (!("format" in line)) return yield* Effect.fail(Fault.foreign(path))
        if (line.format !== Line.format || !("snapshot" in line)) {
          return yield* Effect.fail(Fault.foreign(path, line.format))
        }
        started = true
        began(line)
      } else if ("states" in line) {
        visitAll(line, head, position + at, visit)
      } else if ("end" in line) {
        return { size: position + at + head.length + 1 }
      }
      at += head.length
    }
    position += at
    if (at > 0) continue
    if (filled < buffer.length) {
      return yield* Effect.fail(Fault.damaged(path, position, "ends too soon, in the records it holds,"))
    }
    buffer = new Uint8Array(buffer.length * 2)
  }
})

const notOurs = (path: string, at: number): Fault.Fault => at === 0 ? Fault.foreign(path) : Fault.damaged(path, at)

const visitAll = ({ states }: Line.States, head: Line.Head, at: number, visit: Visit): void => {
  const meta = metaShare(head.length + 2, states.length, states.reduce((sum, [, , size]) => sum + size, 0))
  let position = at + Line.statesAt(head)
  for (const state of states) {
    visit(state, position, meta)
    if (state[2] > 0) position += state[2] + 1
  }
}
