/**
 * Plain writes: each is all that its transaction does, puts data that stays in the place of a record that there is, and
 * so takes one statement.
 */
import { Buffer } from "node:buffer"
import { expired, type Transaction, type Write } from "../../Driver.ts"
import { nameBytes, revisionBytes } from "./tables.ts"

/** The write of a transaction that is such a one. */
export const of = (transaction: Transaction): Write | undefined =>
  transaction.length === 1 && isPlain(transaction[0]!) ? transaction[0] : undefined

const isPlain = ({ expected, expiresIn, next }: Write): boolean =>
  expected !== null && !expected.endsWith(tail) && next !== undefined && next.data !== null && expiresIn === undefined

const tail = expired("")

/** What a write is about, as it is stored. */
export interface Row {
  readonly name: Buffer
  readonly expected: Buffer
  readonly revision: Buffer
  readonly data: Buffer
}

/** `undefined` where it would not be stored as it is. */
export const toRow = ({ expected, name, next }: Write): Row | undefined => {
  const row = {
    name: Buffer.from(name),
    expected: Buffer.from(expected!),
    revision: Buffer.from(next!.revision),
    data: Buffer.from(next!.data!)
  }
  return row.name.length <= nameBytes && row.revision.length <= revisionBytes ? row : undefined
}
