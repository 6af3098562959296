/**
 * Scopes in a table of MySQL or MariaDB: for programs that have such a server anyway. Needs the package `mysql2`.
 *
 * **Details**
 *
 * Works with MySQL 8.0 to 9.x and MariaDB 10.6 and up, whatever their isolation level, SQL mode and `autocommit`. A
 * batch of commits is one packet and one database transaction, so it takes one round trip, one more for its states, and
 * one sync of the log. A batch of updates that change one scope each, where all are there and stay, is one statement;
 * over a pool that was given it is not. Whatever is refused brings its current record along. Rows are locked in the order
 * of their names, over the whole batch, so that processes do not deadlock. Reads, also of several scopes at one moment,
 * take no lock. Processes that want one scope at once take turns of some milliseconds, by `GET_LOCK`, except over a pool
 * that was given; turns are advice, and correctness does not depend on them.
 *
 * States travel as bound values of prepared statements, never in the text of a statement: of an `UPDATE` of scopes that
 * stay, or else of a `SET` of a session variable before the statements that use it. MariaDB shows no bound value in its
 * process list; MySQL does while the statement runs, and the general and slow logs of both do. What nobody there may see
 * needs to be encrypted by its schema.
 *
 * An acknowledged update survives what the server lets a transaction survive. With `innodb_flush_log_at_trx_commit=1`
 * and, where there is a binary log, `sync_binlog=1` (the defaults of MySQL; MariaDB has `sync_binlog=0`) that is a crash
 * of the server and of its machine. With `innodb_flush_log_at_trx_commit=0` what was acknowledged within the last second
 * or so is lost with the server's process, and with `2` with its machine. A replica that is promoted lacks what it has
 * not received: only semi-synchronous or group replication waits for it. Connect to the primary: replicas give old
 * records, and refuse to write. After a switchover connections to the old one are dropped as soon as it refuses a write,
 * or within seconds of its becoming read-only, and made anew by the same address.
 *
 * The tables, which are made where they do not exist:
 *
 * ```sql
 * CREATE TABLE IF NOT EXISTS effect_scopes (
 *   name VARBINARY(512) NOT NULL PRIMARY KEY,
 *   revision VARBINARY(1024) NOT NULL,
 *   data LONGBLOB NULL,
 *   expires_at BIGINT NULL,
 *   gone_at BIGINT NULL
 * ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
 * CREATE TABLE IF NOT EXISTS effect_scopes_expiring (
 *   name VARBINARY(512) NOT NULL PRIMARY KEY,
 *   due_at BIGINT NOT NULL,
 *   KEY due_at (due_at)
 * ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
 * CREATE TABLE IF NOT EXISTS effect_scopes_hints (
 *   id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
 *   name VARBINARY(512) NOT NULL,
 *   at BIGINT NOT NULL
 * ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;
 * ```
 *
 * `name` and `data` are UTF-8, kept byte for byte; times are in microseconds of the server's clock since 1970. From
 * `expires_at` on a row is a tombstone, and from `gone_at` on it counts as none. `effect_scopes_expiring` lists the rows
 * that may be deleted once they are due; `effect_scopes_hints` is written to only while some process watches, and holds
 * a minute. Leave the rows to the driver: a scope whose row somebody else changes may lose updates.
 *
 * The user needs `SELECT`, `INSERT`, `UPDATE` and `DELETE` on the tables, and `CREATE` unless they exist. A table that
 * an older version made is brought up to date when the driver opens, which takes `ALTER`; with `createTable: false` the
 * error holds the statements.
 *
 * **Gotchas**
 *
 * - A state may take up to 16 MiB, and a little less than the server's `max_allowed_packet`.
 * - A connection keeps up to ten prepared statements, which take some 2 MB of the server's memory:
 *   `max_prepared_stmt_count` must have room for those of all processes.
 * - A `binlog_format` of `STATEMENT` does not work; `ROW` and `MIXED` do.
 * - On a Galera cluster or with several primaries, let all programs write to one node.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as RcRef from "effect/RcRef"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Mysql from "mysql2"
import type * as MysqlPromise from "mysql2/promise"
import type { Driver } from "./Driver.ts"
import * as Background from "./internal/background.ts"
import { Deadlines } from "./internal/deadlines.ts"
import * as Commit from "./internal/mysql/commit.ts"
import * as Connections from "./internal/mysql/connections.ts"
import * as Fault from "./internal/mysql/fault.ts"
import * as Gate from "./internal/mysql/gate.ts"
import * as Hints from "./internal/mysql/hints.ts"
import * as Plan from "./internal/mysql/plan.ts"
import * as Poll from "./internal/mysql/poll.ts"
import * as Pool from "./internal/mysql/pool.ts"
import * as Queries from "./internal/mysql/queries.ts"
import * as Server from "./internal/mysql/server.ts"
import * as Sweep from "./internal/mysql/sweep.ts"
import * as Tables from "./internal/mysql/tables.ts"
import { Watchers } from "./internal/watchers.ts"
import type { DriverError } from "./ScopedError.ts"
import * as Storage from "./Storage.ts"

/**
 * Options of the MySQL driver. Where the server is, by one of:
 *
 * - `pool`: a pool of `mysql2` or `mysql2/promise`. It stays open when the driver closes, and its connections are given
 *   back as they were. With `multipleStatements` a commit takes one or two round trips, without it a few.
 * - `url`: such as `mysql://user:password@host:3306/database`, as a string or `Redacted`. What is special in user and
 *   password is written as `encodeURIComponent` does.
 * - `host` (default: `"localhost"`), `port` (3306), `database`, `username` and `password`; besides a `url` they win.
 *
 * And for a pool of the driver's own:
 *
 * - `tls`: `true` for a connection that is encrypted, to a server whose certificate is valid for its host; or options of
 *   it. Default: `false`.
 * - `poolConfig`: options of `mysql2` for everything else, such as `connectionLimit` (10; the driver uses up to 10) or
 *   `socketPath`.
 *
 * Besides:
 *
 * - `table`: the name of the table, also `database.table`; of letters, digits, `_` and `$`, and 55 of them at most: the
 *   names of the other two begin with it. Default: `effect_scopes`.
 * - `createTable`: whether to create the tables where they do not exist. Default: `true`.
 * - `timeout`: how long a call may take. Less than the `timeout` of the storage, or what a call knows of its failure is
 *   lost. Below 1.5 seconds a lock that somebody else holds leaves a commit in doubt: no server waits for less than a
 *   second. Default: 4.5 seconds; in {@link layer}, nine tenths of the storage's.
 * - `pollInterval`: how often `changes` looks for what other processes have committed; one small query for all who
 *   watch, and none while nobody does. Default: 50 milliseconds.
 * - `sweepInterval`: how often, about, rows that count as none are deleted; `Duration.infinity` for never, where another
 *   process does it. Default: 1 minute.
 *
 * Durations are in milliseconds where they are numbers.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly pool?: Mysql.Pool | MysqlPromise.Pool | undefined
  readonly url?: string | Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly tls?: boolean | Mysql.SslOptions | undefined
  readonly poolConfig?: Mysql.PoolOptions | undefined
  readonly table?: string | undefined
  readonly createTable?: boolean | undefined
  readonly timeout?: Duration.Input | undefined
  readonly pollInterval?: Duration.Input | undefined
  readonly sweepInterval?: Duration.Input | undefined
}

/**
 * Connects to a server.
 *
 * **Details**
 *
 * Fails with a `DriverError` where the server does not let the user in, or the database or the table cannot be used
 * (`Forbidden`); where the table is another one (`Corrupt`); and where an option is invalid (`Unknown`). A server that
 * is not there (`Unavailable`, `Timeout`) is only warned about: what needs it fails until it is.
 *
 * When the scope closes, calls that run are waited for, and those that come later fail with `Closed`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<Driver, DriverError, Scope.Scope> = Effect.fnUntraced(
  function*(options: Options = {}) {
    const clock = yield* Clock.Clock
    const timeout = Duration.toMillis(Duration.fromInputUnsafe(options.timeout ?? "4.5 seconds"))
    const gate = Gate.make(clock, timeout)
    const watchers = new Watchers()

    const name = options.table ?? "effect_scopes"
    const tables = Tables.named(name)
    if (tables === undefined) {
      return yield* Fault.toDriverError("open")(notATable(name))
    }
    const { owned, pool } = yield* gate.run("open", () => Pool.make(options, timeout))
    const connections = Connections.make({ clock, pool, owned, timeout })
    const server = Server.make({ clock, connections, tables, create: options.createTable ?? true })
    const queries = Queries.make({ clock, connections, tables })
    const hints = Hints.make({ clock, connections, tables })
    const fork = yield* Background.make
    const deadlines = new Deadlines({
      now: () => clock.currentTimeMillisUnsafe(),
      fork,
      soon: yield* Background.soon
    })

    const query = <A>(
      operation: DriverError["operation"],
      f: (deadline: number) => Effect.Effect<A, Fault.Fault>
    ): Effect.Effect<A, DriverError> =>
      gate.run(
        operation,
        (deadline) =>
          Effect.andThen(server.ready(deadline), f(deadline)).pipe(
            Effect.tapError((fault) => Effect.sync(() => server.notice(fault)))
          )
      )

    const tell = query("changes", hints.tell)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => watchers.fail(closed)).pipe(
        Effect.andThen(hints.pending() ? Effect.ignore(Effect.timeout(tell, 500)) : Effect.void),
        Effect.andThen(gate.close),
        Effect.andThen(connections.close)
      )
    )

    yield* query("open", () => Effect.void).pipe(
      // It may come up later.
      Effect.catchIf(
        ({ reason }) => reason === "Unavailable" || reason === "Timeout",
        (error) => Effect.logWarning(`${error.message}. Going on: what needs it fails until it is there`)
      )
    )

    const changed = yield* Queue.sliding<void>(1)
    yield* Queue.take(changed).pipe(
      Effect.andThen(Effect.ignore(tell)),
      Effect.andThen(Effect.sleep(tellInterval)),
      Effect.forever,
      Effect.forkScoped
    )
    const commit = Commit.make({
      deadlines,
      fork,
      clock,
      connections,
      server,
      tables,
      onChange: (names) => {
        for (const name of names) watchers.hint(name)
        if (names.length > 0 && hints.add(names)) Queue.offerUnsafe(changed, undefined)
      }
    })

    const polling = yield* RcRef.make({
      acquire: Effect.forkScoped(Poll.make({
        clock,
        interval: Duration.fromInputUnsafe(options.pollInterval ?? 50),
        watchers,
        announce: query("changes", hints.announce),
        listen: query("changes", hints.listen),
        hear: query("changes", hints.hear),
        revisions: (names) => query("changes", (deadline) => queries.revisions(deadline, names))
      }))
    })

    const sweepInterval = Duration.fromInputUnsafe(options.sweepInterval ?? "1 minute")
    if (Duration.isFinite(sweepInterval)) {
      yield* Effect.forkScoped(Sweep.make({ interval: sweepInterval, sweep: query("commit", queries.sweep) }))
    }

    return {
      name: "mysql",
      limits: {
        nameBytes: Tables.nameBytes,
        get dataBytes() {
          const maxPacket = server.maxPacket()
          return maxPacket === undefined ? largest : Math.min(largest, Plan.dataBytes(maxPacket))
        },
        scopesPerTransaction: 1000
      },
      parallelism: 4,
      read: (names) => query("read", (deadline) => queries.records(deadline, names)),
      commit: (batch) => gate.run("commit", (deadline) => commit(batch, deadline)),
      changes: (names) =>
        Stream.suspend(() =>
          gate.closed() ? Stream.fail(closed) : Stream.unwrap(Effect.as(RcRef.get(polling), watchers.watch(names)))
        ),
      names: (prefix) =>
        Stream.paginate(undefined as string | undefined, (after) =>
          Effect.map(
            query("names", (deadline) => queries.names(deadline, prefix, after)),
            (names) => [names, Queries.isLastPage(names) ? Option.none() : Option.fromUndefinedOr(names.at(-1))]
          ))
    }
  }
)

const largest = 16 * 1024 * 1024

/** For so many milliseconds names that have changed are gathered, after some were told of. */
const tellInterval = 5

const notATable = (name: string): Fault.Fault =>
  Fault.make(
    "Unknown",
    `${JSON.stringify(name)} is no name of a table: use letters, digits, "_" and "$", 55 at most, and one "." behind ` +
      `that of a database`
  )

const closed = Fault.toDriverError("changes")(Fault.closed)

/**
 * A storage in a table of MySQL or MariaDB.
 *
 * **Example** (A counter that many machines share)
 *
 * ```ts title="needs a server"
 * import { Effect, Redacted, Schema } from "effect"
 * import { Scoped } from "effect-scoped"
 * import * as MysqlDriver from "effect-scoped/MysqlDriver"
 *
 * const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
 * const visit = Scoped.update(Visits, (n) => [n + 1, n + 1])
 *
 * visit.pipe(
 *   Effect.provide(MysqlDriver.layer({ url: Redacted.make("mysql://root@localhost/test") })),
 *   Effect.runPromise
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options?: Options,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, DriverError> => Storage.layer(make(within(options, storage)), storage)

/** A call of the driver ends before the storage gives it up, and tells what it knows. */
const within = (options: Options = {}, storage: Storage.Options = {}): Options =>
  options.timeout !== undefined || storage.timeout === undefined
    ? options
    : { ...options, timeout: Duration.times(Duration.fromInputUnsafe(storage.timeout), 0.9) }

/**
 * Like {@link layer}, with options from configuration.
 *
 * **Example** (The address from the environment)
 *
 * ```ts
 * import { Config } from "effect"
 * import * as MysqlDriver from "effect-scoped/MysqlDriver"
 *
 * const StorageLive = MysqlDriver.layerConfig({ url: Config.Redacted("MYSQL_URL") })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, Config.ConfigError | DriverError> =>
  Storage.layer(Effect.flatMap(Config.unwrap(options), (options) => make(within(options, storage))), storage)
