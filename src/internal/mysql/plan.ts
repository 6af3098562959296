/**
 * How the transactions of a batch travel.
 */
import type { Transaction } from "../../Driver.ts"
import * as Name from "../name.ts"
import * as Block from "./block.ts"
import * as Expiring from "./expiring.ts"
import * as Lock from "./lock.ts"
import type { Answer, Outcome, Part } from "./part.ts"
import * as Singles from "./singles.ts"
import * as Sql from "./sql.ts"
import { nameBytes, revisionBytes, type Tables } from "./tables.ts"

/** A transaction, and its place in the batch. */
export interface Item {
  readonly index: number
  readonly transaction: Transaction
}

/** Transactions that travel together, in one transaction of the database. */
export interface Packet {
  readonly statements: ReadonlyArray<string>
  readonly bound: Sql.Bound
  /** The size of the larger one of what is sent: the data, or the statements. */
  readonly bytes: number
  readonly outcomes: (answers: ReadonlyArray<Answer>) => ReadonlyArray<readonly [Item, Outcome]>
}

/** One after the other, each as large as the server takes. */
export const split = (items: ReadonlyArray<Item>, maxPacket: number): ReadonlyArray<ReadonlyArray<Item>> => {
  const groups: Array<Array<Item>> = []
  let room = { text: 0, data: 0 }
  for (const item of items) {
    const { data, text } = estimate(item.transaction)
    if (groups.length === 0 || text > room.text || data > room.data || groups.at(-1)!.length === most) {
      groups.push([])
      room = { text: maxPacket - overhead, data: maxPacket - overhead }
    }
    room.text -= text
    room.data -= data
    groups.at(-1)!.push(item)
  }
  return groups
}

/** Transactions in a packet: statements that name thousands of rows make the server's stack deep, and others wait. */
const most = 500

/** What a packet holds besides what is estimated. */
const overhead = 4096

/** At least as many bytes as the transaction adds to its packet. */
const estimate = (transaction: Transaction) => {
  let text = 1000
  let data = 0
  for (const { expected, name, next } of transaction) {
    text += 26 * Name.utf8Length(name) + 2 * (expected?.length ?? 0) + 6 * (next?.revision.length ?? 0) + 700
    if (next != null && next.data !== null) data += Name.utf8Length(next.data)
  }
  return { text, data }
}

/** The largest state that an update of one scope can carry. */
export const dataBytes = (maxPacket: number): number =>
  Math.max(0, maxPacket - overhead - nameBytes - 2 * revisionBytes)

export const packet = (tables: Tables, items: ReadonlyArray<Item>): Packet => {
  const table = tables.scopes
  const bound = new Sql.Bound()
  const met = new Map<string, number>()
  const all = items.flatMap(({ transaction }) => transaction)
  for (const { name } of all) met.set(name, (met.get(name) ?? 0) + 1)
  const isSingle = ({ transaction }: Item) => transaction.length === 1 && met.get(transaction[0]!.name) === 1
  const singles = items.filter(isSingle)
  const blocks = items.filter((item) => !isSingle(item))

  const parts: Array<{ readonly part: Part; readonly items: ReadonlyArray<Item> }> = []
  if (singles.length > 0) {
    const writes = singles.map(({ transaction }) => transaction[0]!)
    parts.push({ part: Singles.make(table, writes, bound), items: singles })
  }
  for (const item of blocks) parts.push({ part: Block.make(table, item.transaction, bound), items: [item] })

  const names = () => Sql.sorted(met.keys())
  const creates = all.some(({ expected }) => expected === null)
  // One statement locks its rows in order by itself. What a creation of one scope makes room for, it fills.
  const before = creates ? [Lock.places(table, names())] : blocks.length > 0 ? [Lock.rows(table, names())] : []
  const unfilled = creates ? all.filter(({ expected }) => blocks.length > 0 || expected !== null) : []
  const expiring = all.filter(Expiring.doesExpire)
  const statements = [
    ...before,
    ...parts.flatMap(({ part }) => part.statements),
    ...(expiring.length === 0 ? [] : [Expiring.enter(tables, expiring)]),
    ...(unfilled.length === 0 ? [] : [Lock.clear(table, unfilled.map(({ name }) => name))]),
    ...(bound.isEmpty ? [] : [Sql.unbind])
  ]
  const text = statements.reduce((sum, { length }) => sum + length + 1, 200)
  return {
    statements,
    bound,
    bytes: Math.max(text, bound.bytes),
    outcomes: (answers) => {
      let from = before.length
      return parts.flatMap(({ items, part }) => {
        const outcomes = part.verdicts(answers.slice(from, from += part.statements.length))
        return items.map((item, i) => [item, outcomes[i]!] as const)
      })
    }
  }
}
