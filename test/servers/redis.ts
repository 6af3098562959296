/**
 * Private Redis servers: alone, with replicas, as a cluster, watched by sentinels.
 *
 * `REDIS_SERVER` may say what to run instead of the `redis-server` of this machine: a command with its first arguments,
 * separated by spaces.
 */
import { Effect, Schedule, type Scope } from "effect"
import { Redis } from "ioredis"
import { binary, freePort, launch, type Server, temporaryDirectory } from "./server.ts"

export interface RedisServer extends Server {
  readonly port: number
  readonly url: string
  readonly directory: string
  /** Sends a command on a connection of its own. */
  readonly call: (command: string, ...args: ReadonlyArray<string | number>) => Effect.Effect<unknown>
}

const command: Effect.Effect<ReadonlyArray<string>, Error> = Effect.suspend(() => {
  const given = process.env["REDIS_SERVER"]
  return given === undefined || given === ""
    ? Effect.map(binary(["redis-server", "valkey-server"], "redis-server"), (path) => [path])
    : Effect.succeed(given.split(" "))
})

/** Runs `f` on a connection that is closed afterwards. Fails at once where there is no server. */
export const connect = <A>(
  port: number,
  f: (redis: Redis) => Promise<A>,
  password?: string
): Effect.Effect<A, Error> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const redis = new Redis({
        port,
        host: "127.0.0.1",
        ...(password === undefined ? {} : { password }),
        enableReadyCheck: false,
        retryStrategy: null,
        commandTimeout: 5_000
      })
      redis.on("error", () => {})
      return redis
    }),
    (redis) =>
      Effect.tryPromise({
        try: () => f(redis),
        catch: (error) => error instanceof Error ? error : new Error(String(error))
      }),
    (redis) => Effect.sync(() => redis.disconnect())
  )

const call = (port: number, password?: string) => (name: string, ...args: ReadonlyArray<string | number>) =>
  Effect.orDie(connect(port, (redis) => redis.call(name, ...args), password))

/** Settings as arguments of the command line. */
export const flags = (settings: { readonly [name: string]: string }): ReadonlyArray<string> =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])

export interface Options {
  readonly port?: number | undefined
  readonly directory?: string | undefined
  readonly password?: string | undefined
  readonly args?: ReadonlyArray<string> | undefined
  /** What to wait for besides an answer. Default: that it has loaded its data. */
  readonly ready?: Effect.Effect<unknown, unknown> | undefined
}

/** A server that keeps nothing when it stops, unless `args` say otherwise. */
export const redisServer = Effect.fnUntraced(function*(options: Options = {}) {
  const port = options.port ?? (yield* freePort)
  const directory = options.directory ?? (yield* temporaryDirectory)
  const [program = "", ...first] = yield* command
  const server = yield* launch({
    command: program,
    args: [
      ...first,
      ...flags({
        port: String(port),
        bind: "127.0.0.1",
        dir: directory,
        save: "",
        appendonly: "no",
        "repl-diskless-sync-delay": "0"
      }),
      ...(options.password === undefined ? [] : ["--requirepass", options.password]),
      ...(options.args ?? [])
    ],
    ready: options.ready ?? connect(port, (redis) => redis.ping(), options.password)
  })
  const running: RedisServer = {
    ...server,
    port,
    directory,
    url: `redis://127.0.0.1:${port}`,
    call: call(port, options.password)
  }
  return running
})

/** Waits until `effect` gives `true`. */
export const until = <E, R>(what: string, effect: Effect.Effect<boolean, E, R>): Effect.Effect<void, Error, R> =>
  effect.pipe(
    Effect.flatMap((done) => done ? Effect.void : Effect.fail(new Error("not yet"))),
    Effect.retry(Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))),
    Effect.mapError((cause) => new Error(`${what}: ${String(cause)}`))
  )

/** The version of Redis that a server is, or is compatible with, such as 7.2. */
export const version = (server: RedisServer) =>
  Effect.map(server.call("info", "server"), (info) => Number(/redis_version:(\d+\.\d+)/.exec(String(info))?.[1]))

/** A server that replicates another. */
export const redisReplica = Effect.fnUntraced(function*(primary: RedisServer, options: Options = {}) {
  const replica = yield* redisServer({
    ...options,
    args: ["--replicaof", "127.0.0.1", String(primary.port), ...(options.args ?? [])]
  })
  // It is known to the primary before it has loaded its data, and acknowledges nothing until then.
  yield* until(
    "the replica follows",
    Effect.map(
      connect(primary.port, async (redis) => {
        await redis.publish("effect-scoped", "")
        return redis.wait(1, 100)
      }),
      (count) => count >= 1
    )
  )
  yield* until(
    "the replica is in sync",
    Effect.map(replica.call("info", "replication"), (info) => String(info).includes("master_link_status:up"))
  )
  return replica
})

export interface RedisCluster {
  readonly masters: ReadonlyArray<RedisServer>
  readonly replicas: ReadonlyArray<RedisServer>
  readonly nodes: ReadonlyArray<{ readonly host: string; readonly port: number }>
}

/** A server that can be part of a cluster. `timeout` is how many milliseconds of silence make it fail. */
export const redisNode = (timeout: number, options: Pick<Options, "port" | "directory" | "args"> = {}) =>
  redisServer({
    ...options,
    args: [
      ...options.args ?? [],
      ...flags({
        "cluster-enabled": "yes",
        "cluster-config-file": "nodes.conf",
        "cluster-node-timeout": String(timeout),
        "cluster-announce-ip": "127.0.0.1",
        "cluster-require-full-coverage": "no",
        "cluster-replica-validity-factor": "0",
        // A replica is not named by the others before it has heard from its master.
        "repl-ping-replica-period": "1"
      })
    ]
  })

/** One server that has all of the slots. */
export const redisLoneCluster = Effect.gen(function*() {
  const server = yield* redisNode(1_000)
  yield* connect(
    server.port,
    (redis) => redis.cluster("ADDSLOTS", ...Array.from({ length: 16_384 }, (_, slot) => slot))
  )
  yield* until(
    "the cluster is ready",
    Effect.map(server.call("cluster", "info"), (info) => String(info).includes("cluster_state:ok"))
  )
  return server
})

/** Three masters, each with a replica. */
export const redisCluster = Effect.fnUntraced(function*(
  options: { readonly timeout?: number; readonly args?: ReadonlyArray<string> } = {}
) {
  const servers = yield* Effect.forEach([0, 1, 2, 3, 4, 5], () => redisNode(options.timeout ?? 10_000, options), {
    concurrency: "unbounded"
  })
  const masters = servers.slice(0, 3)
  const replicas = servers.slice(3)
  const bounds = [0, 5461, 10923, 16384]
  yield* Effect.forEach(masters, (master, i) =>
    Effect.andThen(
      master.call("cluster", "set-config-epoch", i + 1),
      connect(master.port, async (redis) => {
        const slots = Array.from({ length: bounds[i + 1]! - bounds[i]! }, (_, slot) => bounds[i]! + slot)
        await redis.cluster("ADDSLOTS", ...slots)
      })
    ))
  for (const server of servers.slice(1)) yield* server.call("cluster", "meet", "127.0.0.1", masters[0]!.port)
  const id = (server: RedisServer) => Effect.map(server.call("cluster", "myid"), String)
  for (const [i, replica] of replicas.entries()) {
    const master = yield* id(masters[i]!)
    yield* until(
      "the replica knows its master",
      Effect.map(
        replica.call("cluster", "nodes"),
        (nodes) => String(nodes).split("\n").some((line) => line.startsWith(master) && !line.includes("handshake"))
      )
    )
    yield* replica.call("cluster", "replicate", master)
  }
  for (const server of servers) {
    yield* until(
      "the cluster is ready",
      Effect.map(
        Effect.all([server.call("cluster", "info"), server.call("cluster", "slots")]),
        ([info, slots]) =>
          String(info).includes("cluster_state:ok") && (slots as Array<Array<unknown>>).length === 3 &&
          (slots as Array<Array<unknown>>).every((range) => range.length === 4)
      )
    )
  }
  for (const replica of replicas) {
    yield* until(
      "the replica is in sync",
      Effect.map(replica.call("info", "replication"), (info) => String(info).includes("master_link_status:up"))
    )
  }
  const cluster: RedisCluster = {
    masters,
    replicas,
    nodes: masters.map(({ port }) => ({ host: "127.0.0.1", port }))
  }
  return cluster
})

export interface RedisSentinels {
  readonly name: string
  readonly primary: RedisServer
  readonly replicas: ReadonlyArray<RedisServer>
  readonly sentinels: ReadonlyArray<{ readonly host: string; readonly port: number }>
  /** The port of the primary, as the sentinels have it. */
  readonly current: Effect.Effect<number>
}

/** A primary and two replicas, watched by three sentinels. */
export const redisSentinels: Effect.Effect<RedisSentinels, Error, Scope.Scope> = Effect.gen(function*() {
  const name = "scopes"
  const primary = yield* redisServer()
  const replicas = [yield* redisReplica(primary), yield* redisReplica(primary)]
  const sentinels: Array<{ readonly host: string; readonly port: number }> = []
  for (let i = 0; i < 3; i++) {
    const directory = yield* temporaryDirectory
    const port = yield* freePort
    const config = `${directory}/sentinel.conf`
    yield* Effect.promise(() =>
      import("node:fs/promises").then((fs) =>
        fs.writeFile(
          config,
          [
            `port ${port}`,
            "bind 127.0.0.1",
            `dir ${directory}`,
            `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
            `sentinel down-after-milliseconds ${name} 500`,
            `sentinel failover-timeout ${name} 3000`,
            ""
          ].join("\n")
        )
      )
    )
    const [program = "", ...first] = yield* command
    yield* launch({
      command: program,
      args: [...first, config, "--sentinel"],
      ready: connect(port, (redis) => redis.ping())
    })
    sentinels.push({ host: "127.0.0.1", port })
  }
  for (const { port } of sentinels) {
    yield* until(
      "the sentinels know each other and the replicas",
      Effect.map(call(port)("sentinel", "master", name), (fields) => {
        const text = (fields as Array<unknown>).join(" ")
        return text.includes("num-slaves 2") && text.includes("num-other-sentinels 2")
      })
    )
  }
  const current = Effect.map(
    call(sentinels[0]!.port)("sentinel", "get-master-addr-by-name", name),
    (address) => Number((address as Array<unknown>)[1])
  )
  return { name, primary, replicas, sentinels, current }
})
