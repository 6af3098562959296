/**
 * Transactions as the arguments of the script that decides them, and its answer as verdicts.
 */
import * as Duration from "effect/Duration"
import type { Record, Transaction, Verdict, Write } from "../../Driver.ts"
import * as Fault from "./fault.ts"
import { bits } from "./script.ts"

/** The largest part of a batch that one script decides, so that it does not keep the server for long. */
const maxWrites = 512
const maxLength = 2 ** 20

/** Transactions of one slot that travel in one script. `places` are their places in the batch. */
export interface Chunk {
  readonly slot: number
  readonly places: Array<number>
  readonly keys: Array<string>
  ops: string
  readonly args: Array<string>
  length: number
}

const empty = (slot: number): Chunk => ({ slot, places: [], keys: [], ops: "", args: [], length: 0 })

/** How much of a request a transaction takes, about, in characters. */
export const lengthOf = (transaction: Transaction): number => {
  let length = 0
  for (const { name, next } of transaction) length += name.length + (next?.data?.length ?? 0)
  return length
}

/** Fills chunks, one slot after the other. */
export class Chunks {
  readonly all: Array<Chunk> = []
  private readonly open = new Map<number, Chunk>()
  private readonly prefix: string

  constructor(prefix: string) {
    this.prefix = prefix
  }

  add(place: number, slot: number, transaction: Transaction): void {
    const length = lengthOf(transaction)
    let chunk = this.open.get(slot)
    if (
      chunk === undefined || chunk.keys.length + transaction.length > maxWrites || chunk.length + length > maxLength
    ) {
      chunk = empty(slot)
      this.open.set(slot, chunk)
      this.all.push(chunk)
    }
    this.put(chunk, place, transaction, length)
  }

  /** A chunk of its own, whatever else is on the way. */
  alone(place: number, slot: number, transaction: Transaction): Chunk {
    const chunk = empty(slot)
    this.put(chunk, place, transaction, lengthOf(transaction))
    return chunk
  }

  private put(chunk: Chunk, place: number, transaction: Transaction, length: number): void {
    chunk.places.push(place)
    chunk.length += length
    for (let i = 0; i < transaction.length; i++) {
      const { expected, expiresIn, name, next } = transaction[i]!
      let op = bits.base
      if (i === 0) op |= bits.first
      chunk.keys.push(this.prefix + name)
      if (expected !== null) {
        op |= bits.expected
        chunk.args.push(expected)
      }
      if (next !== undefined) {
        op |= bits.writes
        chunk.args.push(next.revision)
        if (next.data !== null) {
          op |= bits.data
          chunk.args.push(next.data)
        }
        const millis = lifetime(expiresIn)
        if (millis !== undefined) {
          op |= bits.expires
          chunk.args.push(String(millis))
        }
      }
      chunk.ops += String.fromCharCode(op)
    }
  }
}

// Redis counts in whole milliseconds, up to a time that it can add to its clock.
const lifetime = (expiresIn: Write["expiresIn"]): number | undefined => {
  const millis = expiresIn === undefined ? Infinity : Duration.toMillis(expiresIn)
  return millis === Infinity ? undefined : Math.min(Math.max(Math.ceil(millis), 1), 2 ** 52)
}

/** The verdict of a transaction, from the script's answer to it. */
export const verdict = (answer: unknown, transaction: Transaction, prefix: string): Verdict | Fault.Fault => {
  if (Array.isArray(answer)) return { committed: false, current: records(answer) }
  return typeof answer === "string" && answer.includes(" ")
    ? foreign(answer, transaction.map((write) => prefix + write.name))
    // A client may be set to give numbers as strings.
    : committed
}

const committed: Verdict = { committed: true }

export const records = (fields: ReadonlyArray<unknown>): ReadonlyArray<Record | null> => {
  const found: Array<Record | null> = []
  for (let i = 0; i < fields.length; i += 2) {
    const [revision, data] = [fields[i], fields[i + 1]]
    found.push(
      typeof revision === "string" ? { revision, data: typeof data === "string" ? data : null } : null
    )
  }
  return found
}

/** `answer` is the position of a key that holds something else than a scope, and what the server said. */
export const foreign = (answer: string, keys: ReadonlyArray<string>): Fault.Fault => {
  const [position] = answer.split(" ", 1)
  const key = JSON.stringify(keys[Number(position)])
  const said = answer.slice(position!.length + 1)
  return said === "FOREIGN" || said.includes("WRONGTYPE")
    ? Fault.make(
      "Corrupt",
      `the key ${key} holds something that this driver did not write${
        said === "FOREIGN" ? "" : " (WRONGTYPE)"
      }: it was left as it is. Delete it, or set another "prefix"`
    )
    : Fault.make("Forbidden", `the server refused to read the key ${key} (${said})`)
}
