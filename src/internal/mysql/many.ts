/**
 * Plain writes of different scopes: as many as there are take one statement. None of them is applied where a record is
 * another one than its write expects.
 *
 * The statement is prepared, so its text cannot depend on how many they are: there is one for each power of two, and
 * places that nobody needs are filled with a name that is none. A row finds the place of its write by its name, in a tree
 * of comparisons; the number of that is all that `expires_at` holds until it is set to what it should be, behind
 * whatever needs the number. Assignments are done from left to right. Where a server saw it differently, no revision
 * would be as expected.
 */
import * as Effect from "effect/Effect"
import { Buffer } from "node:buffer"
import type { Write } from "../../Driver.ts"
import type { Deadlines } from "../deadlines.ts"
import type * as Fault from "./fault.ts"
import * as Look from "./look.ts"
import { type Answer, committed, found, isStored, type Outcome } from "./part.ts"
import * as Plain from "./plain.ts"
import * as Plan from "./plan.ts"
import * as Prepared from "./prepared.ts"
import * as Sql from "./sql.ts"
import type { Lender } from "./turns.ts"

export const make = ({ deadlines, table }: {
  readonly deadlines: Deadlines
  readonly table: string
}) => {
  const statements = new Map<number, Statement>()
  const statementOf = (size: number): Statement => {
    let statement = statements.get(size)
    if (statement === undefined) statements.set(size, statement = toStatement(table, size))
    return statement
  }

  // Where others write the same scopes, it is in vain time and again, and less and less often tried.
  let failures = 0
  let pause = 0

  /** What became of them; nothing, where that is `undefined` or a fault without doubt. */
  return (
    writes: ReadonlyArray<Write>,
    deadline: number,
    maxPacket: number,
    lender: Lender
  ): Effect.Effect<ReadonlyArray<Outcome> | Fault.Fault | undefined> => {
    if (pause > 0) {
      pause--
      return Effect.undefined
    }
    if (writes.length > most) return Effect.undefined
    const { order, sql } = statementOf(Math.max(least, 2 ** Math.ceil(Math.log2(writes.length))))
    const values = toValues(writes, order, maxPacket)
    if (values === undefined) return Effect.undefined
    const look = () => Look.records(table, writes.map(({ name }) => name), "NULL")
    return Effect.map(
      Prepared.run({ sql, values, all: writes.length, look }, { deadline, deadlines, lender }),
      (answer) => {
        if (answer === undefined) return answer
        if ("reason" in answer) {
          pause = 2 ** Math.min(++failures, 5)
          return answer
        }
        failures = 0
        return decide(writes, answer)
      }
    )
  }
}

/** For how many writes there are statements. */
const least = 4
const most = 512

interface Statement {
  readonly sql: string
  /** The places by whose first name the tree goes on to the left or to the right, as they come in the text. */
  readonly order: ReadonlyArray<number>
}

const toStatement = (table: string, size: number): Statement => {
  const order: Array<number> = []
  const place = (from: number, to: number): string => {
    if (to - from === 1) return `${to}`
    const middle = (from + to) / 2
    order.push(middle)
    return `IF(s.name<?,${place(from, middle)},${place(middle, to)})`
  }
  const tree = place(0, size)
  const all = Array.from({ length: size }, () => "?").join(",")
  const own = `ELT(s.expires_at,${all})`
  // Whatever the SQL mode, this fails, and with it the whole statement.
  const refusal = "(SELECT 1 UNION SELECT 2)"
  return {
    order,
    sql: `UPDATE ${table} AS s FORCE INDEX (PRIMARY) SET ` +
      `s.expires_at=IF(${Sql.isThere("s")} AND ${Sql.isFresh("s")},${tree},NULL),` +
      `s.revision=IF(s.revision=${own},${own},${refusal}),s.data=${own},s.expires_at=NULL,s.gone_at=NULL ` +
      `WHERE s.name IN (${all})`
  }
}

/** In UTF-8 there is no such byte. */
const nobody = Buffer.from([0xff])

/** What goes into a statement; `undefined` where it does not fit there, or two are of one scope. */
const toValues = (
  writes: ReadonlyArray<Write>,
  order: ReadonlyArray<number>,
  maxPacket: number
): Array<Buffer> | undefined => {
  const rows: Array<Plain.Row> = []
  for (const write of writes) {
    const row = Plain.toRow(write)
    if (row === undefined) return undefined
    rows.push(row)
  }
  // As the server compares them.
  rows.sort((a, b) => Buffer.compare(a.name, b.name))

  const size = order.length + 1
  const values = order.map((place) => rows[place]?.name ?? nobody)
  const add = (value: (row: Plain.Row) => Buffer) => {
    for (let i = 0; i < size; i++) values.push(i < rows.length ? value(rows[i]!) : nobody)
  }
  add(({ expected }) => expected)
  add(({ revision }) => revision)
  add(({ data }) => data)
  add(({ name }) => name)
  const isDistinct = rows.every(({ name }, i) => i === 0 || !name.equals(rows[i - 1]!.name))
  const bytes = values.reduce((sum, { length }) => sum + length + 16, 0)
  return isDistinct && bytes <= Plan.dataBytes(maxPacket) ? values : undefined
}

/**
 * All there were have been written, or none. Some have no row, or somebody interrupted the statement and was not told of
 * it. Where as many are found as there were, the others were not among them; where somebody else came after one, there
 * is no telling.
 */
const decide = (writes: ReadonlyArray<Write>, answer: Answer): ReadonlyArray<Outcome> => {
  if (answer.changed === writes.length) return writes.map(() => committed)
  const records = found(answer)
  const stored = writes.map((write) => isStored(write, records.get(write.name) ?? null))
  const isWhole = stored.filter((is) => is).length === answer.changed
  return stored.map((is) => is ? committed : isWhole ? "again" : "unknown")
}
