/** What a setting of a server cannot promise: acknowledged updates that are lost, and what to set so that none is. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema } from "effect"
import { Scoped } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { readFile } from "node:fs/promises"
import { layer, stored } from "./redis/helpers.ts"
import { mysqlServer, query } from "./servers/mysql.ts"
import { flags, redisReplica, type RedisServer, redisServer, until } from "./servers/redis.ts"
import { binary, freePort, temporaryDirectory } from "./servers/server.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })

const increment = Scoped.update(Count, (count) => [count + 1, count + 1])

const role = (server: RedisServer, role: string) =>
  until(`it is a ${role}`, Effect.map(server.call("role"), (found) => String(found).startsWith(role)))

/** Lets the replica miss all that comes from now on: stopped, and not connected any more. */
const cutOff = Effect.fnUntraced(function*(primary: RedisServer, replica: RedisServer) {
  yield* until("it has caught up", Effect.map(primary.call("wait", 1, 1_000), (count) => Number(count) === 1))
  yield* replica.signal("SIGSTOP")
  yield* primary.call("client", "kill", "type", "replica")
})

/** The primary dies, and the replica takes its place with what it has. */
const promote = Effect.fnUntraced(function*(primary: RedisServer, replica: RedisServer) {
  yield* primary.stop("SIGKILL")
  yield* replica.signal("SIGCONT")
  yield* replica.call("replicaof", "no", "one")
  yield* role(replica, "master")
})

describe("a replica of Redis that is promoted", () => {
  it.live("lacks what was acknowledged without \"wait\" and did not reach it", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* increment, 1)
        yield* cutOff(primary, replica)
        assert.strictEqual(yield* increment, 2)
        assert.strictEqual(yield* increment, 3)
      }).pipe(Effect.provide(layer(primary)))
      yield* promote(primary, replica)
      assert.strictEqual(yield* Scoped.get(Count).pipe(Effect.provide(layer(replica))), 1)
    }))

  it.live("has all that was acknowledged with \"wait\": what did not reach it was told apart", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* increment, 1)
        yield* cutOff(primary, replica)
        assert.strictEqual((yield* Effect.flip(increment))._tag, "NotReplicatedError")
      }).pipe(Effect.provide(layer(primary, { wait: { replicas: 1, timeout: "200 millis" } })))
      yield* promote(primary, replica)
      assert.strictEqual(yield* Scoped.get(Count).pipe(Effect.provide(layer(replica))), 1)
    }))
})

/** How often a process syncs files while something is done. */
const syncsOf = Effect.fnUntraced(function*<A, E>(pid: number, during: Effect.Effect<A, E>) {
  const log = `${yield* temporaryDirectory}/syncs`
  const strace = yield* binary(["strace"], "strace")
  yield* Effect.scoped(Effect.gen(function*() {
    const tracer = yield* Effect.acquireRelease(
      Effect.sync(() => spawn(strace, ["-f", "-e", "trace=fsync,fdatasync", "-o", log, "-p", String(pid)])),
      (tracer) =>
        Effect.promise(async () => {
          const ended = once(tracer, "exit")
          if (tracer.kill("SIGTERM")) await ended
        })
    )
    yield* Effect.promise(() => once(tracer.stderr, "data"))
    yield* during
  }))
  return (yield* Effect.promise(() => readFile(log, "utf8"))).match(/(fsync|fdatasync)\(/g)?.length ?? 0
})

describe("a Redis server with an append-only file", () => {
  const start = Effect.fnUntraced(function*(appendfsync: string) {
    const [port, directory] = [yield* freePort, yield* temporaryDirectory]
    const launch = redisServer({ port, directory, args: flags({ appendonly: "yes", appendfsync }) })
    return { port, launch, server: yield* launch }
  })

  for (const appendfsync of ["everysec", "always"]) {
    it.live(`and "appendfsync ${appendfsync}" keeps what was acknowledged when its process dies`, () =>
      Effect.gen(function*() {
        const { launch, server } = yield* start(appendfsync)
        for (let i = 1; i <= 20; i++) {
          assert.strictEqual(yield* increment.pipe(Effect.provide(layer(server))), i)
        }
        yield* server.stop("SIGKILL")
        assert.strictEqual(yield* stored(yield* launch, "count"), 20)
      }))
  }

  // What an update survives when the machine loses its power is what was synced before it was acknowledged.
  it.live(
    "syncs before each acknowledgement with \"always\", and later with \"everysec\"",
    () =>
      Effect.gen(function*() {
        for (const appendfsync of ["everysec", "always"]) {
          const { server } = yield* start(appendfsync)
          const updates = 40
          const syncs = yield* syncsOf(
            server.pid,
            Effect.repeat(increment, { times: updates - 1 }).pipe(Effect.provide(layer(server)))
          )
          if (appendfsync === "always") assert.isAtLeast(syncs, updates)
          else assert.isBelow(syncs, updates)
        }
      })
  )
})

describe("a MySQL server", () => {
  /** Counts until the process is killed, and what there is when it comes back. */
  const lost = Effect.fnUntraced(function*(flush: number) {
    const server = yield* mysqlServer({ durable: true, args: [`--innodb-flush-log-at-trx-commit=${flush}`] })
    const url = Redacted.make(server.url)
    const acknowledged = yield* Effect.gen(function*() {
      yield* increment
      // Otherwise the log is written every second.
      yield* query(server.url, "SET GLOBAL innodb_flush_log_at_timeout=30")
      yield* Effect.sleep("1500 millis")
      let count = 0
      for (let i = 0; i < 50; i++) count = yield* increment
      yield* server.process().stop("SIGKILL")
      return count
    }).pipe(Effect.provide(MysqlDriver.layer({ url })))
    yield* server.start()
    const found = yield* Scoped.get(Count).pipe(Effect.provide(MysqlDriver.layer({ url })))
    return acknowledged - found
  })

  it.live("with innodb_flush_log_at_trx_commit=0 loses what was acknowledged when its process dies", () =>
    Effect.gen(function*() {
      assert.isAbove(yield* lost(0), 0)
    }))

  it.live("with innodb_flush_log_at_trx_commit=2 keeps it then", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* lost(2), 0)
    }))
})
