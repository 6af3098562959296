/**
 * Scopes in a table of MySQL 8.0 to 9.x or MariaDB 10.6 and up. Needs the package `mysql2`.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcRef from "effect/RcRef"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Mysql from "mysql2"
import type * as MysqlPromise from "mysql2/promise"
import type { Driver } from "./Driver.ts"
import * as Commit from "./internal/mysql/commit.ts"
import * as Connections from "./internal/mysql/connections.ts"
import * as Fault from "./internal/mysql/fault.ts"
import * as Gate from "./internal/mysql/gate.ts"
import * as Plan from "./internal/mysql/plan.ts"
import * as Poll from "./internal/mysql/poll.ts"
import * as Pool from "./internal/mysql/pool.ts"
import * as Queries from "./internal/mysql/queries.ts"
import * as Retry from "./internal/mysql/retry.ts"
import * as Server from "./internal/mysql/server.ts"
import * as Sql from "./internal/mysql/sql.ts"
import * as Sweep from "./internal/mysql/sweep.ts"
import * as Watchers from "./internal/mysql/watchers.ts"
import type { DriverError } from "./ScopedError.ts"
import * as Storage from "./Storage.ts"

/**
 * Options of the MySQL driver.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly url?: Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly tls?: boolean | Mysql.SslOptions | undefined
  readonly poolConfig?: Mysql.PoolOptions | undefined
  readonly pool?: Mysql.Pool | MysqlPromise.Pool | undefined
  readonly table?: string | undefined
  readonly createTable?: boolean | undefined
  readonly timeout?: Duration.Input | undefined
  readonly pollInterval?: Duration.Input | undefined
  readonly sweepInterval?: Duration.Input | undefined
}

export const make: (options?: Options) => Effect.Effect<Driver, DriverError, Scope.Scope> = Effect.fnUntraced(
  function*(options: Options = {}) {
    const clock = yield* Clock.Clock
    const timeout = Duration.toMillis(Duration.fromInputUnsafe(options.timeout ?? "4.5 seconds"))
    const gate = Gate.make(clock, timeout)
    const watchers = Watchers.make()

    const name = options.table ?? "effect_scopes"
    const table = Sql.identifier(name)
    if (table === undefined) {
      return yield* gate.run("open", () => Effect.fail(Fault.make("Unknown", `${JSON.stringify(name)} is no table`)))
    }
    const { owned, pool } = yield* gate.run("open", () => Pool.make(options, timeout))
    const connections = Connections.make(pool, owned)
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => watchers.fail(closed)).pipe(
        Effect.andThen(gate.close),
        Effect.andThen(connections.close)
      )
    )
    const server = Server.make({ connections, table, create: options.createTable ?? true })
    const queries = Queries.make({ connections, table })
    const commit = Commit.make({ clock, connections, server, table })

    const query = <A>(operation: DriverError["operation"], effect: Effect.Effect<A, Fault.Fault>) =>
      gate.run(operation, (deadline) => Retry.within(clock, deadline, Effect.andThen(server.ready, effect)))

    yield* query("open", Effect.void).pipe(
      // It may come up later.
      Effect.catchIf(
        ({ reason }) => reason === "Unavailable" || reason === "Timeout",
        (error) => Effect.logWarning(`${error.message}. Going on: what needs it fails until it is there`)
      )
    )

    const polling = yield* RcRef.make({
      acquire: Effect.forkScoped(Poll.make({
        interval: Duration.fromInputUnsafe(options.pollInterval ?? 200),
        watchers,
        revisions: (names) => query("changes", queries.revisions(names))
      }))
    })

    yield* Effect.forkScoped(Sweep.make({
      interval: Duration.fromInputUnsafe(options.sweepInterval ?? "1 minute"),
      sweep: query("commit", queries.sweep)
    }))

    return {
      name: "mysql",
      limits: {
        nameBytes: Sql.nameBytes,
        get dataBytes() {
          const maxPacket = server.maxPacket()
          return maxPacket === undefined ? largest : Math.min(largest, Plan.dataBytes(maxPacket))
        },
        scopesPerTransaction: 1000
      },
      parallelism: 4,
      read: (names) => query("read", queries.records(names)),
      commit: (batch) => gate.run("commit", (deadline) => commit(batch, deadline)),
      changes: (names) =>
        Stream.suspend(() =>
          gate.closed() ? Stream.fail(closed) : Stream.unwrap(Effect.as(RcRef.get(polling), watchers.watch(names)))
        ),
      names: (prefix) =>
        Stream.paginate(undefined as string | undefined, (after) =>
          Effect.map(
            query("names", queries.names(prefix, after)),
            (names) => [names, Queries.isLastPage(names) ? Option.none() : Option.fromUndefinedOr(names.at(-1))]
          ))
    }
  }
)

const largest = 16 * 1024 * 1024

const closed = Fault.toDriverError("changes")(Fault.closed)

export const layer = (
  options?: Options,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, DriverError> => Storage.layer(make(options), storage)

export const layerConfig = (
  options: Config.Wrap<Options>,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, Config.ConfigError | DriverError> =>
  Storage.layer(Effect.flatMap(Config.unwrap(options), make), storage)
