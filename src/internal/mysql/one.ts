/**
 * A single write of data that stays, over a record that there is: one statement, which is its own transaction.
 */
import { Buffer } from "node:buffer"
import type { Transaction, Write } from "../../Driver.ts"
import * as Look from "./look.ts"
import { type Answer, committed, type Outcome, refused } from "./part.ts"
import * as Sql from "./sql.ts"

/** The write, where the transaction is such a one. */
export const only = (transaction: Transaction): Write | undefined => {
  const [write] = transaction
  return transaction.length === 1 && write!.expected !== null && write!.next !== undefined &&
      Sql.goneAt(write!) === "NULL" && write!.expiresIn === undefined
    ? write
    : undefined
}

/** The statement with what is bound to it, and the query that tells what is there where it changed nothing. */
export interface One {
  readonly sql: string
  readonly values: ReadonlyArray<Buffer | null>
  readonly otherwise: string
}

export const make = (table: string, { expected, name, next }: Write): One => ({
  sql: `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET s.data=?,s.expires_at=NULL,s.gone_at=NULL,s.revision=? ` +
    `WHERE s.name=? AND ${Sql.isThere("s")} AND ${Sql.revision("s")}=?`,
  values: [
    next!.data === null ? null : Buffer.from(next!.data),
    Buffer.from(next!.revision),
    Buffer.from(name),
    Buffer.from(expected!)
  ],
  otherwise: Look.records(table, [name])
})

export const outcome = (write: Write, answer: Answer): Outcome =>
  answer.changed === 1 ? committed : refused([write], Look.recordsOf([write.name], answer))
