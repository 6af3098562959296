/**
 * The lines of a journal: `{"crc":"xxxxxxxx","bytes":N,<body>`, where the body is N bytes long and runs to the end.
 */
import { crc32 } from "./crc32.ts"

/** What the first line of every generation says. Files with another format are refused. */
export const format = "effect-scoped/1"

/** The first line. `at` is the clock that the generation starts with. */
export interface Header {
  readonly format: string
  readonly at: number
}

/** Ends the records that a generation starts with: from here on it grows. */
export interface Started {
  readonly started: true
}

/** Ends the generation: nothing after the first seal counts. */
export interface Seal {
  readonly seal: true
}

/**
 * A transaction. `at` is the writer's clock; `synced` the offset up to which the writer knew the file to be on disk.
 */
export interface Commit {
  readonly id: string
  readonly at: number
  readonly synced: number
  readonly tx: ReadonlyArray<Part>
}

/** One scope's part of a transaction; a part of two only checks. */
export type Part =
  | readonly [name: string, expected: string | null]
  | readonly [name: string, expected: string | null, revision: string, data: string | null, expiresAt?: number]

export type Line = Header | Started | Seal | Commit

/**
 * `torn`: cut short, as a crash in the middle of a write leaves it. `damaged`: no write of ours leaves such a line.
 */
export type Unreadable = "torn" | "damaged"

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const newline = 10

/**
 * A line with the newlines around it. The one in front keeps a line that was torn from swallowing this one.
 */
export const encode = (line: Line): Uint8Array => {
  const body = encoder.encode(JSON.stringify(line).slice(1))
  const head = encoder.encode(`\n{"crc":"${crc32(body).toString(16).padStart(8, "0")}","bytes":${body.length},`)
  const bytes = new Uint8Array(head.length + body.length + 1)
  bytes.set(head)
  bytes.set(body, head.length)
  bytes[bytes.length - 1] = newline
  return bytes
}

/**
 * Reads a line without its newlines.
 */
export const decode = (bytes: Uint8Array): Line | Unreadable => {
  const head = readHead(bytes)
  if (typeof head === "string") return head
  const length = bytes.length - head.end
  if (length < head.length) return "torn"
  if (length > head.length || crc32(bytes, head.end) !== head.crc) return "damaged"
  try {
    return JSON.parse(decoder.decode(bytes))
  } catch {
    return "damaged"
  }
}

/** Whether these can be the first bytes of a line. */
export const begins = (bytes: Uint8Array): boolean => readHead(bytes) !== "damaged"

// "x" stands for a hexadecimal digit.
const template = encoder.encode(`{"crc":"xxxxxxxx","bytes":`)
const crcAt = template.indexOf(120)
const comma = 44

const readHead = (
  bytes: Uint8Array
): { readonly crc: number; readonly length: number; readonly end: number } | Unreadable => {
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
  let length = 0
  for (let i = template.length; i < template.length + 12; i++) {
    const byte = bytes[i]
    if (byte === undefined) return "torn"
    if (byte === comma) return i === template.length ? "damaged" : { crc, length, end: i + 1 }
    if (byte < 48 || byte > 57) return "damaged"
    length = length * 10 + byte - 48
  }
  return "damaged"
}

const hexDigit = (byte: number): number =>
  byte >= 48 && byte <= 57 ? byte - 48 : byte >= 97 && byte <= 102 ? byte - 87 : -1
