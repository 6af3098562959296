/**
 * A single plain write: one statement, and a look where it changed nothing.
 */
import * as Effect from "effect/Effect"
import type { Verdict, Write } from "../../Driver.ts"
import type { Deadlines } from "../deadlines.ts"
import type * as Fault from "./fault.ts"
import * as Look from "./look.ts"
import { committed, refused } from "./part.ts"
import * as Plain from "./plain.ts"
import * as Plan from "./plan.ts"
import * as Prepared from "./prepared.ts"
import * as Sql from "./sql.ts"
import type { Lender } from "./turns.ts"

export const make = ({ deadlines, table }: {
  readonly deadlines: Deadlines
  readonly table: string
}) => {
  // A revision of an expired record is not the one that it was stored with: it is none that is looked for here.
  const sql = `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET s.data=?,s.expires_at=NULL,s.gone_at=NULL,s.revision=? ` +
    `WHERE s.name=? AND s.revision=? AND ${Sql.isThere("s")} AND ${Sql.isFresh("s")}`

  /** What became of it; nothing, where that is `undefined` or a fault without doubt. */
  return (
    write: Write,
    deadline: number,
    maxPacket: number,
    lender: Lender
  ): Effect.Effect<Verdict | Fault.Fault | undefined> => {
    const row = Plain.toRow(write)
    if (row === undefined || row.data.length > Plan.dataBytes(maxPacket)) return Effect.undefined
    const values = [row.data, row.revision, row.name, row.expected]
    const look = () => Look.records(table, [write.name])
    return Effect.map(Prepared.run({ sql, values, all: 1, look }, { deadline, deadlines, lender }), (answer) => {
      if (answer === undefined || "reason" in answer) return answer
      if (answer.changed === 1) return committed
      const outcome = refused([write], Look.recordsOf([write.name], answer))
      return typeof outcome === "string" ? undefined : outcome
    })
  }
}
