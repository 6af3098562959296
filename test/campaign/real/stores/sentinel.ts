/** A primary and two replicas, which Sentinel looks after. Every update waits for both replicas. */
import { Effect, Schedule, Scope } from "effect"
import { connect, redisReplica, redisSentinels, type RedisServer } from "../../../servers/redis.ts"
import { again, type Fault, type Faults } from "../fault.ts"
import type { Store } from "../store.ts"
import { eventually } from "./eventually.ts"

export const store = Effect.gen(function*() {
  const { current, name, primary, replicas, sentinels } = yield* redisSentinels
  const scope = yield* Effect.scope
  const servers = new Map<number, RedisServer>([primary, ...replicas].map((server) => [server.port, server]))
  const now = Effect.map(current, (port) => servers.get(port)!)
  const follows = (server: RedisServer) =>
    eventually(
      `the server at ${server.port} follows again`,
      Effect.map(server.call("info", "replication"), (info) => /master_link_status:up/.test(String(info)))
    )
  const another = (old: RedisServer) =>
    eventually("another takes its place", Effect.map(current, (port) => port !== old.port))
  /** All three are there, and two of them follow the first. */
  const whole = eventually(
    "two replicas follow",
    Effect.flatMap(now, (primary) =>
      Effect.map(
        primary.call("info", "replication"),
        (info) => /role:master/.test(String(info)) && String(info).match(/state=online/g)?.length === 2
      ))
  )

  /** The primary dies, another takes its place, and it comes back as a replica. */
  const killed: Fault = {
    begin: () =>
      Effect.gen(function*() {
        const old = yield* now
        yield* Effect.acquireRelease(old.stop("SIGKILL"), () =>
          Effect.orDie(Effect.gen(function*() {
            yield* another(old)
            const primary = yield* now
            const { port } = old
            const again = yield* Scope.provide(redisReplica(primary, { port }), scope)
            servers.set(port, again)
            yield* whole
          })))
      }),
    millis: [500, 3_000]
  }
  /** The primary is stopped until another has taken its place, and then goes on as if nothing had been. */
  const stopped: Fault = {
    begin: () =>
      Effect.gen(function*() {
        const old = yield* now
        yield* Effect.acquireRelease(
          old.signal("SIGSTOP"),
          () =>
            Effect.orDie(Effect.gen(function*() {
              yield* another(old)
              yield* old.signal("SIGCONT")
              yield* follows(old)
              yield* whole
            }))
        )
      }),
    millis: [500, 3_000]
  }
  /** Shorter than it takes to be noticed, unless the machine is busy: then another takes its place somewhat later. */
  const paused: Fault = {
    begin: () =>
      Effect.flatMap(now, (server) =>
        Effect.acquireRelease(
          server.signal("SIGSTOP"),
          () => Effect.orDie(Effect.andThen(server.signal("SIGCONT"), Effect.delay(whole, "2 seconds")))
        )),
    millis: [100, 300]
  }
  const replicaStopped: Fault = {
    begin: (random) =>
      Effect.gen(function*() {
        const primary = yield* now
        const replica = random.choice([...servers.values()].filter((server) => server !== primary))
        yield* Effect.acquireRelease(replica.signal("SIGSTOP"), () => replica.signal("SIGCONT"))
      }),
    millis: [300, 2_000]
  }
  /** A failover that an operator asks for. */
  const failover: Fault = {
    begin: () =>
      Effect.flatMap(now, (old) =>
        Effect.acquireRelease(
          Effect.retry(
            connect(sentinels[0]!.port, (redis) => redis.call("sentinel", "failover", name)),
            Schedule.spaced("300 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
          ),
          () => Effect.orDie(Effect.andThen(another(old), Effect.andThen(follows(old), whole)))
        )),
    millis: [300, 1_000]
  }
  const faults: Faults = {
    primaryKilled: killed,
    primaryStopped: stopped,
    primaryPaused: paused,
    replicaStopped,
    failover,
    clientKill: again(() => Effect.flatMap(now, (server) => server.call("client", "kill", "type", "normal")), 200)
  }
  const store: Store = {
    place: {
      driver: "redis",
      options: { sentinels, name, wait: { replicas: 2, timeout: 300 } },
      timeout: 3_000
    },
    survives: "replicated",
    faults: () => faults
  }
  return store
})
