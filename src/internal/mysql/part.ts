import type { Buffer } from "node:buffer"
import type { Record, Verdict } from "../../Driver.ts"

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
  readonly verdicts: (answers: ReadonlyArray<Answer>) => ReadonlyArray<Verdict>
}

export const committed: Verdict = { committed: true }

/** What a `SELECT` of {@link columns} found of a name. */
export interface Found {
  readonly revision: string
  /** As it is in the row: `null` also where the statement left it out. */
  readonly data: string | null
  readonly gone: boolean
}

// Named, or the text of an expression would be the name of its column, and mysql2 keeps a parser for each set of names.
export const columns = (gone: string, data = "s.data"): string => `s.name,s.revision,${data} AS data,${gone} AS gone`

export const found = ({ rows }: Answer): ReadonlyMap<string, Found> =>
  new Map(rows.map(([name, revision, data, gone]) => [
    name!.toString("utf8"),
    {
      revision: revision!.toString("utf8"),
      data: data === null ? null : data!.toString("utf8"),
      gone: gone != null && gone[0] === one
    }
  ]))

const one = "1".charCodeAt(0)

export const toRecord = (found: Found | undefined): Record | null =>
  found === undefined || found.gone ? null : { revision: found.revision, data: found.data }
