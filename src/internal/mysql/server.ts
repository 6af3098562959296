/**
 * What must be known of the server, and be there, before anything else.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Connections } from "./connections.ts"
import * as Fault from "./fault.ts"
import type { Row } from "./part.ts"
import * as Sql from "./sql.ts"

export interface Server {
  /** Makes sure of the table, the first time. The largest packet that the server takes, in bytes. */
  readonly ready: Effect.Effect<number, Fault.Fault>
  /** As far as it is known. */
  readonly maxPacket: () => number | undefined
  /** Look again next time: the table is gone, a packet was too large after all, or it may be another server. */
  readonly forget: () => void
}

export const make = (options: {
  readonly connections: Connections
  readonly table: string
  readonly create: boolean
}): Server => {
  const { connections, table } = options
  let maxPacket: number | undefined
  let known = false

  const missing = (fault: Fault.Fault): Fault.Fault => ({
    ...fault,
    description: `${fault.description}: let "createTable" be true, or run\n${Sql.createTable(table)}`
  })

  const look = Effect.gen(function*() {
    const ask = connections.run([
      `SELECT @@max_allowed_packet AS bytes`,
      `SHOW COLUMNS FROM ${table}`,
      transactional(table)
    ])
    const [packet, columns, engine] = yield* Effect.catch(ask, (fault) => {
      if (!isMissing(fault)) return Effect.fail(fault)
      return options.create
        ? Effect.andThen(connections.run([Sql.createTable(table)]), ask)
        : Effect.fail(missing(fault))
    })
    if (!columns!.rows.some(isKey) || !columnTypes.every(([name, type]) => hasColumn(columns!.rows, name, type))) {
      return yield* Effect.fail(unfit(`${table} has not the columns that are needed`))
    }
    if (engine!.rows[0]?.[0]?.toString() === "NO") {
      return yield* Effect.fail(unfit(`the storage engine of ${table} knows no transactions`))
    }
    maxPacket = Number(packet!.rows[0]![0]!.toString())
    known = true
    return maxPacket
  })

  const unfit = (what: string): Fault.Fault =>
    Fault.make("Corrupt", `${what}: name another table, or make it with\n${Sql.createTable(table)}`)

  const one = Semaphore.makeUnsafe(1)
  const ready = Effect.suspend(() => known ? Effect.succeed(maxPacket!) : look)
  return {
    ready: Effect.suspend(() => known ? ready : one.withPermit(ready)),
    maxPacket: () => maxPacket,
    forget: () => {
      known = false
    }
  }
}

export const isMissing = (fault: Fault.Fault): boolean =>
  (fault.cause as { readonly errno?: unknown } | undefined)?.errno === 1146

const isKey = ([name, , , key]: Row): boolean => name!.toString() === "name" && key!.toString() === "PRI"

const hasColumn = (columns: ReadonlyArray<Row>, name: string, type: (type: string) => boolean): boolean =>
  columns.some((column) => column[0]!.toString() === name && type(column[1]!.toString().toLowerCase()))

const bytes = (least: number) => (type: string): boolean => Number(/^varbinary\((\d+)\)$/.exec(type)?.[1]) >= least

const columnTypes: ReadonlyArray<readonly [name: string, type: (type: string) => boolean]> = [
  ["name", bytes(Sql.nameBytes)],
  ["revision", bytes(Sql.revisionBytes)],
  ["data", (type) => type === "longblob"],
  ["expires_at", (type) => /^bigint(\(\d+\))?$/.test(type)]
]

const transactional = (table: string): string => {
  const [name, database] = table.replaceAll("`", "").split(".").toReversed()
  return `SELECT e.TRANSACTIONS FROM information_schema.TABLES AS t ` +
    `JOIN information_schema.ENGINES AS e ON e.ENGINE=t.ENGINE ` +
    `WHERE t.TABLE_NAME='${name}' AND t.TABLE_SCHEMA=${database === undefined ? "DATABASE()" : `'${database}'`}`
}
