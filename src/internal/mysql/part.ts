import type { Buffer } from "node:buffer"
import type { Record, Transaction, Verdict } from "../../Driver.ts"

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

/** What a `SELECT` of {@link columns} found of a name. */
export interface Found {
  /** `null` where there is no row. */
  readonly revision: string | null
  /** As it is in the row: `null` also where the statement left it out. */
  readonly data: string | null
  readonly gone: boolean
}

// Named, or the text of an expression would be the name of its column, and mysql2 keeps a parser for each set of names.
export const columns = (gone: string, name = "s.name", data = "s.data"): string =>
  `${name},s.revision,${data} AS data,${gone} AS gone`

export const found = ({ rows }: Answer): ReadonlyMap<string, Found> =>
  new Map(rows.map(([name, revision, data, gone]) => [
    name!.toString("utf8"),
    {
      revision: revision?.toString("utf8") ?? null,
      data: data === null ? null : data!.toString("utf8"),
      gone: gone != null && gone[0] === one
    }
  ]))

const one = "1".charCodeAt(0)

export const toRecord = (found: Found | undefined): Record | null =>
  found === undefined || found.gone || found.revision === null
    ? null
    : { revision: found.revision, data: found.data }
