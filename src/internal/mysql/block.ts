/**
 * One transaction over any scopes: all of its writes or none.
 *
 * The rows are locked, then compared and counted, and the writes depend on the count; no trip to the client comes
 * between. A row that does not exist cannot be locked at every isolation level, so a name that must be absent gets a
 * placeholder first: a row that has expired, which for everybody is none.
 */
import type { Transaction, Write } from "../../Driver.ts"
import { columns, committed, found, type Part, refused, toRecord } from "./part.ts"
import * as Sql from "./sql.ts"

export const make = (table: string, transaction: Transaction): Part => {
  // In the order of the names: whoever locks rows in one order never waits in a circle.
  const sorted = transaction.toSorted((a, b) => a.name < b.name ? -1 : 1)
  const absent = sorted.filter(({ expected }) => expected === null).map(({ name }) => name)
  const writes = sorted.filter(({ next }) => next !== undefined)
  const names = sorted.map(({ name }) => name)
  const held = `${holds}=${sorted.length}`
  const statements = [
    ...(absent.length === 0 ? [] : [placeholders(table, absent)]),
    compare(table, sorted),
    ...(writes.length === 0 ? [] : [Sql.update(table, writes, held), guard(held, writes.length)]),
    ...(absent.length === 0 ? [] : [clear(table, absent)]),
    `SELECT ${columns(Sql.gone("s"))} FROM ${table} AS s FORCE INDEX (PRIMARY) ` +
    `WHERE NOT (${held}) AND s.name IN ${Sql.list(names)}`,
    `SELECT ${held} AS held`
  ]
  return {
    statements,
    verdicts: (answers) => {
      const held = answers.at(-1)!.rows[0]?.[0]?.toString()
      if (held === "1") return [committed]
      if (held !== "0") return ["again"]
      const records = found(answers.at(-2)!)
      return [refused(transaction, transaction.map(({ name }) => toRecord(records.get(name))))]
    }
  }
}

/** A variable of the session: how many of the transaction's records are as expected. */
const holds = "@effect_scoped"

const placeholders = (table: string, names: ReadonlyArray<string>): string =>
  `INSERT INTO ${table} (name,revision,expires_at) VALUES ${names.map((name) => `(${Sql.text(name)},X'00',0)`)} ` +
  `ON DUPLICATE KEY UPDATE expires_at=expires_at`

const clear = (table: string, names: ReadonlyArray<string>): string =>
  `DELETE FROM ${table} WHERE name IN ${Sql.list(names)} AND expires_at=0`

const compare = (table: string, writes: ReadonlyArray<Write>): string => {
  const names = writes.map(({ name }) => name)
  const present = writes.filter(({ expected }) => expected !== null)
  const absent = writes.filter(({ expected }) => expected === null)
  const conditions = [
    ...(present.length === 0 ? [] : [`${isOneOf(present)} AND ${Sql.asExpected(present)}`]),
    ...(absent.length === 0 ? [] : [`${isOneOf(absent)} AND ${Sql.gone("s")}`])
  ]
  return `SET ${holds}=(SELECT COUNT(*) FROM ${table} AS s FORCE INDEX (PRIMARY) ` +
    `WHERE s.name IN ${Sql.list(names)} AND (${
      conditions.map((condition) => `(${condition})`).join(" OR ")
    }) FOR UPDATE)`
}

const isOneOf = (writes: ReadonlyArray<Write>): string => `s.name IN ${Sql.list(writes.map(({ name }) => name))}`

/** Fails, and with it the whole transaction, where not all of the writes took place. */
const guard = (held: string, writes: number): string =>
  `SELECT IF(${held} AND ROW_COUNT()<>${writes},(SELECT 1 UNION SELECT 2),1) AS whole`
