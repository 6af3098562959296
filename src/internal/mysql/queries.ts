/**
 * Queries outside of transactions.
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type { Record } from "../../Driver.ts"
import type { Connections } from "./connections.ts"
import type { Fault } from "./fault.ts"
import { columns, found, type Row, toRecord } from "./part.ts"
import * as Retry from "./retry.ts"
import * as Sql from "./sql.ts"

export interface Queries {
  readonly records: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null>, Fault>
  /** The revisions of the records that there are. */
  readonly revisions: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>, Fault>
  /** Some of the names with data that start with a prefix, in order, from after the last one that is known. */
  readonly names: (prefix: string, after: string | undefined) => Effect.Effect<ReadonlyArray<string>, Fault>
  /** Deletes some of the records that have expired, and tells how many. */
  readonly sweep: Effect.Effect<number, Fault>
}

/** Of a thousand names of the greatest length the text is a megabyte: less than any server's default. */
const pageSize = 1000

export const make = ({ connections, table }: {
  readonly connections: Connections
  readonly table: string
}): Queries => {
  const some = (what: string, names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Row>, Fault> =>
    Effect.map(
      Effect.forEach(Arr.chunksOf(names, pageSize), (page) =>
        Retry.harmless(
          connections.read(
            `SELECT ${what} FROM ${table} AS s FORCE INDEX (PRIMARY) ` +
              `WHERE s.name IN ${Sql.list(page)} AND ${Sql.alive("s")}`
          )
        )),
      Arr.flatten
    )

  return {
    records: (names) =>
      Effect.map(some(columns("NULL"), names), (rows) => {
        const records = found({ rows, changed: 0 })
        return names.map((name) => toRecord(records.get(name)))
      }),
    revisions: (names) =>
      Effect.map(
        some("s.name,s.revision", names),
        (rows) => new Map(rows.map(([name, revision]) => [name!.toString("utf8"), revision!.toString("utf8")]))
      ),
    names: (prefix, after) => {
      const end = successor(Buffer.from(prefix, "utf8"))
      const range = [
        after === undefined ? `s.name>=${Sql.text(prefix)}` : `s.name>${Sql.text(after)}`,
        ...(end === undefined ? [] : [`s.name<X'${end.toString("hex")}'`])
      ]
      return Effect.map(
        Retry.harmless(
          connections.read(
            `SELECT s.name FROM ${table} AS s FORCE INDEX (PRIMARY) ` +
              `WHERE ${range.join(" AND ")} AND s.data IS NOT NULL AND ${Sql.alive("s")} ` +
              `ORDER BY s.name LIMIT ${pageSize}`
          )
        ),
        (rows) => rows.map(([name]) => name!.toString("utf8"))
      )
    },
    sweep: Effect.map(
      connections.transact(
        [`DELETE FROM ${table} WHERE expires_at<=${Sql.now} ORDER BY expires_at LIMIT ${pageSize}`],
        () => {}
      ),
      ([answer]) => answer!.changed
    )
  }
}

export const isLastPage = (names: ReadonlyArray<string>): boolean => names.length < pageSize

/** The first text after all that start with this one; `undefined` where there is none. No UTF-8 has the byte 255. */
const successor = (prefix: Buffer): Buffer | undefined => {
  if (prefix.length === 0) return undefined
  const next = Buffer.from(prefix)
  next[next.length - 1]!++
  return next
}
