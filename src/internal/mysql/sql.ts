/**
 * The pieces that statements are made of.
 *
 * All values are written as hexadecimal literals or as integers. Neither the SQL mode, nor the character set of the
 * connection, nor what a value holds changes their meaning, and no value can end its literal. Every statement is ASCII.
 */
import * as Duration from "effect/Duration"
import { Buffer } from "node:buffer"
import type { Write } from "../../Driver.ts"

/** Text as its UTF-8 bytes. */
export const text = (value: string): string => `X'${Buffer.from(value, "utf8").toString("hex")}'`

export const nullable = (value: string | null): string => value === null ? "NULL" : text(value)

/**
 * Text of any length in a derived table. Of a literal MariaDB makes a `VARBINARY` there, and cuts what is longer than its
 * 65,535 bytes without a word; of what a function returns it makes a `BLOB`, which it keeps in a file.
 */
export const derivedData = (values: ReadonlyArray<string | null>): ReadonlyArray<string> =>
  values.every((value) => value === null || value.length < 10_000)
    ? values.map(nullable)
    : values.map((value) => value === null ? "NULL" : `UNHEX('${Buffer.from(value, "utf8").toString("hex")}')`)

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

/** The value that goes with the name of a row `s`. */
export const choose = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): string =>
  values.every((value) => value === values[0])
    ? values[0]!
    : `CASE s.name ${names.map((name, i) => `WHEN ${text(name)} THEN ${values[i]}`).join(" ")} END`

/**
 * Writes rows that meet a condition, each its own values.
 *
 * Not joined with a derived table: MariaDB keeps such an update in a temporary file, and where the statement is killed
 * may say that it succeeded and have done nothing.
 */
export const update = (table: string, writes: ReadonlyArray<Write>, condition: string): string => {
  const names = writes.map(({ name }) => name)
  const set = (value: (write: Write) => string) => choose(names, writes.map(value))
  const expiry = set(stays)
  return `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET s.data=${set(({ next }) => nullable(next!.data))},` +
    `s.expires_at=${expiry === "NULL" ? expiry : `${now}+${expiry}`},` +
    `s.revision=${set(({ next }) => text(next!.revision))} WHERE s.name IN ${list(names)} AND ${condition}`
}

/** A condition: the rows of these writes are as expected, none of which expects that there is none. */
export const asExpected = (writes: ReadonlyArray<Write>): string => {
  const names = writes.map(({ name }) => name)
  return `s.revision=${choose(names, writes.map(({ expected }) => text(expected!)))} AND ${alive("s")}`
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
