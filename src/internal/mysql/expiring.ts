/**
 * Keeps a list of the rows that do not stay for ever: when each may be deleted. The others take no space in it.
 */
import type { Write } from "../../Driver.ts"
import * as Sql from "./sql.ts"
import type { Tables } from "./tables.ts"

/** Lists those rows that these writes made, whose locks are still held. */
export const enter = ({ expiring, scopes }: Tables, writes: ReadonlyArray<Write>): string => {
  const names = writes.map(({ name }) => Sql.text(name))
  return `INSERT INTO ${expiring} (name,due_at) SELECT s.name,s.gone_at FROM ${scopes} AS s FORCE INDEX (PRIMARY) ` +
    `WHERE s.name IN (${names.join(",")}) AND s.gone_at IS NOT NULL AND ` +
    `s.revision=${Sql.choose(names, writes.map(({ next }) => Sql.text(next!.revision)))} ` +
    `ON DUPLICATE KEY UPDATE due_at=s.gone_at`
}

export const doesExpire = (write: Write): boolean => write.next !== undefined && Sql.goneAt(write) !== "NULL"

/** Some of the names whose rows may be deleted, each with the server's time. */
export const due = ({ expiring }: Tables, limit: number): string =>
  `SELECT e.name,${Sql.now} AS at FROM ${expiring} AS e WHERE e.due_at<=${Sql.now} ORDER BY e.due_at LIMIT ${limit}`

/** Deletes what was due by then. A row that was written since is listed anew. */
export const sweep = (
  { expiring, scopes }: Tables,
  names: ReadonlyArray<string>,
  at: string
): ReadonlyArray<string> => [
  Sql.remove(scopes, names, `s.gone_at<=${at}`),
  Sql.remove(expiring, names, `s.due_at<=${at}`)
]
