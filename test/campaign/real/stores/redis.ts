/** One server, which syncs every update before it answers. */
import { Effect } from "effect"
import { Redis } from "ioredis"
import { setUser } from "../../../redis/helpers.ts"
import { connect, flags, redisServer } from "../../../servers/redis.ts"
import { freePort, temporaryDirectory } from "../../../servers/server.ts"
import { again, between, type Faults, ofWires, once } from "../fault.ts"
import type { Store } from "../store.ts"
import * as Wire from "../wire.ts"
import { restartable } from "./restartable.ts"

const rights = [
  "+@all",
  "-@dangerous",
  "+info",
  "~effect-scoped:*",
  "&effect-scoped:*"
]

export const store = Effect.gen(function*() {
  const [port, directory] = [yield* freePort, yield* temporaryDirectory]
  const acl = `${directory}/users.acl`
  yield* Effect.promise(() => import("node:fs/promises").then((fs) => fs.writeFile(acl, "")))
  const server = yield* restartable(redisServer({
    port,
    directory,
    args: flags({ appendonly: "yes", appendfsync: "always", aclfile: acl })
  }))
  const call = (name: string, ...args: ReadonlyArray<string | number>) => server.current().call(name, ...args)
  const config = (name: string, value: string) => call("config", "set", name, value)
  const user = (...rules: ReadonlyArray<string>) =>
    Effect.andThen(Effect.orDie(setUser(server.current(), ...rights, ...rules)), call("acl", "save"))
  yield* user()
  const wire = yield* Wire.make(port)
  const killClients = connect(port, async (redis) => {
    for (const type of ["normal", "pubsub"]) await redis.call("client", "kill", "type", type, "skipme", "yes")
  })

  const faults: Faults = {
    ...ofWires([wire]),
    serverStopped: between(server.signal("SIGSTOP"), server.signal("SIGCONT"), [200, 3_000]),
    serverKilled: between(server.stop("SIGKILL"), server.start, [50, 1_000]),
    serverRestarted: between(server.stop("SIGTERM"), server.start, [50, 500]),
    clientPause: once((random) => call("client", "pause", 100 + random.below(1_500))),
    clientKill: again(() => killClients, 150),
    outOfMemory: between(config("maxmemory", "1"), config("maxmemory", "0")),
    tooManyClients: {
      begin: () =>
        Effect.acquireRelease(
          Effect.sync(() => new Redis({ port, host: "127.0.0.1", retryStrategy: null })),
          // From here, since no other connection may be taken.
          (own) =>
            Effect.promise(async () => {
              await own.config("SET", "maxclients", "10000")
              own.disconnect()
            })
        ).pipe(Effect.tap((own) =>
          Effect.promise(async () => {
            await own.config("SET", "maxclients", "4")
            await own.call("client", "kill", "type", "normal", "skipme", "yes")
          })
        )),
      millis: [300, 1_500]
    },
    noRights: between(user("-set"), user()),
    noScripts: between(user("-evalsha", "-eval"), user()),
    noPublish: between(user("-publish"), user()),
    someKeysOnly: between(user("resetkeys", "~effect-scoped:*plain", "~effect-scoped:*other"), user()),
    userOff: between(Effect.andThen(user("off"), killClients), user()),
    noReplicas: between(config("min-replicas-to-write", "1"), config("min-replicas-to-write", "0")),
    readOnly: between(call("replicaof", "127.0.0.1", "1"), call("replicaof", "no", "one")),
    scriptFlush: again(() => call("script", "flush"), 50)
  }
  const store: Store = {
    place: {
      driver: "redis",
      options: { url: `redis://app:secret@127.0.0.1:${wire.port}` },
      timeout: 2_000
    },
    survives: "all",
    faults: () => faults
  }
  return store
})
