import { concat } from "./bytes.ts"
import * as Line from "./line.ts"
import type { Records } from "./records.ts"

const lineLength = 64 * 1024
const chunkLength = 1024 * 1024

/**
 * The lines that a generation starts with, in chunks: a journal that creates the records as they stand, but for what
 * has expired.
 */
export function* snapshot(records: Records): Generator<Uint8Array> {
  records.sweep()
  let lines: Array<Uint8Array> = [Line.encode({ format: Line.format, at: records.clock }).subarray(1)]
  let parts: Array<Line.Part> = []
  let partsLength = 0
  let linesLength = 0
  const endLine = (): void => {
    const line = Line.encode({ id: "", at: records.clock, synced: 0, tx: parts })
    lines.push(line)
    linesLength += line.length
    parts = []
    partsLength = 0
  }
  for (const [name, { expiresAt, record: { data, revision } }] of records.entries) {
    parts.push(expiresAt === Infinity ? [name, null, revision, data] : [name, null, revision, data, expiresAt])
    partsLength += name.length + revision.length + (data?.length ?? 0)
    if (partsLength >= lineLength) endLine()
    if (linesLength >= chunkLength) {
      yield concat(lines)
      lines = []
      linesLength = 0
    }
  }
  if (parts.length > 0) endLine()
  lines.push(Line.encode({ started: true }))
  yield concat(lines)
}
