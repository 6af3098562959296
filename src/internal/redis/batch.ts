/**
 * Transactions as the arguments of the script that decides them, and its answer as verdicts.
 */
import type { Transaction } from "../../Driver.ts"
import * as Fault from "./fault.ts"
import { bits } from "./script.ts"
import { beginning, encode, type Told } from "./value.ts"

/** The largest part of a batch that one script decides, so that it does not keep the server for long. */
const maxWrites = 512
const maxLength = 2 ** 20

/** Transactions of one slot that travel in one script. `places` are their places in the batch. */
export interface Chunk {
  readonly slot: number
  readonly places: Array<number>
  readonly keys: Array<string>
  /** The first of them says what the others are. */
  readonly args: Array<string>
  length: number
}

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
  private readonly setting: string

  constructor(prefix: string, setting: string) {
    this.prefix = prefix
    this.setting = setting
  }

  add(place: number, slot: number, transaction: Transaction): void {
    const length = lengthOf(transaction)
    let chunk = this.open.get(slot)
    if (
      chunk === undefined || chunk.keys.length + transaction.length > maxWrites || chunk.length + length > maxLength
    ) {
      chunk = this.empty(slot)
      this.open.set(slot, chunk)
      this.all.push(chunk)
    }
    this.put(chunk, place, transaction, length)
  }

  /** A chunk of its own, whatever else is on the way. */
  alone(place: number, slot: number, transaction: Transaction): Chunk {
    const chunk = this.empty(slot)
    this.put(chunk, place, transaction, lengthOf(transaction))
    return chunk
  }

  private empty(slot: number): Chunk {
    return { slot, places: [], keys: [], args: [this.setting], length: 0 }
  }

  private put(chunk: Chunk, place: number, transaction: Transaction, length: number): void {
    chunk.places.push(place)
    chunk.length += length
    for (let i = 0; i < transaction.length; i++) {
      const write = transaction[i]!
      let op = bits.base
      if (i === 0) op |= bits.first
      chunk.keys.push(this.prefix + write.name)
      if (write.expected !== null) {
        op |= bits.expected
        chunk.args.push(beginning(write.expected))
      }
      if (write.next !== undefined) {
        op |= bits.writes
        if (write.next.data === null) op |= bits.removes
        const { millis, value } = encode(write.next, write)
        chunk.args.push(value)
        if (millis !== undefined) {
          op |= bits.millis
          chunk.args.push(String(millis))
        }
      }
      chunk.args[0] += String.fromCharCode(op)
    }
  }
}

/** What a script answers to a transaction: that it is committed, the records that it was refused for, or a fault. */
export type Answer = "Committed" | ReadonlyArray<Told> | Fault.Fault

/** Whether all is committed, and all hints are sent. */
export const isPlain = (reply: unknown): boolean =>
  reply === 1 || (Array.isArray(reply) && typeof reply[0] === "number")

/** The keys of a plain reply whose hints somebody heard. */
export const heard = (reply: unknown, { keys }: Chunk): ReadonlyArray<string> =>
  reply === 1 ? [] : (reply as ReadonlyArray<number>).map((position) => keys[position - 1]!)

/** What the script said to a chunk: what became of its hints, and an answer for each of its transactions. */
export const answers = (
  reply: unknown,
  { keys, places }: Chunk,
  address: string,
  batch: ReadonlyArray<Transaction>
): { readonly lost: string | null; readonly answers: ReadonlyArray<Answer> } => {
  if (isPlain(reply)) return { lost: null, answers: places.map(() => "Committed") }
  const [lost, verdicts] = reply as readonly [
    string | null,
    ReadonlyArray<1 | string | ReadonlyArray<Told>>
  ]
  let at = 0
  return {
    lost,
    answers: verdicts.map((verdict, i) => {
      const first = at
      at += batch[places[i]!]!.length
      if (typeof verdict === "string") {
        const space = verdict.indexOf(" ")
        return Fault.ofKey(address, verdict.slice(space + 1), keys[first + Number(verdict.slice(0, space))]!)
      }
      return verdict === 1 ? "Committed" : verdict
    })
  }
}
