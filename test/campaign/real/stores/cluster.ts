/** Three masters, each with a replica, behind wires. Every update waits for the replica. */
import { Effect, Scope } from "effect"
import { connect, redisCluster, redisNode, type RedisServer } from "../../../servers/redis.ts"
import { again, type Fault, type Faults, ofWires, once } from "../fault.ts"
import type { Store } from "../store.ts"
import * as Wire from "../wire.ts"
import { eventually } from "./eventually.ts"

const host = "127.0.0.1"

export const store = Effect.gen(function*() {
  const timeout = 600
  const { masters, nodes, replicas } = yield* redisCluster({ timeout })
  const scope = yield* Effect.scope
  const servers = new Map<number, RedisServer>([...masters, ...replicas].map((server) => [server.port, server]))
  const wires = yield* Effect.forEach(
    [...servers.keys()],
    (port) => Effect.map(Wire.make(port), (wire) => [port, wire] as const)
  )
  const natMap = Object.fromEntries(wires.map(([port, wire]) => [`${host}:${port}`, { host, port: wire.port }]))

  const eachServer = <A, E, R>(f: (server: RedisServer) => Effect.Effect<A, E, R>) =>
    Effect.suspend(() => Effect.forEach(servers.values(), f))
  const roles = Effect.map(
    eachServer(
      (server) =>
        Effect.map(server.call("role"), (role) => [server, (role as ReadonlyArray<unknown>)[0] === "master"] as const)
    ),
    (roles) => ({
      masters: roles.filter(([, isMaster]) => isMaster).map(([server]) => server),
      replicas: roles.filter(([, isMaster]) => !isMaster).map(([server]) => server)
    })
  )
  /** Each of the three masters has a replica that follows, and all agree on who has what. */
  const whole = eventually(
    "the cluster is whole",
    Effect.map(
      eachServer(
        (server) =>
          Effect.all([
            server.call("cluster", "slots"),
            server.call("info", "replication"),
            server.call("cluster", "info")
          ])
      ),
      (all) => {
        const told = all.map(([slots]) =>
          JSON.stringify(
            (slots as ReadonlyArray<readonly [from: number, to: number, master: readonly [host: string, port: number]]>)
              .map(([from, to, [, port]]) => [from, to, port])
              .toSorted((one, other) => one[0]! - other[0]!)
          )
        )
        return told.every((one) => one === told[0]) &&
          all.every(([, info, cluster]) =>
            String(cluster).includes("cluster_state:ok") &&
            (/role:master/.test(String(info))
              ? /state=online/.test(String(info))
              : /master_link_status:up/.test(String(info)))
          )
      }
    )
  )

  const killed: Fault = {
    begin: (random) =>
      Effect.gen(function*() {
        const { masters } = yield* roles
        const old = random.choice(masters)
        const { directory, port } = old
        yield* Effect.acquireRelease(old.stop("SIGKILL"), () =>
          Effect.orDie(Effect.gen(function*() {
            servers.delete(port)
            yield* eventually("another takes its place", Effect.map(roles, ({ masters }) => masters.length === 3))
            servers.set(port, yield* Scope.provide(redisNode(timeout, { directory, port }), scope))
            yield* whole
          })))
      }),
    millis: [300, 2_000]
  }
  const stopped: Fault = {
    begin: (random) =>
      Effect.gen(function*() {
        const { masters } = yield* roles
        const old = random.choice(masters)
        yield* Effect.acquireRelease(
          Effect.andThen(old.signal("SIGSTOP"), Effect.sync(() => servers.delete(old.port))),
          () =>
            Effect.orDie(Effect.gen(function*() {
              yield* eventually("another takes its place", Effect.map(roles, ({ masters }) => masters.length === 3))
              yield* old.signal("SIGCONT")
              servers.set(old.port, old)
              yield* whole
            }))
        )
      }),
    millis: [300, 2_000]
  }
  const failover: Fault = {
    begin: (random) =>
      Effect.acquireRelease(
        Effect.flatMap(roles, ({ replicas }) => random.choice(replicas).call("cluster", "failover")),
        () => Effect.orDie(whole)
      ),
    millis: [300, 1_000]
  }

  const idOf = (server: RedisServer) => Effect.map(server.call("cluster", "myid"), String)
  /** Moves the slots of what is written to from the master that has them to another, keys and all. */
  const reshard = once((random) =>
    Effect.gen(function*() {
      const { masters } = yield* roles
      const keys = (yield* Effect.forEach(masters, (server) =>
        connect(server.port, async (redis) => {
          const found = await redis.keys("effect-scoped:*")
          const slots = await Promise.all(found.map((key) => redis.cluster("KEYSLOT", key)))
          return slots.map((slot) => ({ slot: Number(slot), server }))
        }))).flat()
      if (keys.length === 0) return
      // Those that are written to now are among the latest.
      const slotsOf = new Map(keys.map(({ server, slot }) => [slot, server]))
      for (const [slot, from] of [...slotsOf].slice(-6)) {
        const to = random.choice(masters.filter((server) => server !== from))
        yield* to.call("cluster", "setslot", slot, "importing", yield* idOf(from))
        yield* from.call("cluster", "setslot", slot, "migrating", yield* idOf(to))
        for (;;) {
          const some = (yield* from.call("cluster", "getkeysinslot", slot, 1)) as ReadonlyArray<string>
          if (some.length === 0) break
          yield* from.call("migrate", host, to.port, "", 0, 2_000, "keys", ...some)
          yield* Effect.sleep(random.below(60))
        }
        const id = yield* idOf(to)
        for (const server of [to, from, ...masters]) yield* server.call("cluster", "setslot", slot, "node", id)
      }
    }).pipe(Effect.andThen(whole)), [200, 600])

  const faults: Faults = {
    ...ofWires(wires.map(([, wire]) => wire)),
    masterKilled: killed,
    masterStopped: stopped,
    failover,
    reshard,
    replicaStopped: {
      begin: (random) =>
        Effect.flatMap(roles, ({ replicas }) => {
          const replica = random.choice(replicas)
          return Effect.acquireRelease(replica.signal("SIGSTOP"), () =>
            Effect.andThen(replica.signal("SIGCONT"), Effect.orDie(whole)))
        }),
      millis: [100, 400]
    },
    clientKill: again(
      (random) =>
        Effect.flatMap(roles, ({ masters }) => random.choice(masters).call("client", "kill", "type", "normal")),
      300
    )
  }
  const store: Store = {
    place: {
      driver: "redis",
      options: { cluster: nodes, clusterOptions: { natMap }, wait: { replicas: 1, timeout: 300 } },
      timeout: 3_000
    },
    survives: "replicated",
    faults: () => faults
  }
  return store
})
