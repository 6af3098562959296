import * as Duration from "effect/Duration"
import type { Buffer } from "node:buffer"
import { expired, type Record, type Transaction, type Verdict, type Write } from "../../Driver.ts"
import * as Sql from "./sql.ts"

/** What a statement answered. */
export interface Answer {
  readonly rows: ReadonlyArray<Row>
  readonly changed: number
}

export type Row = ReadonlyArray<Buffer | null>

/**
 * A part of a packet: statements that run one after another inside one transaction, and what their answers say of the
 * scopes' transactions that they stand for.
 */
export interface Part {
  readonly statements: ReadonlyArray<string>
  readonly verdicts: (answers: ReadonlyArray<Answer>) => ReadonlyArray<Outcome>
}

/**
 * What became of a transaction. A statement that somebody interrupts does not always fail: MariaDB may report success
 * and have done nothing, or a part of it. Where that is seen, the transaction must be sent `again`, since it certainly
 * was not applied, or is `unknown`.
 */
export type Outcome = Verdict | "again" | "unknown"

export const committed: Verdict = { committed: true }

/** A refusal, unless nothing stands in the way of the transaction. */
export const refused = (transaction: Transaction, current: ReadonlyArray<Record | null>): Outcome =>
  transaction.every(({ expected }, i) => (current[i]?.revision ?? null) === expected)
    ? "again"
    : { committed: false, current }

export const isWrite = ({ next }: Write): boolean => next !== undefined

/** No revision is ever used twice: whoever finds the new one stored has stored it. */
export const isStored = ({ next }: Write, current: Record | null): boolean =>
  current !== null && (current.revision === next!.revision || current.revision === expired(next!.revision))

// Named, or the text of an expression would be the name of its column, and mysql2 keeps a parser for each set of names.
export const columns = (name = "s.name", data = Sql.data("s")): string =>
  `${name} AS name,IF(${Sql.isGone("s")},NULL,${Sql.revision("s")}) AS revision,${data} AS data,${
    Sql.left("s")
  } AS rest`

/** What a `SELECT` of {@link columns} found, by name; `null` where a row counts as none. */
export const found = ({ rows }: Answer): ReadonlyMap<string, Record | null> =>
  new Map(rows.map(([name, revision, data, left]) => [
    name!.toString("utf8"),
    revision == null ? null : toRecord(revision, data ?? null, left ?? null)
  ]))

const toRecord = (revision: Buffer, data: Buffer | null, left: Buffer | null): Record => {
  const record = { revision: revision.toString("utf8"), data: data === null ? null : data.toString("utf8") }
  return data === null || left === null
    ? record
    : { ...record, expiresIn: Duration.millis(Math.max(0, Number(left.toString()) / 1000)) }
}
