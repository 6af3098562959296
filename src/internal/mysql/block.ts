/**
 * One transaction over any scopes: all of its writes or none.
 *
 * The rows are compared and counted, and the writes depend on the count; no trip to the client comes between. All are
 * locked by then.
 */
import type { Transaction } from "../../Driver.ts"
import * as Look from "./look.ts"
import { committed, isWrite, type Part, refused } from "./part.ts"
import * as Sql from "./sql.ts"

export const make = (table: string, transaction: Transaction, bound: Sql.Bound): Part => {
  const names = transaction.map(({ name }) => name)
  const held = `${holds}=${transaction.length}`
  const writes = transaction.filter(isWrite)
  return {
    statements: [
      `SET ${holds}=(SELECT COUNT(*) FROM ${table} AS s FORCE INDEX (PRIMARY) ` +
      `WHERE s.name IN ${Sql.list(names)} AND ${Sql.asExpected(transaction)} FOR UPDATE)`,
      Sql.update(table, writes, bound, held),
      guard(held, writes.length),
      `${Look.records(table, names)} AND NOT (${held})`,
      `SELECT ${held} AS held`
    ],
    verdicts: (answers) => {
      const held = answers[4]!.rows[0]?.[0]?.toString()
      if (held === "1") return [committed]
      if (held !== "0") return ["again"]
      return [refused(transaction, Look.recordsOf(names, answers[3]!))]
    }
  }
}

/** A variable of the session: how many of the transaction's records are as expected. */
const holds = "@effect_scoped"

/** Fails, and with it the whole transaction, where not all of the writes took place. */
const guard = (held: string, writes: number): string =>
  `SELECT IF(${held} AND ROW_COUNT()<>${writes},(SELECT 1 UNION SELECT 2),1) AS whole`
