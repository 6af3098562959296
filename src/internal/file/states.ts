/**
 * Reads states from where they are, neighbours together.
 */
import * as Effect from "effect/Effect"
import { atOnce } from "./bytes.ts"
import { crc32 } from "./crc32.ts"
import * as Fault from "./fault.ts"
import type { Entry } from "./records.ts"
import type { Segment } from "./segment.ts"

/** To read a few bytes in vain is cheaper than to read once more. */
const widestGap = 4096
const concurrency = 8

interface Span {
  readonly segment: Segment
  readonly start: number
  end: number
  readonly indices: Array<number>
}

/** Neighbours that are read together. Tombstones are in none. */
const spansOf = (entries: ReadonlyArray<Entry | undefined>): ReadonlyArray<Span> => {
  const order = entries.flatMap((entry, index) => entry === undefined || entry.size === 0 ? [] : [{ entry, index }])
  order.sort((a, b) => a.entry.segment.number - b.entry.segment.number || a.entry.position - b.entry.position)
  const spans: Array<Span> = []
  for (const { entry: { position, segment, size }, index } of order) {
    const last = spans.at(-1)
    const end = position + size
    if (
      last !== undefined && last.segment === segment && position - last.end <= widestGap &&
      end - last.start <= atOnce
    ) {
      last.end = Math.max(last.end, end)
      last.indices.push(index)
    } else {
      spans.push({ segment, start: position, end, indices: [index] })
    }
  }
  return spans
}

/**
 * The states of records as they stand in the files, in their order; a fault for one that cannot be read, `undefined`
 * where there is none.
 */
export const read = Effect.fnUntraced(function*(
  entries: ReadonlyArray<Entry | undefined>
): Effect.fn.Return<Array<Uint8Array | Fault.Fault | undefined>> {
  const states = new Array<Uint8Array | Fault.Fault | undefined>(entries.length).fill(undefined)
  const readSpan = ({ end, indices, segment, start }: Span): Effect.Effect<void> =>
    Effect.suspend(() => {
      const buffer = new Uint8Array(end - start)
      return Effect.match(segment.read(buffer, start), {
        onFailure: (fault) => {
          for (const index of indices) states[index] = fault
        },
        onSuccess: (filled) => {
          for (const index of indices) {
            const { crc, position, size } = entries[index]!
            const from = position - start
            states[index] = from + size <= filled && crc32(buffer, from, from + size) === crc
              ? buffer.subarray(from, from + size)
              : Fault.damaged(segment.path, position)
          }
        }
      })
    })
  const spans = spansOf(entries)
  if (spans.length === 1) yield* readSpan(spans[0]!)
  else yield* Effect.forEach(spans, readSpan, { concurrency, discard: true })
  return states
}, Effect.uninterruptible)
