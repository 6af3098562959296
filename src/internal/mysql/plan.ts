/**
 * How the transactions of a batch travel.
 */
import type { Transaction } from "../../Driver.ts"
import * as Name from "../name.ts"
import * as Block from "./block.ts"
import type { Part } from "./part.ts"
import * as Singles from "./singles.ts"
import * as Sql from "./sql.ts"

/** A transaction, and its place in the batch. */
export interface Item {
  readonly index: number
  readonly transaction: Transaction
}

/** Transactions that travel together: the statements, and for each part the places that its verdicts are for. */
export interface Packet {
  readonly items: ReadonlyArray<Item>
  readonly parts: ReadonlyArray<{ readonly part: Part; readonly items: ReadonlyArray<Item> }>
  readonly statements: ReadonlyArray<string>
  readonly bytes: number
}

/** One after the other, each as large as the server takes. */
export const split = (items: ReadonlyArray<Item>, maxPacket: number): ReadonlyArray<ReadonlyArray<Item>> => {
  const groups: Array<Array<Item>> = []
  let room = 0
  for (const item of items) {
    const bytes = estimate(item.transaction)
    if (groups.length === 0 || bytes > room || groups.at(-1)!.length === most) {
      groups.push([])
      room = maxPacket - overhead
    }
    room -= bytes
    groups.at(-1)!.push(item)
  }
  return groups
}

/** Transactions in a packet: statements that name thousands of rows make the server's stack deep, and others wait. */
const most = 500

/** What a packet holds besides what is estimated. */
const overhead = 4096

/** At least as many bytes as the transaction adds to its packet. */
const estimate = (transaction: Transaction): number => {
  let bytes = 0
  for (const { expected, name, next } of transaction) {
    const texts = 8 * Name.utf8Length(name) + 2 * (expected?.length ?? 0) + 2 * (next?.revision.length ?? 0) +
      Name.utf8Length(next?.data ?? "")
    bytes += 2 * texts + 400
  }
  return transaction.length === 1 ? bytes : bytes + 1000
}

/** The largest state that an update of one scope can carry. */
export const dataBytes = (maxPacket: number): number =>
  Math.max(0, Math.floor((maxPacket - overhead - 400) / 2) - 8 * Sql.nameBytes - 4 * Sql.revisionBytes)

export const packet = (table: string, items: ReadonlyArray<Item>): Packet => {
  const met = new Map<string, number>()
  for (const { transaction } of items) {
    for (const { name } of transaction) met.set(name, (met.get(name) ?? 0) + 1)
  }
  const isSingle = ({ transaction }: Item) => transaction.length === 1 && met.get(transaction[0]!.name) === 1
  const singles = items.filter(isSingle)
  const parts = items.filter((item) => !isSingle(item)).map((item) => ({
    part: Block.make(table, item.transaction),
    items: [item]
  }))
  if (singles.length > 0) {
    parts.push({ part: Singles.make(table, singles.map(({ transaction }) => transaction[0]!)), items: singles })
  }
  const statements = parts.flatMap(({ part }) => part.statements)
  return { items, parts, statements, bytes: statements.reduce((sum, { length }) => sum + length + 1, 200) }
}
