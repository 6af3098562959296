import { Duration, Effect, Layer, Redacted, Schema, type Scope } from "effect"
import { Scoped, Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import type { Driver } from "../../src/Driver.ts"
import type { DriverError } from "../../src/ScopedError.ts"
import { type MysqlServer, mysqlServer, query } from "../servers/mysql.ts"

let tables = 0

/** A name for a table that nobody else uses. */
export const freshTable = (): string => `effect_scoped_${crypto.randomUUID().slice(0, 8)}_${++tables}`

/** An empty table on the server of `MYSQL_URL`, or else on a server of its own; gone when the scope closes. */
export const store = (
  options: MysqlDriver.Options = {}
): Effect.Effect<Effect.Effect<Driver, DriverError, Scope.Scope>, Error, Scope.Scope> =>
  Effect.gen(function*() {
    const url = process.env["MYSQL_URL"] ?? (yield* mysqlServer()).url
    const table = freshTable()
    yield* Effect.addFinalizer(() => Effect.orDie(query(url, `DROP TABLE IF EXISTS ${table}`)))
    return MysqlDriver.make({ url: Redacted.make(url), table, ...options })
  })

/** A driver of the server at a port, as `root` on the database `test`. */
export const connect = (port: number, options: MysqlDriver.Options = {}) =>
  MysqlDriver.make({ url: Redacted.make(`mysql://root@127.0.0.1:${port}/test`), ...options })

export const Count = Scoped.family("count", { key: Schema.String, schema: Schema.Int, initial: 0 })

export const increment = Scoped.update((count: number) => [count + 1, count + 1] as const)

/** A storage over a driver, for as long as the scope is open. */
export const storage = (driver: Driver, options?: Storage.Options) =>
  Layer.build(Layer.fresh(Storage.layer(Effect.succeed(driver), options)))

/** A session of somebody else's. */
export const session = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => Mysql.createConnection({ uri: url, multipleStatements: true })),
      (connection) => Effect.sync(() => connection.destroy())
    ),
    (connection) => (sql: string) => Effect.promise(() => connection.query(sql))
  )

/** What an effect came to, and how many milliseconds that took. */
export const timed = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.timed(effect), ([duration, result]) => [result, Duration.toMillis(duration)] as const)

/** How often transactions have waited for each other in a circle. */
export const deadlocks = ({ mariadb, url }: MysqlServer) =>
  Effect.map(
    query(
      url,
      mariadb
        ? "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"
        : "SELECT COUNT AS Value FROM information_schema.INNODB_METRICS WHERE NAME='lock_deadlocks'"
    ),
    ([row]) => Number(row!["Value"])
  )
