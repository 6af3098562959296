/**
 * Scopes in Redis (6.0 and later) or Valkey: one server, one that Sentinel looks after, or a cluster. Needs `ioredis` 5 or
 * 6.
 *
 * **Details**
 *
 * A scope is a string: its key is the `prefix` followed by the scope's name, its value the revision and the state as
 * JSON, as in `16::k3J9x2TbQ0a:1a4={"count":3}`. It takes about 20 bytes more than the state alone, and as many again for
 * each other process that wrote it lately. A batch of updates is one call of a script that compares, writes with `SET`, and
 * answers with the current states of what it refused. Records expire by the clock of the server.
 *
 * `Scoped.changes` listens on a channel named like the key, on a connection that is open for as long as anything is
 * watched. Every two seconds it looks at the revisions, too (500 at a time, ten times a second at the most), so that a
 * change is seen also where the hint of it got lost.
 *
 * Processes that are busy on the same scope take turns: who was refused twice in a row asks for one on a channel beside the
 * scope (named like its key, followed by ` turns`, and by the database unless it is 0), and whoever has it hands on after a
 * few milliseconds, on a channel of whoever is next (followed by his name). That is advice, stored nowhere. Who is held up
 * loses his turn, and where `PUBLISH` or `SUBSCRIBE` is not permitted, writers compete. A process listens, on one
 * connection more, only while it is in somebody's way, or may be: where somebody listens to the hints of its commits.
 *
 * No script of this driver keeps the server for long: large states are read one after the other, or at most 2 MiB of
 * them at a time. Only those that must be told as of one moment, and change faster than that, are read in larger parts.
 *
 * What an update that was acknowledged survives depends on how the server is set up:
 *
 * | the server | its process dies | its machine dies | a failover |
 * | --- | --- | --- | --- |
 * | without persistence | no: all scopes are gone | no | only what the new primary has received |
 * | snapshots (`save`) | what is older than the last snapshot | what is older than the last snapshot | only what the new primary has received |
 * | `appendonly yes`, `appendfsync everysec` | yes | all but about the last second | only what the new primary has received |
 * | `appendonly yes`, `appendfsync always` | yes | yes, as far as its disk keeps what it syncs | only what the new primary has received |
 * | with a replica | as above | as above, or after a failover to it | nearly always: replication lags by milliseconds |
 * | with `wait: { replicas: n }` here | as above | as above, or after a failover | yes, unless the primary and those `n` replicas are lost, or one that lags is promoted |
 * | with `waitAof: { local: 1, replicas: n }` here | yes | yes, on one machine and `n` others | like `wait` |
 *
 * A failover can take scopes back to an earlier state, since Redis replicates after it has answered. Writers then go on
 * from that state; nothing is ever applied twice or in part. No setting of the server prevents it: a replica that is
 * promoted lacks what had not reached it, although that was acknowledged. With `wait`, an update that did not reach the
 * replicas is not acknowledged, but fails with a `NotReplicatedError`. With `appendfsync everysec` updates are
 * acknowledged before they are synced, and only the operating system has them until then.
 *
 * **Gotchas**
 *
 * - Set `maxmemory-policy` to `noeviction`. Any other policy lets the server drop scopes, which then begin anew from
 *   their initial states; a warning is logged at start. When memory is full, updates fail, and scopes can still be read
 *   and removed.
 * - On a cluster, scopes that change together (`Scoped.all`) must be in one slot: give their names a hash tag in common,
 *   such as `{cart-1}:items` and `{cart-1}:total`, or put one into the `prefix`. Other transactions fail, before
 *   anything is sent, with a `DriverError` that says so.
 * - Before Redis 7, `min-replicas-to-write` does not hold back scripts, and so not this driver: use `wait`.
 * - A listing of names may miss or repeat those whose slots move from one server to another meanwhile.
 * - A user with restricted permissions needs `+evalsha +eval +getrange +strlen +exists +pttl +set +del +publish +spublish
 *   +subscribe +ssubscribe +unsubscribe +sunsubscribe +ping +scan +info`, with the keys and channels that begin with the
 *   prefix (`~effect-scoped:*` and `&effect-scoped:*`), and on a cluster `+cluster|slots +cluster|info +asking`; for the
 *   options `wait` and `waitAof` also those commands, and for a database other than 0 `+select`. Without `PUBLISH` updates go on, and `Scoped.changes` fails where
 *   commits find that out.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from "ioredis"
import type { Driver } from "./Driver.ts"
import * as Background from "./internal/background.ts"
import { Deadlines } from "./internal/deadlines.ts"
import { machine } from "./internal/machine.ts"
import * as Changes from "./internal/redis/changes.ts"
import * as Client from "./internal/redis/client.ts"
import * as RedisCluster from "./internal/redis/cluster.ts"
import * as Commit from "./internal/redis/commit.ts"
import * as Crowds from "./internal/redis/crowds.ts"
import * as Eviction from "./internal/redis/eviction.ts"
import * as Fault from "./internal/redis/fault.ts"
import * as Hints from "./internal/redis/hints.ts"
import * as Names from "./internal/redis/names.ts"
import * as Read from "./internal/redis/read.ts"
import * as Runner from "./internal/redis/runner.ts"
import * as Script from "./internal/redis/script.ts"
import * as Single from "./internal/redis/single.ts"
import * as Wait from "./internal/redis/wait.ts"
import { steady } from "./internal/steady.ts"
import type { DriverError } from "./ScopedError.ts"
import * as Storage from "./Storage.ts"

/**
 * Options of the Redis driver that may come from configuration.
 *
 * Where the server is:
 *
 * - `url`: such as `redis://user:password@host:6379/0`, or `rediss://…` for TLS. What it says wins over the options
 *   below. Default: `redis://localhost:6379`.
 * - `cluster`: some nodes of a cluster, as URLs or as `{ host, port }`. The others are found through them.
 * - `sentinels` and `name`: the addresses of Sentinels, and the name of the primary that they watch.
 * - `username` and `password`.
 *
 * How it is used:
 *
 * - `prefix`: what the keys of all scopes begin with. Default: `effect-scoped:`.
 * - `timeout`: how long a call may take, with all attempts to reach the server. Default: 4 seconds; in a {@link layer}
 *   whose storage has a `timeout`, four fifths of that. Make it shorter than the storage's `timeout`, so that errors tell
 *   more than that there was no answer.
 * - `wait`: after each commit, waits until this many `replicas` have received it, for `timeout` at the most. Default:
 *   does not wait; 1 second.
 * - `waitAof`: after each commit, waits until it is synced to the append-only file of the primary (`local: 1`) and of
 *   this many `replicas`. Takes Redis 7.2 or Valkey. Default: does not wait; `local: 1`, `replicas: 0`, 1 second.
 *
 * Where too few have it in time, the update fails with a `NotReplicatedError`: it *is* committed on the primary, and would
 * be lost with it. That time comes on top of `timeout`. While it waits, a connection does nothing else: reads have one of
 * their own then.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly url?: string | Redacted.Redacted<string> | undefined
  readonly cluster?: ReadonlyArray<ClusterNode> | undefined
  readonly sentinels?: ReadonlyArray<{ readonly host: string; readonly port: number }> | undefined
  readonly name?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted<string> | undefined
  readonly prefix?: string | undefined
  readonly timeout?: Duration.Input | undefined
  readonly wait?: {
    readonly replicas: number
    readonly timeout?: Duration.Input | undefined
  } | undefined
  readonly waitAof?: {
    readonly local?: 0 | 1 | undefined
    readonly replicas?: number | undefined
    readonly timeout?: Duration.Input | undefined
  } | undefined
}

/**
 * Options of the Redis driver.
 *
 * - `client`: an ioredis client whose options are used, instead of all other ways to say where the server is. The driver
 *   opens connections of its own (`client.duplicate`), and leaves this one as it is. The client's `keyPrefix` comes before
 *   the `prefix`.
 * - `tls`: `true`, or the options of `tls.connect`.
 * - `redis`: any other options of ioredis, also for the nodes of a cluster. They win over what this driver sets, but for
 *   those that would send commands again, later, or otherwise than they are.
 * - `clusterOptions`: any other options of ioredis's `Cluster`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Settings {
  readonly client?: Redis | Cluster | undefined
  readonly tls?: boolean | NonNullable<RedisOptions["tls"]> | undefined
  readonly redis?: RedisOptions | undefined
  readonly clusterOptions?: ClusterOptions | undefined
}

/**
 * Makes a driver over a Redis server.
 *
 * **Details**
 *
 * Begins to connect, and does not wait for it: a server that is not there yet is used as soon as it is. Calls wait for
 * it for most of their `timeout`, and then fail with `Unavailable`; once it has been away for a while, they fail at
 * once. Only options that make no sense fail here.
 *
 * Closing the scope closes the connections that were opened here, and no other.
 *
 * **Errors**
 *
 * `Unavailable` (cannot be reached, `LOADING`, `CLUSTERDOWN`, `BUSY`, `NOREPLICAS`), `Timeout`, `Full` (`OOM`,
 * `MISCONF`), `Forbidden` (`NOAUTH`, `WRONGPASS`, `NOPERM`, a command that was disabled, `READONLY` where no failover
 * ends it in time, scopes in different slots), `Corrupt` (a key holds something else than a scope), `NotReplicated`,
 * `Closed`, `Unknown`. Each says what to do. None holds credentials or states.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<Driver, DriverError, Scope.Scope> = Effect.fnUntraced(
  function*(options: Options = {}) {
    const millis = millisOf(options)
    const wait = Wait.make(options)
    const scripts = yield* Script.make
    const prefix = Client.keyPrefix(options) + (options.prefix ?? "effect-scoped:")
    const now = steady(yield* Clock.Clock)
    const fork = yield* Background.make
    // Servers are real, whatever clock the program goes by.
    const deadlines = new Deadlines({
      now: steady(machine),
      fork: (effect) => fork(Effect.provideService(effect, Clock.Clock, machine)),
      soon: yield* Background.soon
    })
    const connect = Effect.gen(function*() {
      const client = yield* Client.open(options, millis, 2 * wait.millis)
      const connections = { now, deadlines, patience: millis / 2, subscriber: Client.subscriber(millis) }
      const router = yield* client.isCluster
        ? RedisCluster.make(client as Cluster, connections)
        : Single.make(client as Redis, connections)
      const database = client.isCluster ? 0 : (client as Redis).options.db ?? 0
      return { router, runner: Runner.make(router, now), prefix, millis, database }
    })
    const writing = yield* connect
    // While a connection waits for replicas, nothing else is done on it.
    const reading = wait.lines.length === 0 ? writing : yield* connect

    let closed = false
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        closed = true
      })
    )
    const open = <A, E>(operation: DriverError["operation"], effect: () => Effect.Effect<A, E>) =>
      Effect.suspend((): Effect.Effect<A, E | DriverError> =>
        closed ? Effect.fail(Fault.toDriverError(Fault.closed, operation)) : effect()
      )

    const read = Read.make({ ...reading, now, script: scripts.read })
    const names = Names.make({ ...reading, read })
    const changes = yield* Changes.make({ ...reading, now, read })
    const crowds = yield* Crowds.make({ ...reading, read })
    const commit = Commit.make({
      ...writing,
      now,
      read,
      script: scripts.commit,
      wait,
      crowds,
      hints: yield* Hints.make(changes.deaf)
    })
    yield* Effect.forkScoped(Eviction.warn(reading.router, millis))
    const { clustered, placeOf } = writing.router

    return {
      name: "redis",
      limits: { nameBytes: 512, dataBytes: 16 * 1024 * 1024, scopesPerTransaction: 1000 },
      parallelism: wait.lines.length === 0 ? 2 : 1,
      lane: (name) => crowds.laneOf(name) ?? (clustered ? placeOf(prefix + name) : undefined) ?? "",
      read: (names) =>
        open(
          "read",
          () =>
            Effect.mapError(
              read.records(names.map((name) => prefix + name)),
              (fault) => Fault.toDriverError(fault, "read", fault.key?.slice(prefix.length))
            )
        ),
      commit: (batch) => open("commit", () => commit(batch)),
      turn: crowds.turn,
      changes: changes.watch,
      names: (prefix) => Stream.unwrap(open("names", () => Effect.sync(() => names(prefix))))
    }
  }
)

const millisOf = ({ timeout }: Options): number =>
  timeout === undefined
    ? 4_000
    : Math.min(Math.max(Duration.toMillis(Duration.fromInputUnsafe(timeout)), 1), 2 ** 31 - 1)

/**
 * A storage in Redis.
 *
 * **Example** (A counter in Redis)
 *
 * ```ts title="needs a server"
 * import { Effect, Redacted, Schema } from "effect"
 * import { Scoped } from "effect-scoped"
 * import * as RedisDriver from "effect-scoped/RedisDriver"
 *
 * const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
 * const visit = Scoped.update(Visits, (n) => [n + 1, n + 1])
 *
 * const Storage = RedisDriver.layer({ url: Redacted.make("redis://localhost:6379") })
 *
 * Effect.runPromise(visit.pipe(Effect.provide(Storage))) // => 1
 * ```
 *
 * **Example** (A cluster, and updates that a replica has)
 *
 * ```ts
 * import * as RedisDriver from "effect-scoped/RedisDriver"
 *
 * const Storage = RedisDriver.layer({
 *   cluster: ["redis://10.0.0.1:6379", "redis://10.0.0.2:6379"],
 *   wait: { replicas: 1, timeout: "500 millis" }
 * })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {},
  storage: Storage.Options = {}
): Layer.Layer<Storage.Storage, DriverError> => {
  const waiting = Wait.make(options).millis
  if (storage.timeout === undefined) {
    return Storage.layer(make(options), { ...storage, timeout: 1.25 * millisOf(options) + waiting })
  }
  const patience = Duration.toMillis(Duration.fromInputUnsafe(storage.timeout))
  if (patience <= waiting) {
    const description =
      `the "timeout" of the storage (${patience} ms) is no longer than what "wait" and "waitAof" may take ` +
      `(${waiting} ms, with what a server may be late): set it to more`
    return Storage.layer(Effect.fail(Fault.toDriverError(Fault.make("Unknown", description), "open")))
  }
  // Ours comes first: it knows whether a commit was sent, and why there is no answer.
  return Storage.layer(make({ ...options, timeout: options.timeout ?? 0.8 * (patience - waiting) }), storage)
}

/**
 * Like {@link layer}, with options from configuration.
 *
 * **Example** (The URL from the environment)
 *
 * ```ts
 * import { Config } from "effect"
 * import * as RedisDriver from "effect-scoped/RedisDriver"
 *
 * const Storage = RedisDriver.layerConfig({ url: Config.Redacted("REDIS_URL") })
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Settings>,
  storage: Storage.Options = {}
): Layer.Layer<Storage.Storage, Config.ConfigError | DriverError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), (options) => layer(options, storage)))
