/**
 * How a record stands in its key: `15:60000:k3J9x2TbQ0a:1a4={"count":3}`.
 *
 * A length, of the revision in bytes; how many milliseconds a tombstone is kept, where the data expires; the revision;
 * and behind `=` the data, which a tombstone has not. The key's own time to live is that of the tombstone: what is left
 * of it beyond the retention is what the data has left.
 *
 * One string, and not a hash: a transaction needs one command that writes, which is allowed or not, and the record
 * takes little more memory than its data.
 */
import * as Duration from "effect/Duration"
import { expired, type Record, type Write } from "../../Driver.ts"

// Redis counts in whole milliseconds, up to a time that it can add to its clock.
const millisOf = (duration: Duration.Duration): number =>
  Math.min(Math.max(Math.ceil(Duration.toMillis(duration)), 1), 2 ** 50)

const lasts = (duration: Duration.Duration | undefined): duration is Duration.Duration =>
  duration !== undefined && Duration.toMillis(duration) !== Infinity

const utf8 = new TextEncoder()
const text = new TextDecoder()

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text)

const lengthOf = (revision: string): number => isAscii(revision) ? revision.length : utf8.encode(revision).length

/** How the value of a record begins whose data stay. */
export const beginning = (revision: string): string => `${lengthOf(revision)}::${revision}=`

/** What to store for a write, and for how many milliseconds; `undefined` for ever. */
export const encode = (
  next: Record,
  { expiresIn, retention }: Write
): { readonly value: string; readonly millis: number | undefined } => {
  const head = lengthOf(next.revision)
  if (next.data === null) {
    return { value: `${head}::${next.revision}`, millis: lasts(retention) ? millisOf(retention) : undefined }
  }
  if (!lasts(expiresIn)) return { value: `${head}::${next.revision}=${next.data}`, millis: undefined }
  const kept = millisOf(retention ?? Duration.zero)
  return { value: `${head}:${kept}:${next.revision}=${next.data}`, millis: millisOf(expiresIn) + kept }
}

/** How the server writes the revision of what has expired. */
export const suffix = expired("")

/** A record as a script tells it: `null`, or its revision, its data, and the milliseconds that those have left. */
export type Told = null | readonly [revision: string, data?: string | number, left?: number]

/** The bytes of the data, where they were too many to be told along with the others. */
export const omitted = (told: Told): number | undefined =>
  told !== null && typeof told[1] === "number" ? told[1] : undefined

/** A record from all that is stored of it; `undefined` where that is none. */
export const parse = (value: string): Told | undefined => {
  const colon = value.indexOf("::")
  const bytes = Number(value.slice(0, colon))
  const start = colon + 2
  let revision = value.slice(start, start + bytes)
  if (!isAscii(revision)) revision = text.decode(utf8.encode(revision).subarray(0, bytes))
  const end = start + revision.length
  if (lengthOf(revision) < bytes) return undefined
  if (end === value.length) return [revision]
  return value[end] === "=" ? [revision, value.slice(end + 1)] : undefined
}

export const decode = (told: Told): Record | null => {
  if (told === null) return null
  const [revision, data, left] = told
  if (typeof data !== "string") return { revision, data: null }
  return left === undefined ? { revision, data } : { revision, data, expiresIn: Duration.millis(left) }
}
