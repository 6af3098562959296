/**
 * What is stored, as one query sees it: no lock is waited for, and nothing written.
 */
import type { Record, Transaction } from "../../Driver.ts"
import { type Answer, columns, committed, found, isWrite, type Outcome, refused } from "./part.ts"
import * as Sql from "./sql.ts"

/** The records of some names, at one moment. */
export const records = (table: string, names: ReadonlyArray<string>, data?: string): string =>
  `SELECT ${columns("s.name", data)} FROM ${table} AS s FORCE INDEX (PRIMARY) WHERE s.name IN ${Sql.list(names)}`

export const recordsOf = (names: ReadonlyArray<string>, answer: Answer): ReadonlyArray<Record | null> => {
  const records = found(answer)
  return names.map((name) => records.get(name) ?? null)
}

/** Whether a transaction only asks. */
export const isCheck = (transaction: Transaction): boolean => !transaction.some(isWrite)

/** Decides transactions that only ask. A state that its only asker knows does not travel. */
export const checks = (table: string, transactions: ReadonlyArray<Transaction>): string => {
  const asked = new Map<string, number>()
  for (const { name } of transactions.flat()) asked.set(name, (asked.get(name) ?? 0) + 1)
  const known = transactions.flatMap((transaction) => {
    const { expected, name } = transaction[0]!
    return transaction.length === 1 && expected !== null && asked.get(name) === 1
      ? [`WHEN ${Sql.text(name)} THEN ${Sql.text(expected)}`]
      : []
  })
  const isKnown = `${Sql.revision("s")}=CASE s.name ${known.join(" ")} END`
  return records(table, [...asked.keys()], known.length === 0 ? undefined : `IF(${isKnown},NULL,${Sql.data("s")})`)
}

export const verdicts = (transactions: ReadonlyArray<Transaction>, answer: Answer): ReadonlyArray<Outcome> => {
  const records = found(answer)
  return transactions.map((transaction): Outcome => {
    const current = transaction.map(({ name }) => records.get(name) ?? null)
    const outcome = refused(transaction, current)
    return outcome === "again" ? committed : outcome
  })
}
