/**
 * A prepared statement that is its own transaction.
 *
 * Most commits are such, and what they cost besides the statement is felt. So from the pool to the answer there are but
 * callbacks, and only what goes well is dealt with: where it does not, and it is certain that nothing was done, the
 * common way goes on from there.
 */
import * as Effect from "effect/Effect"
import type * as Mysql from "mysql2"
import type { Buffer } from "node:buffer"
import type { Deadlines } from "../deadlines.ts"
import { raw } from "./connections.ts"
import * as Fault from "./fault.ts"
import type { Answer, Row } from "./part.ts"
import * as Retry from "./retry.ts"
import type { Lender } from "./turns.ts"

export interface Prepared {
  readonly sql: string
  readonly values: Array<Buffer>
  /** How many rows it changes where nothing is in its way. */
  readonly all: number
  /** What to ask on the same connection where it changed fewer. */
  readonly look: () => string
}

/** What it changed, and what the look found; nothing, where that is `undefined` or a fault without doubt. */
export const run = (
  { all, look, sql, values }: Prepared,
  { deadline, deadlines, lender }: {
    readonly deadline: number
    readonly deadlines: Deadlines
    readonly lender: Lender
  }
): Effect.Effect<Answer | Fault.Fault | undefined> =>
  Effect.callback((resume) => {
    let connection: Mysql.PoolConnection | undefined
    let sent = false
    let over = false

    const end = (outcome: Answer | Fault.Fault | undefined, good: boolean): void => {
      if (over) return
      over = true
      if (connection !== undefined) lender.giveBack(connection, good, deadline)
      // First: the next call may follow from it, and goes on with the same timer.
      resume(Effect.succeed(outcome))
      deadlines.end(entry)
    }
    const entry = deadlines.begin(deadline, () => end({ ...Retry.timeout, inDoubt: sent }, false))

    lender.lend((lent) => {
      if (over) return lent?.release()
      connection = lent
      if (lent === undefined) return end(undefined, true)
      lent.prepare(sql, (error: Mysql.QueryError | null, statement) => {
        if (over) return
        if (error !== null) {
          const fault = Fault.fromMysql("query", error)
          // Such as one statement too many, which is nothing that is wrong with the connection.
          return end(undefined, !fault.inDoubt && !Fault.isOfRights(fault))
        }
        sent = true
        statement.execute(values, (error, result) => {
          if (over) return
          if (error !== null) {
            const fault = Fault.fromMysql("query", error)
            return end(fault, fault.remedy === "again" && !fault.inDoubt)
          }
          const changed = (result as Mysql.ResultSetHeader).affectedRows
          if (changed === all) return end({ changed, rows: [] }, true)
          sent = changed > 0
          lent.query({ ...raw, sql: look(), values: null as unknown as [] }, (error, rows) => {
            if (error === null) end({ changed, rows: rows as unknown as ReadonlyArray<Row> }, true)
            else end(sent ? { ...Fault.fromMysql("query", error), inDoubt: true } : undefined, false)
          })
        })
      })
    })
    return Effect.sync(() => end(undefined, false))
  })
