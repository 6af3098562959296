/**
 * A single write of data that stays, over a record that there is: one statement, which is its own transaction.
 *
 * Most commits are such, and what they cost besides the statement is felt. So from the pool to the answer there are but
 * callbacks, and only what goes well is dealt with: where it does not, and it is certain that nothing was done, the
 * common way goes on from there.
 */
import * as Effect from "effect/Effect"
import type * as Mysql from "mysql2"
import { Buffer } from "node:buffer"
import { expired, type Transaction, type Verdict, type Write } from "../../Driver.ts"
import type { Deadlines } from "../deadlines.ts"
import { raw } from "./connections.ts"
import * as Fault from "./fault.ts"
import * as Look from "./look.ts"
import { committed, refused, type Row } from "./part.ts"
import * as Plan from "./plan.ts"
import * as Retry from "./retry.ts"
import * as Sql from "./sql.ts"
import type { Lender } from "./turns.ts"

/** The write, where all there is to commit is such a one. */
export const only = (batch: ReadonlyArray<Transaction>): Write | undefined => {
  const [transaction] = batch
  if (batch.length !== 1 || transaction!.length !== 1) return undefined
  const [write] = transaction as readonly [Write]
  const { expected, next } = write
  return expected !== null && !expected.endsWith(expired("")) && next !== undefined &&
      Sql.goneAt(write) === "NULL" && write.expiresIn === undefined
    ? write
    : undefined
}

export const make = ({ deadlines, table }: {
  readonly deadlines: Deadlines
  readonly table: string
}) => {
  // A revision of an expired record is not the one that it was stored with: it is none that is looked for here.
  const sql = `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET s.data=?,s.expires_at=NULL,s.gone_at=NULL,s.revision=? ` +
    `WHERE s.name=? AND s.revision=? AND ${Sql.isThere("s")} AND ${Sql.isFresh("s")}`

  /** What became of it; nothing, where that is `undefined` or a fault without doubt. */
  return (
    { expected, name, next }: Write,
    deadline: number,
    maxPacket: number,
    lender: Lender
  ): Effect.Effect<Verdict | Fault.Fault | undefined> =>
    Effect.callback((resume) => {
      const data = next!.data === null ? null : Buffer.from(next!.data)
      if (data !== null && data.length > Plan.dataBytes(maxPacket)) return resume(Effect.undefined)
      const values = [data, Buffer.from(next!.revision), Buffer.from(name), Buffer.from(expected!)]
      let connection: Mysql.PoolConnection | undefined
      let sent = false
      let over = false

      const end = (outcome: Verdict | Fault.Fault | undefined, good: boolean): void => {
        if (over) return
        over = true
        if (connection !== undefined) lender.giveBack(connection, good, deadline)
        // First: the next call may follow from it, and goes on with the same timer.
        resume(Effect.succeed(outcome))
        deadlines.end(entry)
      }
      const entry = deadlines.begin(deadline, () => end({ ...Retry.timeout, inDoubt: sent }, false))

      const look = () =>
        connection!.query({ ...raw, sql: Look.records(table, [name]) }, (error, rows) => {
          if (error !== null) return end(undefined, false)
          const [record = null] = Look.recordsOf([name], { rows: rows as unknown as ReadonlyArray<Row>, changed: 0 })
          const outcome = refused([{ name, expected, next }], [record])
          end(typeof outcome === "string" ? undefined : outcome, true)
        })

      lender.lend((lent) => {
        if (over) return lent?.release()
        connection = lent
        if (lent === undefined) return end(undefined, true)
        lent.prepare(sql, (error: Mysql.QueryError | null, statement) => {
          if (over) return
          if (error !== null) return end(undefined, false)
          sent = true
          statement.execute(values, (error, result) => {
            if (over) return
            if (error !== null) return end(Fault.fromMysql("query", error), false)
            if ((result as Mysql.ResultSetHeader).affectedRows === 1) return end(committed, true)
            sent = false
            look()
          })
        })
      })
      return Effect.sync(() => end(undefined, false))
    })
}
