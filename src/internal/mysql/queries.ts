/**
 * Queries outside of commits.
 */
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type { Record } from "../../Driver.ts"
import type { Connections } from "./connections.ts"
import * as Expiring from "./expiring.ts"
import type { Fault } from "./fault.ts"
import * as Look from "./look.ts"
import type { Row } from "./part.ts"
import * as Retry from "./retry.ts"
import * as Sql from "./sql.ts"
import type { Tables } from "./tables.ts"

/** What each takes until it must end comes first. */
export interface Queries {
  readonly records: (
    deadline: number,
    names: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyArray<Record | null>, Fault>
  /** The revisions of the records that there are. */
  readonly revisions: (
    deadline: number,
    names: ReadonlyArray<string>
  ) => Effect.Effect<ReadonlyMap<string, string>, Fault>
  /** Some of the names with data that start with a prefix, in order, from after the last one that is known. */
  readonly names: (
    deadline: number,
    prefix: string,
    after: string | undefined
  ) => Effect.Effect<ReadonlyArray<string>, Fault>
  /** Deletes some of the rows that count as none, and tells how many were due. */
  readonly sweep: (deadline: number) => Effect.Effect<number, Fault>
}

/** Of a thousand names of the greatest length the text is a megabyte: less than any server's default. */
const pageSize = 1000

export const make = ({ clock, connections, tables }: {
  readonly clock: Clock.Clock
  readonly connections: Connections
  readonly tables: Tables
}): Queries => {
  const ask = (deadline: number, query: string) => Retry.harmless(clock, deadline, connections.read(deadline, query))

  const some = (deadline: number, names: ReadonlyArray<string>, query: (names: ReadonlyArray<string>) => string) =>
    Effect.map(
      Effect.forEach(Arr.chunksOf(names, pageSize), (page) => ask(deadline, query(page))),
      Arr.flatten
    ) as Effect.Effect<ReadonlyArray<Row>, Fault>

  return {
    records: (deadline, names) =>
      Effect.map(
        some(deadline, names, (page) => Look.records(tables.scopes, page)),
        (rows) => Look.recordsOf(names, { rows, changed: 0 })
      ),
    revisions: (deadline, names) =>
      Effect.map(
        some(deadline, names, (page) =>
          `SELECT s.name,s.revision FROM ${tables.scopes} AS s FORCE INDEX (PRIMARY) ` +
          `WHERE s.name IN ${Sql.list(page)} AND ${Sql.isThere("s", Sql.now)}`),
        (rows) => new Map(rows.map(([name, revision]) => [name!.toString("utf8"), revision!.toString("utf8")]))
      ),
    names: (deadline, prefix, after) => {
      const end = successor(Buffer.from(prefix, "utf8"))
      const range = [
        after === undefined ? `s.name>=${Sql.text(prefix)}` : `s.name>${Sql.text(after)}`,
        ...(end === undefined ? [] : [`s.name<X'${end.toString("hex")}'`])
      ]
      const query = `SELECT s.name FROM ${tables.scopes} AS s FORCE INDEX (PRIMARY) ` +
        `WHERE ${range.join(" AND ")} AND ${Sql.hasData("s")} ORDER BY s.name LIMIT ${pageSize}`
      return Effect.map(ask(deadline, query), (rows) => rows.map(([name]) => name!.toString("utf8")))
    },
    sweep: Effect.fnUntraced(function*(deadline) {
      const due = yield* ask(deadline, Expiring.due(tables, pageSize))
      if (due.length === 0) return 0
      const names = due.map(([name]) => name!.toString("utf8"))
      const statements = Expiring.sweep(tables, names, due[0]![1]!.toString())
      yield* Retry.within(clock, deadline, connections.transact(deadline, statements))
      return due.length
    })
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
