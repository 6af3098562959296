/**
 * Transactions of one scope each, no two of the same: as many as there are take a statement for the updates, one for
 * the creations, and one to see what became of them.
 */
import type { Write } from "../../Driver.ts"
import { type Answer, columns, committed, found, type Outcome, type Part, refused, toRecord } from "./part.ts"
import * as Sql from "./sql.ts"

export const make = (table: string, writes: ReadonlyArray<Write>): Part => {
  // In the order of the names: whoever locks rows in one order never waits in a circle.
  const sorted = writes.toSorted((a, b) => a.name < b.name ? -1 : 1)
  const updates = sorted.filter(({ expected, next }) => next !== undefined && expected !== null)
  const creations = sorted.filter(({ expected, next }) => next !== undefined && expected === null)
  const statements: Array<string> = []
  if (updates.length > 0) statements.push(Sql.update(table, updates, Sql.asExpected(updates)))
  if (creations.length > 0) statements.push(create(table, creations))
  const onlyUpdates = updates.length === writes.length
  statements.push(look(table, sorted, onlyUpdates ? updates.length : undefined))
  return {
    statements,
    verdicts: (answers) =>
      onlyUpdates && answers[0]!.changed === updates.length
        ? writes.map(() => committed)
        : decide(writes, answers.at(-1)!)
  }
}

const decide = (writes: ReadonlyArray<Write>, answer: Answer): ReadonlyArray<Outcome> => {
  const records = found(answer)
  return writes.map((write): Outcome => {
    const there = records.get(write.name)
    if (there === undefined) return "unknown"
    const current = toRecord(there)
    if (write.next === undefined) {
      return (current?.revision ?? null) === write.expected ? committed : refused([write], [current])
    }
    // No revision is ever used twice: where the new one is stored, it was stored by this transaction.
    return there.revision === write.next.revision ? committed : refused([write], [current])
  })
}

// The assignments run from left to right, and what they ask is whether the row has expired: that column comes last.
const create = (table: string, writes: ReadonlyArray<Write>): string => {
  const data = Sql.derivedData(writes.map(({ next }) => next!.data))
  const values = writes.map((write, i) => [
    Sql.text(write.name),
    Sql.text(write.next!.revision),
    data[i]!,
    Sql.stays(write)
  ])
  const replace = (column: string, value: string) => `${column}=IF(${Sql.gone(table)},${value},${table}.${column})`
  return `INSERT INTO ${table} (name,revision,data,expires_at) SELECT n.name,n.revision,n.data,${Sql.now}+n.stays ` +
    `FROM ${Sql.derived(["name", "revision", "data", "stays"], values)} AS n ON DUPLICATE KEY UPDATE ` +
    `${replace("data", "n.data")},${replace("revision", "n.revision")},` +
    replace("expires_at", `${Sql.now}+n.stays`)
}

/**
 * The record of each name, or a row that says that there is none; without the data of those that are as the writer
 * knows them. Of updates that all held, nothing.
 */
const look = (table: string, writes: ReadonlyArray<Write>, updates: number | undefined): string => {
  const known = writes.map(({ expected, name, next }) => [
    Sql.text(name),
    Sql.nullable(next === undefined ? expected : next.revision)
  ])
  return `SELECT ${columns(Sql.gone("s"), "n.name", "IF(s.revision=n.known,NULL,s.data)")} ` +
    `FROM ${Sql.derived(["name", "known"], known)} AS n LEFT JOIN ${table} AS s ON s.name=n.name` +
    (updates === undefined ? "" : ` WHERE ROW_COUNT()<${updates}`)
}
