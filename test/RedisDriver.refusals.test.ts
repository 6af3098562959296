/** Servers that answer, but not with what was wanted. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Logger, Schedule, Stream } from "effect"
import type { Transaction } from "../src/Driver.ts"
import * as Scoped from "../src/Scoped.ts"
import { DriverError } from "../src/ScopedError.ts"
import {
  check,
  commit,
  counter,
  create,
  driver,
  increment,
  large,
  layer,
  prefix,
  record,
  refusal,
  says,
  setUser,
  stored,
  write
} from "./redis/helpers.ts"
import { connect, flags, redisReplica, redisServer, until, version } from "./servers/redis.ts"
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
      yield* server.call("set", `${prefix}empty`, "")
      yield* server.call("set", `${prefix}long`, `9999::${"x".repeat(1000)}`)
      yield* server.call("set", `${prefix}short`, "3::a:1x")
      yield* server.call("set", `${prefix}huge`, `${"9".repeat(30)}::x`)
      for (const name of ["string", "hash", "empty", "long", "short", "huge"]) {
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
      assert.strictEqual(yield* server.call("get", `${prefix}empty`), "")
      assert.deepStrictEqual(yield* server.call("hkeys", `${prefix}hash`), ["field"])
      const names = yield* Stream.runCollect(redis.names(""))
      assert.deepStrictEqual(
        names.toSorted(),
        ["empty", "hash", "huge", "long", "short", "string"].map((name) => `beside ${name}`)
      )
    }))

  it.live("is not sent what it could not take", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const next = large(2 ** 24)
      const writes = Array.from({ length: 9 }, (_, i) => write(`${i}`, null, next))
      says(yield* refusal(redis, writes), "Full", "too large for one request")
      assert.isTrue(yield* commit(redis, create("a")))
    }))

  it.live("whose memory is full refuses what it cannot store, and all else that travels with it goes on", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const names = Array.from({ length: 20 }, (_, i) => `${i}`)
      const first = large(10_000)
      for (const name of names) assert.isTrue(yield* commit(redis, create(name, first)))
      yield* server.call("config", "set", "maxmemory", "1")
      const next = record()
      says(yield* refusal(redis, [write("0", first, next), write("b", null, next)]), "Full", "OOM")
      // Half removed, half written: no.
      says(yield* refusal(redis, [write("0", first, record(null)), write("b", null, next)]), "Full", "OOM")
      const gone = record(null)
      const answers = yield* redis.commit(names.flatMap((name, i) => [
        [write(name, first, next), check("absent", null)],
        [check(name, first), check("absent", null)],
        [check(name, null)],
        i % 2 === 0
          ? [write(name, first, gone)]
          : [write(name, first, gone), write(`tombstone of ${name}`, null, gone)]
      ]))
      for (const [i] of names.entries()) {
        const [written, checked, read, removed] = answers.slice(4 * i, 4 * i + 4)
        // Where something was removed before, there is room.
        if (i === 0) {
          assert.instanceOf(written, DriverError)
          says(written, "Full", "OOM")
        }
        if (written instanceof DriverError) {
          assert.deepStrictEqual(checked, { committed: true })
          assert.deepStrictEqual(read, { committed: false, current: [first] })
          assert.deepStrictEqual(removed, { committed: true })
        }
      }
      const alone = yield* driver(server)
      assert.deepStrictEqual(yield* alone.read(["0", "tombstone of 1", "absent"]), [gone, null, null])
      yield* server.call("config", "set", "maxmemory", "0")
      assert.isTrue(yield* commit(redis, create("b", next)))
    }))

  it.live("whose memory is full still lets every scope be removed", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const first = record()
      const pair = [write("a", null, first), write("b", null, first)]
      assert.isTrue(yield* commit(redis, pair))
      yield* server.call("config", "set", "maxmemory", "1")
      const gone = record(null)
      assert.isTrue(yield* commit(redis, [write("a", first, gone), write("b", first, gone)]))
      assert.deepStrictEqual(yield* redis.read(["a", "b"]), [gone, gone])
      // As a tombstone of a scope that was never there, too.
      assert.isTrue(yield* commit(redis, create("c", gone)))
    }))

  const needed = "+evalsha +eval +getrange +strlen +exists +pttl +set +del +publish +spublish +subscribe +ssubscribe " +
    "+unsubscribe +sunsubscribe +ping +scan +info"
  const user = { username: "app", password: "secret", timeout } as const

  it.live("lets a user with the documented rights do everything", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* setUser(server, ...needed.split(" "), `~${prefix}*`, `&${prefix}*`)
      const redis = yield* driver(server, user)
      const [first, big] = [record(), large(3_000_000)]
      assert.isTrue(
        yield* commit(redis, [
          write("a", null, first, { expiresIn: Duration.hours(1), retention: Duration.hours(1) }),
          write("b", null, big)
        ])
      )
      const [a, b] = yield* redis.read(["a", "b"])
      assert.deepStrictEqual([a?.revision, b], [first.revision, big])
      assert.isFalse(yield* commit(redis, create("b")))
      assert.isTrue(yield* commit(redis, [write("b", big, record(null), { retention: Duration.hours(1) })]))
      assert.deepStrictEqual(yield* Stream.runCollect(redis.names("")), ["a"])
      assert.deepStrictEqual(yield* Stream.runCollect(Stream.take(redis.changes(["a"]), 2)), ["a", "a"])
      yield* server.call("config", "set", "maxmemory", "1")
      assert.isTrue(yield* commit(redis, [write("a", first, record(null))]))
    }))

  it.live("whose user may not do all that is needed refuses before it writes anything", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const modern = (yield* version(server)) >= 7
      const first = record()
      assert.isTrue(yield* commit(yield* driver(server), create("a", first)))
      const transaction = (last: string | null): Transaction => [
        write("a", first, record()),
        write("b", null, record(), { expiresIn: Duration.hours(1), retention: Duration.hours(1) }),
        write("c", null, record(last))
      ]
      for (
        const rules of [
          ...["+set", "+getrange", "+exists", "+evalsha"].map((missing) => [
            ...needed.split(" ").filter((rule) => rule !== missing),
            `~${prefix}*`
          ]),
          // Keys end in the middle of a product.
          [...needed.split(" "), `~${prefix}a*`, `~${prefix}b*`],
          ...modern
            ? [
              [...needed.split(" "), `%R~${prefix}*`, `%W~${prefix}a*`, `%W~${prefix}b*`],
              [...needed.split(" ").filter((rule) => rule !== "+set"), `~${prefix}*`, `(+set ~${prefix}a*)`]
            ]
            : []
        ]
      ) {
        yield* setUser(server, ...rules, `&${prefix}*`)
        const restricted = yield* driver(server, user)
        for (const last of ["1", null, "1", null]) {
          says(yield* refusal(restricted, transaction(last)), "Forbidden", "NOPERM")
        }
        assert.deepStrictEqual(yield* (yield* driver(server)).read(["a", "b", "c"]), [first, null, null])
      }
      yield* setUser(server, ...needed.split(" "), `~${prefix}*`, `&${prefix}*`)
      assert.isTrue(yield* commit(yield* driver(server, user), transaction(null)))
    }))

  it.live("that refuses some of the keys answers those who ask for the others at the same moment", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* setUser(server, ...needed.split(" "), `~${prefix}a*`, `~${prefix}foreign`, `&${prefix}*`)
      yield* server.call("set", `${prefix}foreign`, "?")
      const names = ["a1", "b", "a2", "foreign", "a3"]
      const outcomes = <A, E, R>(effect: (name: string) => Effect.Effect<A, E, R>) =>
        Effect.forEach(names, (name) => Effect.result(effect(name)), { concurrency: "unbounded" }).pipe(
          Effect.map((results) => results.map((one) => one._tag === "Success" ? one.success : String(one.failure)))
        )
      yield* Effect.gen(function*() {
        for (const count of [1, 2, 3]) {
          const updated = yield* outcomes((name) => increment(counter(name)))
          const found = yield* outcomes((name) => Scoped.get(counter(name)))
          for (const results of [updated, found]) {
            assert.deepStrictEqual([results[0], results[2], results[4]], [count, count, count])
            assert.match(String(results[1]), /"b".*NOPERM/)
            assert.match(String(results[3]), /"foreign".*holds something/)
          }
        }
      }).pipe(Effect.provide(layer(server, user)))
      // Also where it is one commit that all of them travel in.
      const redis = yield* driver(server, user)
      const answers = yield* redis.commit(["x", "a4", "y", "a5"].map((name) => create(name)))
      assert.deepStrictEqual(answers.map((answer) => "committed" in answer && answer.committed), [
        false,
        true,
        false,
        true
      ])
    }))

  it.live("whose user may not publish commits whole transactions, and says that nobody hears of them", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const modern = (yield* version(server)) >= 7
      const rules = needed.split(" ")
      for (
        const [label, ...limited] of [
          ["command", ...rules.filter((rule) => rule !== "+publish"), `&${prefix}*`],
          // Before Redis 6.2 there are no rights about channels.
          ...modern ? [["channel", ...rules, `&${prefix}*/a`]] : []
        ]
      ) {
        yield* setUser(server, ...limited, `~${prefix}*`)
        const warnings: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          if (logLevel === "Warn") warnings.push(String(message))
        })
        yield* Effect.gen(function*() {
          const redis = yield* driver(server, user)
          const hints = yield* Effect.forkChild(Effect.flip(Stream.runDrain(redis.changes([`${label}/a`]))), {
            startImmediately: true
          })
          yield* Effect.sleep("200 millis")
          const names = ["a", "b", "c"].map((name) => `${label}/${name}`)
          const first = record()
          assert.isTrue(yield* commit(redis, names.map((name) => write(name, null, first))))
          assert.deepStrictEqual(yield* redis.read(names), [first, first, first])
          says(yield* Fiber.join(hints), "Forbidden", "PUBLISH")
          says(yield* Effect.flip(Stream.runDrain(redis.changes(["x"]))), "Forbidden", "PUBLISH")
          const second = record()
          // What writes nothing tells nothing of hints.
          for (let i = 0; i < 2; i++) assert.isTrue(yield* commit(redis, [check(names[0]!, first)]))
          assert.isTrue(yield* commit(redis, [write(names[1]!, first, second)]))
          const others = yield* Effect.forkChild(
            Stream.runCollect(Stream.take(redis.changes(["x"]), 2)).pipe(
              Effect.retry(Schedule.spaced("50 millis")),
              Effect.timeout("5 seconds")
            )
          )
          yield* setUser(server, ...rules, `~${prefix}*`, `&${prefix}*`)
          // Who commits nothing any more watches again, too.
          assert.strictEqual((yield* Fiber.join(others)).length, 2)
          assert.isTrue(yield* commit(redis, [write(names[2]!, first, record())]))
          assert.strictEqual((yield* Stream.runCollect(Stream.take(redis.changes(["x"]), 2))).length, 2)
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
        assert.strictEqual(warnings.length, 1)
        assert.include(warnings[0], "PUBLISH")
      }
    }))

  it.live("whose user may listen to some of the channels hints at those, and says so of the others", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      if ((yield* version(server)) < 6.2) return
      yield* setUser(server, ...needed.split(" "), `~${prefix}*`, `&${prefix}a*`)
      const redis = yield* driver(server, user)
      const hints = new Map([["a", 0], ["ab", 0]])
      const listen = (name: string) =>
        Stream.runForEach(redis.changes([name]), () => Effect.sync(() => hints.set(name, hints.get(name)! + 1)))
      const listening = yield* Effect.forkChild(Effect.all([listen("a"), listen("ab")], { concurrency: 2 }))
      const refused = yield* Effect.forkChild(Effect.flip(Stream.runDrain(redis.changes(["b"]))))
      says(yield* Fiber.join(refused), "Forbidden", "NOPERM")
      yield* until("both are listened to", Effect.sync(() => [...hints.values()].every((count) => count === 2)))
      assert.isTrue(yield* commit(yield* driver(server), create("ab")))
      yield* until("a hint", Effect.sync(() => hints.get("ab")! > 2))
      assert.isUndefined(listening.pollUnsafe())
    }))

  it.live("without commands that are needed says so, and is in no doubt", () =>
    Effect.gen(function*() {
      for (const renamed of ["SET", "GETRANGE", "EXISTS", "EVALSHA", "INFO"]) {
        const server = yield* redisServer({
          args: ["--rename-command", renamed, "away"],
          ...renamed === "INFO" ? { ready: Effect.sleep("300 millis") } : {}
        })
        const redis = yield* driver(server, { timeout })
        const start = performance.now()
        const error = yield* refusal(redis, create("secret", record(JSON.stringify("hidden"))))
        assert.isBelow(performance.now() - start, 1500, renamed)
        says(error, "Forbidden", /unknown.*command|disabled/i)
        assert.notInclude(error.message, "hidden")
      }
      // Without these nothing is lost but what they are for.
      const server = yield* redisServer({ args: ["--rename-command", "PUBLISH", "", "--rename-command", "DEL", ""] })
      const redis = yield* driver(server)
      const first = record()
      assert.isTrue(yield* commit(redis, create("a", first)))
      assert.isTrue(yield* commit(redis, [write("a", first, record(null))]))
    }))

  it.live("is told from one that lets us only do something else", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* setUser(server, "+@all", "~other:*", "&other:*")
      const redis = yield* driver(server, { username: "app", password: "secret" })
      says(yield* refusal(redis, create("a")), "Forbidden", "NOPERM")
      if ((yield* version(server)) >= 7) {
        says(yield* Effect.flip(Stream.runDrain(redis.changes(["a"]))), "Forbidden", "NOPERM")
      }
      assert.isTrue(
        yield* commit(yield* driver(server, { username: "app", password: "secret", prefix: "other:" }), create("a"))
      )
    }))

  it.live("that is a replica is not used: its time is given to a failover", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const first = record()
      assert.isTrue(yield* commit(yield* driver(primary), create("a", first)))
      const replica = yield* redisReplica(primary)
      const redis = yield* driver(replica, { timeout })
      const start = performance.now()
      says(yield* refusal(redis, create("b")), "Forbidden", "READONLY")
      // It would tell what was.
      says(yield* Effect.flip(redis.read(["a"])), "Forbidden", "READONLY")
      says(yield* refusal(redis, [check("a", null)]), "Forbidden", "READONLY")
      assert.isBelow(performance.now() - start, 4000)
      const waiting = yield* Effect.forkChild(commit(yield* driver(replica), create("b")), { startImmediately: true })
      yield* Effect.sleep("100 millis")
      yield* replica.call("replicaof", "no", "one")
      assert.isTrue(yield* Fiber.join(waiting))
      assert.deepStrictEqual(yield* redis.read(["a"]), [first])
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
      // Reads that travel with it go on.
      const answers = yield* redis.commit([create("a"), [check("a", null)], [check("a", record())], create("b")])
      assert.instanceOf(answers[0], DriverError)
      assert.deepStrictEqual(answers.slice(1, 3), [{ committed: true }, { committed: false, current: [null] }])
      assert.instanceOf(answers[3], DriverError)
      says(answers[3], "Unavailable", "NOREPLICAS")
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
      // Before, it answers to nobody until it has.
      if ((yield* version(full)) < 6.2) return
      yield* full.call("eval", "for i = 1, 8000 do redis.call('SET', i, i) end", 0)
      yield* full.call("save")
      yield* full.stop("SIGKILL")
      const slow = yield* redisServer({
        port,
        directory: full.directory,
        args: flags({ "key-load-delay": "500", "loading-process-events-interval-bytes": "1024" }),
        ready: connect(port, (redis) => redis.ping()).pipe(
          Effect.catch((error) => error.message.includes("LOADING") ? Effect.void : Effect.fail(error))
        )
      })
      const hasty = yield* driver(slow, { timeout: "2 seconds", redis: { enableReadyCheck: false } })
      says(yield* refusal(hasty, create("a")), "Unavailable", "LOADING")
      const patient = yield* driver(slow, { timeout: "20 seconds" })
      assert.isTrue(yield* commit(patient, create("a")))
    }))
})
