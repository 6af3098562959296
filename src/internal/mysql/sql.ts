/**
 * The pieces that statements are made of.
 *
 * All values are written as hexadecimal literals or as integers. Neither the SQL mode, nor the character set of the
 * connection, nor what a value holds changes their meaning, and no value can end its literal. Every statement is ASCII.
 */
import * as Duration from "effect/Duration"
import { Buffer } from "node:buffer"
import type { Write } from "../../Driver.ts"

/** Text as its UTF-8 bytes: a name or a revision. */
export const text = (value: string): string => `X'${Buffer.from(value, "utf8").toString("hex")}'`

export const nullable = (value: string | null): string => value === null ? "NULL" : text(value)

/**
 * Text of any length. In a derived table MariaDB makes a `VARBINARY` of a literal, and cuts what is longer than its
 * 65,535 bytes without a word; of what a function returns it makes a `BLOB`.
 */
export const data = (value: string | null): string =>
  value === null ? "NULL" : `UNHEX('${Buffer.from(value, "utf8").toString("hex")}')`

export const list = (values: ReadonlyArray<string>): string => `(${values.map(text).join(",")})`

/** The server's clock in microseconds since 1970. No time zone is involved, and so no hour comes twice. */
export const now = "TIMESTAMPDIFF(MICROSECOND,'1970-01-01',UTC_TIMESTAMP(6))"

/** True for a record that has expired; `NULL`, and so false, for one that never does. */
export const gone = (alias: string): string => `${alias}.expires_at<=${now}`

export const alive = (alias: string): string => `(${alias}.expires_at IS NULL OR ${alias}.expires_at>${now})`

/** For how many microseconds the record stays, `NULL` for ever. Past what a `BIGINT` can hold it is for ever. */
export const stays = ({ expiresIn }: Write): string => {
  if (expiresIn === undefined) return "NULL"
  const millis = Duration.toMillis(expiresIn)
  return millis < 1e14 ? String(Math.max(0, Math.round(millis * 1000))) : "NULL"
}

/** A table of values, for a statement to join with. */
export const derived = (columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [first, ...others] = rows
  const head = `SELECT ${columns.map((column, i) => `${first![i]} AS ${column}`).join(",")}`
  return `(${[head, ...others.map((row) => `SELECT ${row.join(",")}`)].join(" UNION ALL ")})`
}

/** Quotes the name of a table, with or without that of its database; `undefined` when it is none. */
export const identifier = (name: string): string | undefined =>
  /^[\w$]{1,64}(\.[\w$]{1,64})?$/.test(name) ? name.split(".").map((part) => `\`${part}\``).join(".") : undefined

export const createTable = (table: string): string =>
  `CREATE TABLE IF NOT EXISTS ${table} (
  name VARBINARY(512) NOT NULL PRIMARY KEY,
  revision VARBINARY(1024) NOT NULL,
  data LONGBLOB NULL,
  expires_at BIGINT NULL,
  KEY expires_at (expires_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`

/** How long names and revisions may be, in bytes. */
export const nameBytes = 512
export const revisionBytes = 1024
