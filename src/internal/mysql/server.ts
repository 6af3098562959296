/**
 * What must be known of the server, and be there, before anything else.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Connections } from "./connections.ts"
import * as Fault from "./fault.ts"
import type { Answer, Row } from "./part.ts"
import * as Retry from "./retry.ts"
import * as Tables from "./tables.ts"

export interface Server {
  /** Makes sure of the tables, the first time. The largest packet that the server takes, in bytes. */
  readonly ready: (deadline: number) => Effect.Effect<number, Fault.Fault>
  readonly isReady: () => boolean
  /** As far as it is known. */
  readonly maxPacket: () => number | undefined
  /**
   * Learns from a fault: a table is gone, a packet was too large after all, or it may be another server now, or should
   * be.
   */
  readonly notice: (fault: Fault.Fault) => void
}

export const make = (options: {
  readonly clock: Clock.Clock
  readonly connections: Connections
  readonly tables: Tables.Tables
  readonly create: boolean
}): Server => {
  const { clock, connections, create, tables } = options
  let maxPacket: number | undefined
  let known = false

  const missing = (fault: Fault.Fault): Fault.Fault => ({
    ...fault,
    description: `${fault.description}: let "createTable" be true, or run\n${script(Tables.create(tables))}`
  })

  const unfit = (what: string): Fault.Fault =>
    Fault.make("Corrupt", `${what}: name another table, or make it with\n${script(Tables.create(tables))}`)

  const runAll = (deadline: number, statements: ReadonlyArray<string>) =>
    Effect.forEach(statements, (statement) => connections.run(deadline, [statement]), { discard: true })

  /** Others may be at it too: who comes late finds it done. */
  const upgrade = (deadline: number, hasGoneAt: boolean) =>
    Effect.forEach(
      Tables.upgrade(tables, hasGoneAt),
      (statement) =>
        Effect.catch(connections.run(deadline, [statement]), (fault) => {
          const errno = Fault.numberOf(fault)
          return errno === 1060 || errno === 1091 ? Effect.void : Effect.fail(fault)
        }),
      { discard: true }
    )

  const look = Effect.fnUntraced(function*(deadline: number) {
    const ask = connections.run(deadline, [
      `SELECT @@max_allowed_packet AS bytes`,
      `SHOW COLUMNS FROM ${tables.scopes}`,
      `SHOW COLUMNS FROM ${tables.expiring}`,
      `SHOW COLUMNS FROM ${tables.hints}`,
      transactional(tables.scopes)
    ])
    let answers = yield* Effect.catch(ask, (fault) => {
      if (!isMissing(fault)) return Effect.fail(fault)
      return create
        ? Effect.andThen(runAll(deadline, Tables.create(tables)), ask)
        : Effect.fail(missing(fault))
    })
    const old = isOld(answers[1]!)
    if (old !== undefined) {
      if (!create) {
        return yield* Effect.fail(Fault.make(
          "Corrupt",
          `${tables.scopes} is that of an older version: end the programs that use it, and let "createTable" be true or ` +
            `run\n${script(Tables.upgrade(tables, old.hasGoneAt))}`
        ))
      }
      yield* upgrade(deadline, old.hasGoneAt)
      answers = yield* ask
    }
    const [packet, ...others] = answers as [Answer, Answer, Answer, Answer, Answer]
    for (const [i, columns] of columnTypes.entries()) {
      const { rows } = others[i]!
      const table = [tables.scopes, tables.expiring, tables.hints][i]!
      if (!rows.some(isKey(columns[0]![0])) || !columns.every(([name, type]) => hasColumn(rows, name, type))) {
        return yield* Effect.fail(unfit(`${table} has not the columns that are needed`))
      }
    }
    if (others[3]!.rows[0]?.[0]?.toString() === "NO") {
      return yield* Effect.fail(unfit(`the storage engine of ${tables.scopes} knows no transactions`))
    }
    maxPacket = Number(packet.rows[0]![0]!.toString())
    known = true
    return maxPacket
  })

  const one = Semaphore.makeUnsafe(1)
  const ready = (deadline: number) => Effect.suspend(() => known ? Effect.succeed(maxPacket!) : look(deadline))
  return {
    ready: (deadline) =>
      Effect.suspend(() =>
        known ? Effect.succeed(maxPacket!) : Retry.within(clock, deadline, one.withPermit(ready(deadline)))
      ),
    isReady: () => known,
    maxPacket: () => maxPacket,
    notice: (fault) => {
      if (
        isMissing(fault) || fault.reason === "Full" || fault.remedy === "elsewhere" || fault.remedy === "primary"
      ) known = false
    }
  }
}

const script = (statements: ReadonlyArray<string>): string => statements.map((statement) => `${statement};`).join("\n")

const isMissing = (fault: Fault.Fault): boolean => Fault.numberOf(fault) === 1146

/** Whether the table is the first one that there was, all or in part. */
const isOld = ({ rows }: Answer): { readonly hasGoneAt: boolean } | undefined => {
  const column = (name: string) => rows.find((row) => row[0]!.toString() === name)
  const expiresAt = column("expires_at")
  return expiresAt?.[3]?.toString() === "MUL" ? { hasGoneAt: column("gone_at") !== undefined } : undefined
}

const isKey = (key: string) => ([name, , , index]: Row): boolean =>
  name!.toString() === key && index!.toString() === "PRI"

const hasColumn = (columns: ReadonlyArray<Row>, name: string, type: (type: string) => boolean): boolean =>
  columns.some((column) => column[0]!.toString() === name && type(column[1]!.toString().toLowerCase()))

const bytes = (least: number) => (type: string): boolean => Number(/^varbinary\((\d+)\)$/.exec(type)?.[1]) >= least

const integer = (type: string): boolean => /^bigint(\(\d+\))?$/.test(type)

type Columns = ReadonlyArray<readonly [name: string, type: (type: string) => boolean]>

/** Of each table, the key first. */
const columnTypes: ReadonlyArray<Columns> = [
  [
    ["name", bytes(Tables.nameBytes)],
    ["revision", bytes(Tables.revisionBytes)],
    ["data", (type) => type === "longblob"],
    ["expires_at", integer],
    ["gone_at", integer]
  ],
  [["name", bytes(Tables.nameBytes)], ["due_at", integer]],
  [["id", integer], ["name", bytes(Tables.nameBytes)], ["at", integer]]
]

const transactional = (table: string): string => {
  const [name, database] = table.replaceAll("`", "").split(".").toReversed()
  return `SELECT e.TRANSACTIONS FROM information_schema.TABLES AS t ` +
    `JOIN information_schema.ENGINES AS e ON e.ENGINE=t.ENGINE ` +
    `WHERE t.TABLE_NAME='${name}' AND t.TABLE_SCHEMA=${database === undefined ? "DATABASE()" : `'${database}'`}`
}
