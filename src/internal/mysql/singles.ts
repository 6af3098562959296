/**
 * Transactions that write one scope each, no two of the same: as many as there are take one statement for the writes,
 * and one to see what became of them.
 */
import type { Write } from "../../Driver.ts"
import { type Answer, columns, committed, found, isStored, type Outcome, type Part, refused } from "./part.ts"
import * as Sql from "./sql.ts"

export const make = (table: string, writes: ReadonlyArray<Write>, bound: Sql.Bound): Part => ({
  statements: [Sql.update(table, writes, bound, Sql.asExpected(writes)), look(table, writes)],
  verdicts: ([update, look]) => update!.changed === writes.length ? writes.map(() => committed) : decide(writes, look!)
})

const decide = (writes: ReadonlyArray<Write>, answer: Answer): ReadonlyArray<Outcome> => {
  const records = found(answer)
  return writes.map((write) => {
    const there = records.get(write.name)
    if (there === undefined) return "unknown"
    return isStored(write, there) ? committed : refused([write], [there])
  })
}

/**
 * Of each name, the record or that there is none; without the data of what was written just now. Nothing, where all of
 * it was. In the same packet, since no trip to the client may come while the rows are locked.
 */
const look = (table: string, writes: ReadonlyArray<Write>): string => {
  const own = writes.map(({ name, next }) => [Sql.text(name), Sql.text(next!.revision)])
  return `SELECT ${columns("n.name", `IF(s.revision=n.own,NULL,${Sql.data("s")})`)} ` +
    `FROM ${Sql.derived(["name", "own"], own)} AS n LEFT JOIN ${table} AS s ON s.name=n.name ` +
    `WHERE ROW_COUNT()<${writes.length}`
}
