import { Context, Effect, Redacted } from "effect"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import type { Contender } from "../harness.ts"
import type { Contenders } from "./contenders.ts"
import * as Ours from "./ours.ts"

const context = Context.empty() as never

/** Rows for `update` and for the loops, all there from the start. */
const rows = 10_000

const prepare = async (pool: Mysql.Pool) => {
  await pool.query("CREATE TABLE IF NOT EXISTS plain (id INT PRIMARY KEY, n BIGINT NOT NULL)")
  await pool.query(
    "CREATE TABLE IF NOT EXISTS state (id INT PRIMARY KEY, version BIGINT NOT NULL, value LONGBLOB NOT NULL)"
  )
  const [found] = await pool.query<Array<Mysql.RowDataPacket>>("SELECT COUNT(*) AS count FROM state")
  if (found[0]!["count"] === rows) return
  const ids = Array.from({ length: rows }, (_, id) => id)
  await pool.query("INSERT IGNORE INTO plain VALUES ?", [ids.map((id) => [id, 0])])
  await pool.query("INSERT IGNORE INTO state VALUES ?", [ids.map((id) => [id, 0, `{"count":0}`])])
}

const next = (value: Buffer): string => JSON.stringify({ count: JSON.parse(String(value)).count + 1 })

/** One statement that the server does by itself, no state and no function. */
const update = (pool: Mysql.Pool): Contender => ({
  name: "UPDATE n = n + 1",
  add: (key) => Effect.promise(() => pool.query("UPDATE plain SET n = n + 1 WHERE id = ?", [key])),
  context
})

/** A transaction that holds the row from its read to its write. */
const forUpdate = (pool: Mysql.Pool): Contender => ({
  name: "SELECT … FOR UPDATE",
  add: (key) =>
    Effect.promise(async () => {
      const connection = await pool.getConnection()
      try {
        await connection.beginTransaction()
        const [found] = await connection.query<Array<Mysql.RowDataPacket>>(
          "SELECT value FROM state WHERE id = ? FOR UPDATE",
          [key]
        )
        await connection.query("UPDATE state SET value = ? WHERE id = ?", [next(found[0]!["value"]), key])
        await connection.commit()
      } finally {
        connection.release()
      }
    }),
  atMostOnOneKey: 64,
  context
})

/** A write that says which version it replaces, and the whole again where that is gone. */
const version = (pool: Mysql.Pool): Contender => {
  let attempts = 0
  return {
    name: "version column",
    add: (key) =>
      Effect.promise(async () => {
        for (;;) {
          attempts++
          const [found] = await pool.query<Array<Mysql.RowDataPacket>>(
            "SELECT version, value FROM state WHERE id = ?",
            [key]
          )
          const { value, version } = found[0]!
          const [{ affectedRows }] = await pool.query<Mysql.ResultSetHeader>(
            "UPDATE state SET version = version + 1, value = ? WHERE id = ? AND version = ?",
            [next(value), key, version]
          )
          if (affectedRows === 1) return
        }
      }),
    atMostOnOneKey: 64,
    context,
    attempts: Effect.sync(() => attempts)
  }
}

export const mysql: Contenders = (url) =>
  Effect.gen(function*() {
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => Mysql.createPool({ uri: url, connectionLimit: 16 })),
      (pool) => Effect.promise(() => pool.end())
    )
    yield* Effect.promise(() => prepare(pool))
    return [
      yield* Ours.make(MysqlDriver.layer({ url: Redacted.make(url) })),
      update(pool),
      forUpdate(pool),
      version(pool)
    ]
  })
