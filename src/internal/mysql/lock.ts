/**
 * Locks rows before anything is done with them, in one pass, in the order of their names: so processes that commit over
 * the same scopes wait for each other in a line, and never in a circle.
 */
import * as Sql from "./sql.ts"

export const rows = (table: string, names: ReadonlyArray<string>): string =>
  `SELECT COUNT(*) AS n FROM ${table} AS s FORCE INDEX (PRIMARY) WHERE s.name IN ${Sql.list(names)} FOR UPDATE`

/**
 * The same, also for names that have no row, which could not be locked at every isolation level: they get one that for
 * everybody counts as none.
 */
export const places = (table: string, names: ReadonlyArray<string>): string =>
  `INSERT INTO ${table} (name,revision,gone_at) VALUES ${names.map((name) => `(${Sql.text(name)},X'00',0)`)} ` +
  `ON DUPLICATE KEY UPDATE gone_at=gone_at`

/** Takes away the places that nothing was written to. */
export const clear = (table: string, names: ReadonlyArray<string>): string => Sql.remove(table, names, "s.gone_at=0")

/** Those of the names whose rows nobody holds a lock of. */
export const free = (table: string, names: ReadonlyArray<string>): string =>
  `SELECT s.name FROM ${table} AS s FORCE INDEX (PRIMARY) WHERE s.name IN ${Sql.list(names)} FOR UPDATE SKIP LOCKED`
