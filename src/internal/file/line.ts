/**
 * The lines of journals and snapshots: `{"crc":"xxxxxxxx","size":[M,D],<meta><states>}`.
 *
 * The meta is M bytes long and covered by the checksum, as is the size. The states, D bytes with all that separates
 * them, stand behind it, each with a size and a checksum of its own in the meta. So a line can be understood without
 * decoding the states in it, and a state can be read without the rest of its line.
 */
import { encodeText, room } from "./bytes.ts"
import { crc32, crc32OfText } from "./crc32.ts"

/** What the first line of every file says. Files with another format are refused. */
export const format = "effect-scoped/2"

/**
 * A moment.
 *
 * - `at`: on the store's clock, in milliseconds.
 * - `wall`: on that of the file system, where it is not the same.
 * - `off`: how much the clock of the process that wrote it was ahead of that, where it was wrong.
 */
export interface Moment {
  readonly at: number
  readonly wall?: number
  readonly off?: number
}

/** The first line of a journal. */
export interface JournalHeader {
  readonly format: string
  readonly journal: number
}

/** The first line of a snapshot: the states at the end of that journal, at a moment. `next` is the journal after it. */
export interface SnapshotHeader extends Moment {
  readonly format: string
  readonly snapshot: number
  readonly next: string
}

/** Some states of a snapshot. */
export interface States {
  readonly states: ReadonlyArray<State>
}

/** `expiresIn` and `retention` count from the moment of the snapshot. */
export type State = readonly [
  name: string,
  revision: string,
  size: number,
  crc: number,
  expiresIn?: number | null,
  retention?: number | null
]

/** The last line of a snapshot. */
export interface End {
  readonly end: true
}

/**
 * A transaction, at a moment of its writer's. `synced` is the offset up to which the writer knew the journal to be on
 * disk.
 */
export interface Commit extends Moment {
  readonly id: string
  readonly synced: number
  readonly tx: ReadonlyArray<Part>
}

/**
 * One scope's part of a transaction; a part of two only checks. A size of 0 stands for no data. `expiresIn` and
 * `retention` are milliseconds, `null` for ever.
 */
export type Part =
  | readonly [name: string, expected: string | null]
  | readonly [
    name: string,
    expected: string | null,
    revision: string,
    size: number,
    crc: number,
    expiresIn?: number | null,
    retention?: number | null
  ]

/**
 * Ends a journal: nothing after the first seal counts. It names the journal that goes on. `damaged` says that there are remains of a power loss in it.
 */
export interface Seal {
  readonly seal: string
  readonly damaged?: true | undefined
}

/** Tells of a snapshot that makes older files unnecessary. */
export interface Taken {
  readonly taken: string
}

/** Asks the others to let a process write these names. */
export interface Claim {
  readonly claim: string
  readonly names: ReadonlyArray<string>
}

export type Line = JournalHeader | SnapshotHeader | States | End | Commit | Seal | Taken | Claim

/**
 * `torn`: cut short, as a crash in the middle of a write leaves it. `damaged`: no write of ours leaves such a line.
 */
export type Unreadable = "torn" | "damaged"

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A state as it stands in a line. */
export const encodeState = (data: string): Uint8Array => encodeText(stateText(data))

export const stateText = (data: string): string => JSON.stringify(data)

/** How many bytes a state takes, and their checksum. */
export const measure = (text: string): { readonly size: number; readonly crc: number } => {
  const crc = crc32OfText(text)
  if (crc !== undefined) return { size: text.length, crc }
  const bytes = encodeText(text)
  return { size: bytes.length, crc: crc32(bytes) }
}

export const decodeState = (bytes: Uint8Array): string => JSON.parse(decoder.decode(bytes))

const beforeStates = encoder.encode(",\"data\":[")

/**
 * A line with the newlines around it. The one in front keeps a line that was torn from swallowing this one.
 */
export const encode = (line: Line, states: ReadonlyArray<Uint8Array> = []): Uint8Array => {
  const meta = JSON.stringify(line).slice(1, -1)
  // As for all texts, a byte for each character is tried first.
  return encodeWith(meta, meta.length, states) ?? encodeWith(meta, encoder.encode(meta).length, states)!
}

/** Gives nothing where the meta is not that long. */
const encodeWith = (meta: string, length: number, states: ReadonlyArray<Uint8Array>): Uint8Array | undefined => {
  let size = states.length === 0 ? 0 : beforeStates.length
  for (const state of states) size += state.length + 1
  const head = beforeMeta(length, size)
  const end = head.length + length
  const bytes = room(end + size + 2)
  const text = head + meta
  const { read, written } = encoder.encodeInto(text, bytes)
  // A longer text may fit as well, where the states are to stand, and one that does not fit may be cut off right there.
  if (read < text.length || written !== end) return undefined
  check(bytes, 0, end)
  if (states.length > 0) {
    bytes.set(beforeStates, end)
    let at = end + beforeStates.length
    for (const state of states) {
      bytes.set(state, at)
      at += state.length
      bytes[at++] = 44
    }
    bytes[at - 1] = 93
  }
  bytes[bytes.length - 2] = 125
  bytes[bytes.length - 1] = 10
  return bytes
}

/** A line up to its meta, of which so many bytes follow and then so many of states, and without its checksum. */
const beforeMeta = (meta: number, states: number): string => `\n{"crc":"00000000","size":[${meta},${states}],`

/** Puts in the checksum of a line that begins here and whose meta ends there. */
const check = (bytes: Uint8Array, from: number, end: number): void => {
  const crc = crc32(bytes, from + 1 + checkedFrom, end)
  for (let i = 0; i < 8; i++) {
    const digit = crc >>> 28 - 4 * i & 15
    bytes[from + 1 + crcAt + i] = digit < 10 ? 48 + digit : 87 + digit
  }
}

/** Lines one behind the other, all of which are encoded at once. */
export class Lines {
  /** Where each of them ends. */
  readonly ends: Array<number> = []
  private readonly metaEnds: Array<number> = []
  private text = ""
  private length = 0

  /** Adds a line with states as they stand in it, which take so many bytes. */
  add(line: Line, states: ReadonlyArray<string>, size: number): void {
    const meta = JSON.stringify(line).slice(1, -1)
    const behind = states.length === 0 ? "" : `,"data":[${states.length === 1 ? states[0]! : states.join()}]`
    const more = states.length === 0 ? 0 : beforeStates.length + size + states.length
    const head = beforeMeta(meta.length, more)
    const metaEnd = this.length + head.length + meta.length
    this.text += `${head}${meta}${behind}}\n`
    this.metaEnds.push(metaEnd)
    this.ends.push(this.length = metaEnd + more + 2)
  }

  /** Gives nothing where a meta is not of one byte for each character. */
  encode(): Uint8Array | undefined {
    const bytes = room(this.length)
    if (encoder.encodeInto(this.text, bytes).read !== this.text.length) return undefined
    for (let i = 0; i < this.ends.length; i++) check(bytes, i === 0 ? 0 : this.ends[i - 1]!, this.metaEnds[i]!)
    return bytes
  }
}

export interface Head {
  readonly crc: number
  /** Where the meta begins. */
  readonly meta: number
  /** Where it ends. */
  readonly end: number
  /** Where the line ends, without its newline. */
  readonly length: number
}

/** Reads a line without its newlines, and the states in it as far as their checksums go. */
export const decode = (bytes: Uint8Array): Line | Unreadable => {
  const head = readHead(bytes)
  if (typeof head === "string") return head
  if (head.end <= bytes.length && !isIntact(bytes, head)) return "damaged"
  if (bytes.length < head.length) return "torn"
  if (bytes.length > head.length) return "damaged"
  const line = decodeMeta(bytes, head)
  if (typeof line === "string") return line
  return hasIntactStates(bytes, head, line) ? line : "damaged"
}

/** Whether the meta is as it was written. */
export const isIntact = (bytes: Uint8Array, head: Head): boolean => crc32(bytes, checkedFrom, head.end) === head.crc

export const decodeMeta = (bytes: Uint8Array, { end, meta }: Head): Line | Unreadable => {
  try {
    return JSON.parse(`{${decoder.decode(bytes.subarray(meta, end))}}`)
  } catch {
    return "damaged"
  }
}

/** Where the first state of a line begins, counted from its first byte. */
export const statesAt = ({ end }: Head): number => end + beforeStates.length

/** Where the first state of a line begins that is so long, without its newlines. */
export const statesOf = (line: Commit, length: number): number => {
  let at = length - 1
  for (const [, , , size = 0] of line.tx) if (size > 0) at -= size + 1
  return at
}

const hasIntactStates = (bytes: Uint8Array, head: Head, line: Line): boolean => {
  const close = bytes.length - 1
  if (bytes[close] !== 125) return false
  if (head.end === close) return true
  if (!matches(bytes, head.end, beforeStates) || bytes[close - 1] !== 93) return false
  let at = statesAt(head)
  for (const part of "tx" in line ? line.tx : []) {
    const [, , , size = 0, crc] = part
    if (size === 0) continue
    if (crc32(bytes, at, at + size) !== crc) return false
    at += size + 1
    if (at < close && bytes[at - 1] !== 44) return false
  }
  return at === close
}

/** Whether these can be the first bytes of a line. */
export const begins = (bytes: Uint8Array): boolean => readHead(bytes) !== "damaged"

// "x" stands for a hexadecimal digit.
const template = encoder.encode(`{"crc":"xxxxxxxx","size":[`)
const crcAt = template.indexOf(120)
const checkedFrom = crcAt + 10
const longestNumber = 12

const matches = (bytes: Uint8Array, at: number, expected: Uint8Array): boolean =>
  expected.every((byte, i) => bytes[at + i] === byte)

/** The first bytes of a line, without the newline in front of it. */
export const readHead = (bytes: Uint8Array): Head | Unreadable => {
  let crc = 0
  for (let i = 0; i < template.length; i++) {
    const byte = bytes[i]
    if (byte === undefined) return "torn"
    if (i >= crcAt && i < crcAt + 8) {
      const digit = hexDigit(byte)
      if (digit === -1) return "damaged"
      crc = crc * 16 + digit
    } else if (byte !== template[i]) return "damaged"
  }
  let at = template.length
  const readNumber = (stop: number): number | Unreadable => {
    let value = 0
    for (const start = at; at - start <= longestNumber; at++) {
      const byte = bytes[at]
      if (byte === undefined) return "torn"
      if (byte === stop) return at++ === start ? "damaged" : value
      if (byte < 48 || byte > 57) return "damaged"
      value = value * 10 + byte - 48
    }
    return "damaged"
  }
  const size = readNumber(44)
  if (typeof size === "string") return size
  const behind = readNumber(93)
  if (typeof behind === "string") return behind
  if (bytes[at] === undefined) return "torn"
  if (bytes[at++] !== 44) return "damaged"
  return { crc, meta: at, end: at + size, length: at + size + behind + 1 }
}

const hexDigit = (byte: number): number =>
  byte >= 48 && byte <= 57 ? byte - 48 : byte >= 97 && byte <= 102 ? byte - 87 : -1
