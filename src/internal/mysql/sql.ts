/**
 * The pieces that statements are made of.
 *
 * Names and revisions are written as hexadecimal literals, times as integers. Neither the SQL mode, nor the character
 * set of the connection, nor what a value holds changes their meaning, and no value can end its literal. Data is never
 * in the text of a statement: it is bound, to a variable of the session or to a parameter.
 *
 * What a row says depends on the time. Until `expires_at` it is the record as it is there, then the tombstone that the
 * record leaves, and from `gone_at` on there is none. Either is `NULL` for never.
 */
import * as Duration from "effect/Duration"
import { Buffer } from "node:buffer"
import { expired, type Write } from "../../Driver.ts"
import { utf8Length } from "../name.ts"

/** Text as its UTF-8 bytes. */
export const text = (value: string): string => `X'${Buffer.from(value, "utf8").toString("hex")}'`

export const list = (values: ReadonlyArray<string>): string => `(${values.map(text).join(",")})`

/** The server's clock in microseconds since 1970. No time zone is involved, and so no hour comes twice. */
export const now = "TIMESTAMPDIFF(MICROSECOND,'1970-01-01',UTC_TIMESTAMP(6))"

/**
 * The same for a row that is locked: the statement may have waited for that since its time was taken, and what was there
 * then may be gone. Both times that are compared are of one time zone, whichever that is.
 */
const nowLocked = `${now}+TIMESTAMPDIFF(MICROSECOND,NOW(6),SYSDATE(6))`

/** True where a row counts as none; `NULL`, and so false, for one that always stays. */
export const isGone = (alias: string): string => `${alias}.gone_at<=${now}`

/** True for a row that counts as a record; for a locked one, unless another time is given. */
export const isThere = (alias: string, at = nowLocked): string => `(${alias}.gone_at IS NULL OR ${alias}.gone_at>${at})`

const hasExpired = (alias: string, at = now): string => `${alias}.expires_at<=${at}`

/** True for a record that has not expired; of a locked row, unless another time is given. */
export const isFresh = (alias: string, at = nowLocked): string =>
  `(${alias}.expires_at IS NULL OR ${alias}.expires_at>${at})`

export const hasData = (alias: string): string => `${alias}.data IS NOT NULL AND ${isFresh(alias, now)}`

/** The revision that counts now. */
export const revision = (alias: string, at?: string): string =>
  `IF(${hasExpired(alias, at)},CONCAT(${alias}.revision,${text(expired(""))}),${alias}.revision)`

/** The data that counts now. */
export const data = (alias: string): string => `IF(${hasExpired(alias)},NULL,${alias}.data)`

/** For how many microseconds the data still counts, `NULL` for ever. */
export const left = (alias: string): string => `IF(${alias}.data IS NULL,NULL,${alias}.expires_at-${now})`

/** Past what a `BIGINT` can hold it is for ever. */
const micros = (duration: Duration.Duration | undefined): number | undefined => {
  if (duration === undefined) return undefined
  const millis = Duration.toMillis(duration)
  return millis < 1e14 ? Math.max(0, Math.round(millis * 1000)) : undefined
}

const from = (micros: number | undefined): string => micros === undefined ? "NULL" : `${now}+${micros}`

/** When the data of a write turns into a tombstone. */
export const expiresAt = (write: Write): string => from(micros(write.expiresIn))

/** From when on a write counts as none. */
export const goneAt = (write: Write): string => {
  const stays = micros(write.expiresIn)
  if (stays === undefined && write.next?.data !== null) return "NULL"
  const retention = micros(write.retention)
  return from(retention === undefined ? undefined : (stays ?? 0) + retention)
}

/** The value that goes with the name of a row `s`, of names as they are in statements. */
export const choose = (names: ReadonlyArray<string>, values: ReadonlyArray<string>): string =>
  values.every((value) => value === values[0])
    ? values[0]!
    : `CASE s.name ${names.map((name, i) => `WHEN ${name} THEN ${values[i]}`).join(" ")} END`

/**
 * The data of a packet's statements, one behind the other in one variable of the session, which is set before.
 */
export class Bound {
  private readonly values: Array<Buffer> = []
  bytes = 0

  /** What these data are in a statement. */
  readonly add = (data: string | null): string => {
    if (data === null) return "NULL"
    const value = Buffer.from(data, "utf8")
    this.values.push(value)
    const start = this.bytes + 1
    this.bytes += value.length
    return `SUBSTRING(@effect_scoped_data,${start},${value.length})`
  }

  get value(): Buffer {
    return Buffer.concat(this.values)
  }

  get isEmpty(): boolean {
    return this.values.length === 0
  }
}

/** Its parameter is the {@link Bound} value. As bytes, so that no character is counted. */
export const bind = "SET @effect_scoped_data=CAST(? AS BINARY)"

export const unbind = "SET @effect_scoped_data=NULL"

/**
 * Writes rows that meet a condition, each its own values.
 *
 * Not joined with a derived table: MariaDB keeps such an update in a temporary file, and where the statement is killed
 * may say that it succeeded and have done nothing.
 */
export const update = (table: string, writes: ReadonlyArray<Write>, bound: Bound, condition: string): string => {
  const names = writes.map(({ name }) => text(name))
  const set = (value: (write: Write) => string) => choose(names, writes.map(value))
  return `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET s.data=${set(({ next }) => bound.add(next!.data))},` +
    `s.expires_at=${set(expiresAt)},s.gone_at=${set(goneAt)},s.revision=${set(({ next }) => text(next!.revision))} ` +
    `WHERE s.name IN (${names.join(",")}) AND ${condition}`
}

/** A condition: the rows of these writes are as expected. */
export const asExpected = (writes: ReadonlyArray<Write>): string => {
  const present = writes.filter(({ expected }) => expected !== null)
  const absent = writes.filter(({ expected }) => expected === null)
  const conditions = [
    ...(present.length === 0 ? [] : [`${isThere("s")} AND ${isAt(present)}`]),
    ...(absent.length === 0 ? [] : [`s.name IN ${list(absent.map(({ name }) => name))} AND ${isGone("s")}`])
  ]
  return `(${conditions.map((condition) => `(${condition})`).join(" OR ")})`
}

/**
 * Compares name and revision in one, with a list in which a server searches faster than it walks along a `CASE`; behind
 * the length of the name, so that no two can be mistaken for one another.
 */
const isAt = (writes: ReadonlyArray<Write>): string => {
  const pairs = writes.map(({ expected, name }) => text(`${utf8Length(name)}\0${name}${expected}`))
  const list = `(${pairs.join(",")})`
  const pair = (revision: string) => `CONCAT(LENGTH(s.name),X'00',s.name,${revision}) IN ${list}`
  // Times are computed only for rows that expire.
  return writes.some(({ expected }) => expected!.endsWith(expired("")))
    ? pair(revision("s", nowLocked))
    : `${pair("s.revision")} AND ${isFresh("s")}`
}

/** Deletes rows by their names. Only in this form can a server be kept from looking at others, and locking them. */
export const remove = (table: string, names: ReadonlyArray<string>, condition: string): string =>
  `DELETE s FROM ${table} AS s FORCE INDEX (PRIMARY) WHERE s.name IN ${list(names)} AND ${condition}`

/** A table of values, for a statement to join with. */
export const derived = (columns: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [first, ...others] = rows
  const head = `SELECT ${columns.map((column, i) => `${first![i]} AS ${column}`).join(",")}`
  return `(${[head, ...others.map((row) => `SELECT ${row.join(",")}`)].join(" UNION ALL ")})`
}

/** In the order in which the server keeps names: whoever locks rows in one order never waits in a circle. */
export const sorted = (names: Iterable<string>): ReadonlyArray<string> =>
  Array.from(new Set(names), (name) => [Buffer.from(name, "utf8"), name] as const)
    .sort(([a], [b]) => Buffer.compare(a, b))
    .map(([, name]) => name)
