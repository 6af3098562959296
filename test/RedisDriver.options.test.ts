/** How a server is reached, and what is opened and closed. */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Fiber, Logger, Redacted, Scope, Stream } from "effect"
import { Redis, type RedisOptions } from "ioredis"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import { commit, counter, create, driver, increment, record, refusal, says, setUser, stored } from "./redis/helpers.ts"
import { flags, type RedisServer, redisServer, until } from "./servers/redis.ts"
import { freePort } from "./servers/server.ts"

const clients = (server: RedisServer, type: "normal" | "pubsub" = "normal") =>
  Effect.map(
    server.call("client", "list", "type", type),
    (list) => String(list).trim().split("\n").filter((line) => line !== "" && !line.includes("cmd=client")).length
  )

const onClient = (server: RedisServer, options: RedisOptions = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis({ ...options, port: server.port, replyMapping: "legacy" })),
    (redis) => Effect.sync(() => redis.disconnect())
  )

describe("the Redis driver", { concurrent: true }, () => {
  it.live("closes what it opened", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      assert.strictEqual(yield* clients(server), 0)
      const scope = yield* Scope.make()
      const redis = yield* Scope.provide(driver(server), scope)
      assert.isTrue(yield* commit(redis, create("a")))
      assert.strictEqual(yield* clients(server), 1)
      yield* Stream.runHead(redis.changes(["a"]))
      yield* Scope.close(scope, Exit.void)
      yield* until("no connection is left", Effect.map(clients(server), (count) => count === 0))
      for (
        const error of [
          yield* refusal(redis, create("a")),
          yield* Effect.flip(redis.read(["a"])),
          yield* Effect.flip(Stream.runDrain(redis.changes(["a"]))),
          yield* Effect.flip(Stream.runDrain(redis.names("")))
        ]
      ) says(error, "Closed", "was closed")
    }))

  it.live("listens only while somebody watches, on one connection for all", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      assert.isTrue(yield* commit(redis, create("a")))
      assert.strictEqual(yield* clients(server, "pubsub"), 0)
      yield* Effect.scoped(Effect.gen(function*() {
        for (let i = 0; i < 5; i++) yield* Effect.forkScoped(Stream.runDrain(redis.changes(["a", `${i}`])))
        yield* until(
          "it listens",
          Effect.map(server.call("pubsub", "channels"), (channels) => (channels as Array<unknown>).length === 6)
        )
        assert.strictEqual(yield* clients(server, "pubsub"), 1)
      }))
      yield* until("it does not listen", Effect.map(clients(server, "pubsub"), (count) => count === 0))
    }))

  it.live("uses a client that it is given, and leaves it open and as it was", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const client = yield* onClient(server, { keyPrefix: "app:", db: 3, stringNumbers: true })
      yield* Effect.promise(() => once(client, "ready"))
      const listeners = () => client.eventNames().map((name) => [name, client.listenerCount(name)])
      const before = listeners()
      yield* Effect.scoped(Effect.gen(function*() {
        const redis = yield* RedisDriver.make({ client, prefix: "scopes/" })
        const first = record()
        assert.isTrue(yield* commit(redis, create("a", first)))
        assert.isFalse(yield* commit(redis, create("a")))
        assert.deepStrictEqual(yield* redis.read(["a", "b"]), [first, null])
        assert.deepStrictEqual(yield* Stream.runCollect(redis.names("")), ["a"])
        const hints = yield* Effect.forkChild(redis.changes(["b"]).pipe(Stream.take(3), Stream.runCollect))
        yield* until(
          "it listens",
          Effect.map(server.call("pubsub", "channels"), (channels) => (channels as Array<unknown>).length > 0)
        )
        assert.isTrue(yield* commit(redis, create("b")))
        assert.isTrue(Exit.isSuccess(yield* Fiber.await(hints)))
      }))
      assert.deepStrictEqual(listeners(), before)
      assert.deepStrictEqual((yield* Effect.promise(() => client.keys("*"))).toSorted(), [
        "app:scopes/a",
        "app:scopes/b"
      ])
    }))

  it.live("keeps scopes under their names, byte for byte, behind the prefix", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const name = "\u0000 é\n{😀}*"
      const redis = yield* driver(server, { prefix: "ü:" })
      const first = record(`{"a":"\u00e9 \u2028"}`)
      assert.isTrue(yield* commit(redis, create(name, first)))
      const client = yield* onClient(server)
      const value = yield* Effect.promise(() => client.getBuffer(Buffer.from(`ü:${name}`, "utf8")))
      assert.deepStrictEqual(value, Buffer.from(`${first.revision.length}::${first.revision}=${first.data}`, "utf8"))
    }))

  it.live("reaches a server by a secret URL, with a user, by configuration", () =>
    Effect.gen(function*() {
      const server = yield* redisServer({ password: "secret" })
      yield* setUser(server, ">pa:ss", "+@all", "~*", "&*")
      const url = `redis://app:pa%3Ass@127.0.0.1:${server.port}`
      const provider = ConfigProvider.layer(ConfigProvider.fromUnknown({ REDIS_URL: url, PREFIX: "configured:" }))
      const fromConfig = RedisDriver.layerConfig({ url: Config.Redacted("REDIS_URL"), prefix: Config.String("PREFIX") })
      assert.strictEqual(yield* increment(counter("a")).pipe(Effect.provide(fromConfig), Effect.provide(provider)), 1)
      assert.match(String(yield* server.call("get", "configured:a")), /=1$/)
      const byOptions = RedisDriver.layer({
        url: Redacted.make(`redis://127.0.0.1:${server.port}/2`),
        username: "app",
        password: Redacted.make("pa:ss")
      })
      assert.strictEqual(yield* increment(counter("a")).pipe(Effect.provide(byOptions)), 1)
      const missing = yield* increment(counter("a")).pipe(
        Effect.provide(RedisDriver.layerConfig({ url: Config.Redacted("NOT_THERE") })),
        Effect.flip
      )
      assert.strictEqual(missing._tag, "ConfigError")
    }))

  it.live("reaches a server by TLS", () =>
    Effect.gen(function*() {
      const [cert, key] = ["cert", "key"].map((name) => new URL(`redis/tls/${name}.pem`, import.meta.url).pathname)
      const port = yield* freePort
      const server = yield* redisServer({
        port: yield* freePort,
        args: flags({
          "tls-port": String(port),
          "tls-cert-file": cert!,
          "tls-key-file": key!,
          "tls-ca-cert-file": cert!,
          "tls-auth-clients": "no"
        })
      })
      const ca = readFileSync(cert!)
      const redis = yield* driver(port, { tls: { ca } })
      assert.isTrue(yield* commit(redis, create("a")))
      yield* Stream.runHead(redis.changes(["a"]))
      assert.strictEqual(yield* stored(server, "a"), 1)
      says(
        yield* refusal(yield* driver(port, { tls: true, timeout: "500 millis" }), create("b")),
        "Unavailable",
        /self.signed/
      )
      const byUrl = yield* RedisDriver.make({ url: `rediss://127.0.0.1:${port}`, tls: { ca } })
      assert.isTrue(yield* commit(byUrl, create("b")))
    }))

  it.live("says which options make no sense", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(RedisDriver.make({ sentinels: [{ host: "127.0.0.1", port: 1 }] }))
      assert.strictEqual(error.operation, "open")
      says(error, "Unknown", "name of master")
    }))

  it.live("warns once of a server that may drop scopes, also where it must not ask for its settings", () =>
    Effect.gen(function*() {
      const warningsOf = Effect.fnUntraced(function*(server: RedisServer, options: RedisDriver.Options = {}) {
        const warnings: Array<string> = []
        const logger = Logger.make(({ logLevel, message }) => {
          if (logLevel === "Warn") warnings.push(String(message))
        })
        yield* Effect.gen(function*() {
          const redis = yield* driver(server, options)
          assert.strictEqual(yield* commit(redis, create(crypto.randomUUID())), true)
          yield* commit(redis, create(crypto.randomUUID()))
          yield* until(
            "it has asked",
            options.username === undefined
              ? Effect.map(
                server.call("info", "commandstats"),
                (stats) => /cmdstat_config(\|get)?:calls=[1-9]/.test(String(stats))
              )
              : Effect.map(server.call("acl", "log"), (log) => JSON.stringify(log).includes("config"))
          )
          yield* Effect.sleep("50 millis")
        }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
        return warnings
      })
      const evicting = yield* redisServer({ args: flags({ "maxmemory-policy": "allkeys-lru" }) })
      yield* setUser(evicting, "+@all", "-config", "~*", "&*")
      for (const options of [{}, { username: "app", password: "secret" }]) {
        const warnings = yield* warningsOf(evicting, options)
        assert.strictEqual(warnings.length, 1)
        assert.match(warnings[0]!, /"allkeys-lru".*"maxmemory-policy" to "noeviction"/)
      }
      assert.deepStrictEqual(yield* warningsOf(yield* redisServer()), [])
    }))

  it.live("gives an answer before the storage stops waiting for it", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      const url = `redis://127.0.0.1:${port}`
      for (
        const layer of [
          RedisDriver.layer({ url, timeout: "200 millis" }),
          RedisDriver.layer({ url }, { timeout: "250 millis" })
        ]
      ) {
        const start = performance.now()
        const error = yield* Effect.flip(Effect.provide(Scoped.get(counter("a")), layer))
        assert.isBelow(performance.now() - start, 1000)
        assert.strictEqual(error._tag, "DriverError")
        if (error._tag === "DriverError") says(error, "Unavailable", /ECONNREFUSED|no connection that is ready/)
      }
    }))

  it.live("uses the database that it is told, and never another", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* setUser(server, "+@all", "-select", "~*", "&*")
      const user = { username: "app", password: "secret" }
      assert.isTrue(yield* commit(yield* driver(server, { url: `${server.url}/3` }), create("a")))
      assert.strictEqual(yield* server.call("dbsize"), 0)
      for (
        const [word, options] of [
          ["out of range", { url: `${server.url}/99` }],
          ["out of range", { redis: { db: 99 } }],
          ["NOPERM", { url: `${server.url}/3`, ...user }]
        ] as const
      ) {
        const redis = yield* driver(server, options)
        for (let i = 0; i < 2; i++) says(yield* refusal(redis, create("b")), "Forbidden", word)
      }
      const wrong = yield* Effect.flip(RedisDriver.make({ url: `${server.url}?db=x` }))
      says(wrong, "Unknown", "db")
      assert.strictEqual(yield* server.call("dbsize"), 0)
    }))

  it.live("remembers revisions for long enough where calls may take long", () =>
    Effect.gen(function*() {
      const { url } = yield* redisServer()
      for (const options of [{ timeout: "40 seconds" }, { wait: { replicas: 0, timeout: "40 seconds" } }] as const) {
        yield* Effect.provide(increment(counter("a")), RedisDriver.layer({ url, ...options }))
      }
    }))

  it.live("does not wait for replicas longer than the storage waits for an answer", () =>
    Effect.gen(function*() {
      const layer = RedisDriver.layer({ wait: { replicas: 1, timeout: "3 seconds" } }, { timeout: "3 seconds" })
      const error = yield* Effect.flip(Effect.provide(Scoped.get(counter("a")), layer))
      assert.strictEqual(error._tag, "DriverError")
      if (error._tag === "DriverError") says(error, "Unknown", /"timeout" of the storage \(3000 ms\).*"wait"/)
    }))
})
