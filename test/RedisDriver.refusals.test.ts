/** Servers that answer, but not with what was wanted. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream } from "effect"
import { DriverError } from "../src/ScopedError.ts"
import { commit, create, driver, prefix, record, refusal, says, stored, write } from "./redis/helpers.ts"
import { flags, redisReplica, redisServer, until, version } from "./servers/redis.ts"
import { freePort } from "./servers/server.ts"

const timeout = "1 second"

describe("a Redis server", { concurrent: true }, () => {
  it.live("that forgets its scripts is given them again", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const names = Array.from({ length: 1200 }, (_, i) => `${i}`)
      for (let i = 0; i < 3; i++) {
        yield* server.call("script", "flush")
        const answers = yield* redis.commit(names.map((name) => create(`${i}/${name}`)))
        assert.isTrue(answers.every((answer) => "committed" in answer && answer.committed))
        yield* server.call("script", "flush")
        assert.strictEqual(
          (yield* redis.read(names.map((name) => `${i}/${name}`))).filter((found) => found).length,
          1200
        )
      }
    }))

  it.live("is told from one that wants a password, or another one", () =>
    Effect.gen(function*() {
      const server = yield* redisServer({ password: "secret" })
      const start = performance.now()
      says(yield* refusal(yield* driver(server), create("a")), "Forbidden", "NOAUTH")
      const wrong = yield* driver(server, { password: "wrong" })
      says(yield* refusal(wrong, create("a")), "Forbidden", "WRONGPASS")
      says(yield* Effect.flip(wrong.read(["a"])), "Forbidden", "WRONGPASS")
      assert.isBelow(performance.now() - start, 3000)
      assert.isTrue(yield* commit(yield* driver(server, { password: "secret" }), create("a")))
    }))

  it.live("with something else at the key of a scope is left as it is", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      yield* server.call("set", `${prefix}string`, "x")
      yield* server.call("hset", `${prefix}hash`, "field", "x")
      for (const name of ["string", "hash"]) {
        says(yield* refusal(redis, create(name)), "Corrupt", JSON.stringify(prefix + name).slice(1, -1))
        says(
          yield* refusal(redis, [write("new", null, record()), write(name, null, record())]),
          "Corrupt",
          prefix + name
        )
        says(yield* Effect.flip(redis.read([name])), "Corrupt", prefix + name)
        const [good, bad] = yield* redis.commit([create(`beside ${name}`), create(name)])
        assert.deepStrictEqual(good, { committed: true })
        assert.instanceOf(bad, DriverError)
      }
      assert.isUndefined(yield* stored(server, "new"))
      assert.strictEqual(yield* server.call("get", `${prefix}string`), "x")
      assert.deepStrictEqual(yield* server.call("hkeys", `${prefix}hash`), ["field"])
    }))

  it.live("is not sent what it could not take", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const next = record(JSON.stringify("x".repeat(2 ** 24 - 2)))
      const large = Array.from({ length: 9 }, (_, i) => write(`${i}`, null, next))
      says(yield* refusal(redis, large), "Full", "too large for one request")
      assert.isTrue(yield* commit(redis, create("a")))
    }))

  it.live("whose memory is full refuses what it cannot store, and still removes", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const first = record(JSON.stringify("x".repeat(100_000)))
      assert.isTrue(yield* commit(redis, create("a", first)))
      yield* server.call("config", "set", "maxmemory", "1")
      const next = record()
      says(yield* refusal(redis, [write("a", first, next), write("b", null, next)]), "Full", "OOM")
      assert.deepStrictEqual(yield* redis.read(["a", "b"]), [first, null])
      assert.isTrue(yield* commit(redis, [write("a", first, record(null))]))
      yield* server.call("config", "set", "maxmemory", "0")
      assert.isTrue(yield* commit(redis, create("b", next)))
    }))

  it.live("whose user may not do all that is needed refuses before it writes anything", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const modern = (yield* version(server)) >= 7
      const needed = "+evalsha +eval +hget +hmget +hset +hdel +exists +pexpire +persist +pttl +publish +spublish " +
        "+subscribe +ssubscribe +unsubscribe +sunsubscribe +ping +scan +hexists +info"
      const user = { username: "app", password: "secret", timeout } as const
      const setUser = (...rules: ReadonlyArray<string>) =>
        server.call("acl", "setuser", "app", "reset", "on", ">secret", ...rules, `~${prefix}*`)
      yield* setUser(...needed.split(" "), `&${prefix}*`)
      const redis = yield* driver(server, user)
      const first = record()
      assert.isTrue(yield* commit(redis, create("a", first)))
      assert.deepStrictEqual(yield* redis.read(["a"]), [first])
      assert.deepStrictEqual(yield* Stream.runCollect(redis.names("")), ["a"])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(redis.changes(["a"]), 1)), ["a"])
      // Each is missed by another rule, and only Redis 7 can look before it writes.
      for (
        const missing of modern
          ? ["+pexpire", "+persist", "+hdel", "+hset", "+publish", `&${prefix}*`]
          : ["+hset"]
      ) {
        yield* setUser(...[...needed.split(" "), `&${prefix}*`].filter((rule) => rule !== missing), "resetchannels")
        if (missing !== `&${prefix}*`) yield* server.call("acl", "setuser", "app", `&${prefix}*`)
        const restricted = yield* driver(server, user)
        const transaction = [write("a", first, record()), {
          ...write("b", null, record()),
          expiresIn: Duration.hours(1)
        }]
        says(yield* refusal(restricted, transaction), "Forbidden", "NOPERM")
        assert.deepStrictEqual(yield* restricted.read(["a", "b"]), [first, null])
      }
    }))

  it.live("is told from one that lets us only do something else", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* server.call("acl", "setuser", "app", "reset", "on", ">secret", "+@all", "~other:*", "&other:*")
      const redis = yield* driver(server, { username: "app", password: "secret" })
      says(yield* refusal(redis, create("a")), "Forbidden", "NOPERM")
      says(yield* Effect.flip(Stream.runDrain(redis.changes(["a"]))), "Forbidden", "NOPERM")
      assert.isTrue(
        yield* commit(yield* driver(server, { username: "app", password: "secret", prefix: "other:" }), create("a"))
      )
    }))

  it.live("that is a replica refuses to write", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      const redis = yield* driver(replica)
      says(yield* refusal(redis, create("a")), "Forbidden", "READONLY")
      yield* replica.call("replicaof", "no", "one")
      assert.isTrue(yield* commit(redis, create("a")))
    }))

  it.live("that cannot save to disk refuses to write", () =>
    Effect.gen(function*() {
      // A directory stands where the snapshot should be.
      const server = yield* redisServer()
      yield* server.call("config", "set", "save", "900 1")
      yield* Effect.promise(() =>
        import("node:fs/promises").then((fs) => fs.mkdir(`${server.directory}/dump.rdb/x`, { recursive: true }))
      )
      yield* server.call("bgsave")
      yield* until(
        "the snapshot failed",
        Effect.map(server.call("info", "persistence"), (info) => String(info).includes("rdb_last_bgsave_status:err"))
      )
      says(yield* refusal(yield* driver(server), create("a")), "Full", "MISCONF")
    }))

  it.live("without the replicas that it wants refuses to write", () =>
    Effect.gen(function*() {
      const server = yield* redisServer({ args: flags({ "min-replicas-to-write": "1" }) })
      const redis = yield* driver(server)
      // Redis 6 does not hold scripts to it.
      if ((yield* version(server)) < 7) return assert.isTrue(yield* commit(redis, create("a")))
      says(yield* refusal(redis, create("a")), "Unavailable", "NOREPLICAS")
    }))

  it.live("that is busy with another script says so", () =>
    Effect.gen(function*() {
      const server = yield* redisServer({ args: flags({ "lua-time-limit": "20" }) })
      const redis = yield* driver(server, { timeout })
      assert.isTrue(yield* commit(redis, create("a")))
      const endless = yield* Effect.forkChild(Effect.exit(server.call("eval", "while true do end", 0)))
      const busy = yield* until(
        "it is busy",
        Effect.map(Effect.exit(commit(redis, create("b"))), (exit) =>
          exit._tag === "Failure" && exit.toString().includes("BUSY"))
      ).pipe(Effect.andThen(refusal(redis, create("b"))))
      says(busy, "Unavailable", "SCRIPT KILL")
      yield* server.call("script", "kill")
      yield* Fiber.join(endless)
      assert.isTrue(yield* commit(redis, create("c")))
    }))

  it.live("that loads its data is waited for, and told of where a client does not wait", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const full = yield* redisServer({ port })
      yield* full.call("eval", "for i = 1, 8000 do redis.call('SET', i, i) end", 0)
      yield* full.call("save")
      yield* full.stop("SIGKILL")
      const slow = yield* redisServer({
        port,
        directory: full.directory,
        args: flags({ "key-load-delay": "500", "loading-process-events-interval-bytes": "1024" }),
        ready: Effect.void
      })
      const hasty = yield* driver(slow, { timeout: "2 seconds", redis: { enableReadyCheck: false } })
      says(yield* refusal(hasty, create("a")), "Unavailable", "LOADING")
      const patient = yield* driver(slow, { timeout: "20 seconds" })
      assert.isTrue(yield* commit(patient, create("a")))
    }))
})
