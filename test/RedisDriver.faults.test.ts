/** Servers that crash, hang and are cut off. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { Redis } from "ioredis"
import * as Scoped from "../src/Scoped.ts"
import { DriverError } from "../src/ScopedError.ts"
import {
  commit,
  counter,
  countWhile,
  create,
  driver,
  increment,
  large,
  layer,
  record,
  refusal,
  says,
  stored,
  write
} from "./redis/helpers.ts"
import { proxy } from "./redis/proxy.ts"
import { flags, redisReplica, redisServer, until } from "./servers/redis.ts"
import { freePort } from "./servers/server.ts"

const timeout = "1 second"

/** A machine that is busy with many servers takes its time until a connection is there again. */
const soon = Schedule.upTo(Schedule.spaced("10 millis"), { duration: "30 seconds" })

describe("a Redis server", { concurrent: true }, () => {
  it.live("that is killed and started again has all that was acknowledged, once", () =>
    Effect.gen(function*() {
      const args = flags({ appendonly: "yes", appendfsync: "always" })
      let server = yield* redisServer({ args })
      const { directory, port } = server
      let running = true
      const counting = yield* countWhile("count", 8, () => running).pipe(
        Effect.provide(layer(server, { timeout: "20 seconds" })),
        Effect.forkChild
      )
      for (let kills = 0; kills < 5; kills++) {
        yield* Effect.sleep("150 millis")
        yield* server.stop("SIGKILL")
        server = yield* redisServer({ args, port, directory })
      }
      yield* Effect.sleep("150 millis")
      running = false
      const tally = yield* Fiber.join(counting)
      assert.deepStrictEqual([tally.failed, tally.unknown, tally.errors], [0, 0, []])
      assert.isAbove(tally.done, 5)
      assert.strictEqual(yield* stored(server, "count"), tally.done)
    }), 30_000)

  it.live("that cuts the connections all the time applies every update once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      let running = true
      const counting = yield* countWhile("count", 16, () => running).pipe(
        Effect.provide(layer(server)),
        Effect.forkChild
      )
      for (let kills = 0; kills < 60; kills++) {
        yield* server.call("client", "kill", "type", "normal")
        yield* Effect.sleep("10 millis")
      }
      running = false
      const tally = yield* Fiber.join(counting)
      assert.deepStrictEqual([tally.failed, tally.unknown, tally.errors], [0, 0, []])
      assert.strictEqual(yield* stored(server, "count"), tally.done)
    }))

  it.live("whose answers are lost applies every update once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      let answers = 0
      let dropped = 0
      // The answer to a script that committed.
      wire.inspect = (answer) => {
        if (!/^:1\r\n|\*1\r\n:1\r\n/.test(answer.toString("latin1")) || ++answers % 7 !== 0) return true
        dropped++
        return false
      }
      const [one, two] = [counter("one"), counter("two")]
      const both = Scoped.all({ one, two })
      const transfer = Scoped.update(both, ({ one, two }) => [undefined, { one: one + 1, two: two - 1 }])
      yield* Effect.forEach(Array.from({ length: 400 }), (_, i) => i % 4 === 0 ? transfer : increment(one), {
        concurrency: 4
      }).pipe(Effect.provide(layer(wire.port)))
      assert.isAbove(dropped, 5)
      assert.deepStrictEqual([yield* stored(server, "one"), yield* stored(server, "two")], [400, -100])
    }))

  it.live("that answers late, or not at all for a while, applies every update once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      yield* Effect.gen(function*() {
        yield* increment(counter("count"))
        wire.mode = "deaf"
        const some = yield* Effect.forkChild(Effect.forEach([1, 2, 3], () => increment(counter("count"))))
        yield* Effect.sleep("1400 millis")
        wire.mode = "open"
        yield* Fiber.join(some)
        wire.mode = "dead"
        const more = yield* Effect.forkChild(increment(counter("count")))
        yield* Effect.sleep("1400 millis")
        wire.mode = "open"
        wire.delay = 100
        assert.strictEqual(yield* Fiber.join(more), 5)
      }).pipe(Effect.provide(layer(wire.port, { timeout: "800 millis" })))
      assert.strictEqual(yield* stored(server, "count"), 5)
    }))

  it.live("that goes silent leaves the commit in doubt, in time", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port, { timeout })
      assert.isTrue(yield* commit(redis, create("a")))
      wire.mode = "deaf"
      const start = performance.now()
      says(yield* refusal(redis, create("b")), "Timeout", /did not answer within \d+ ms/, true)
      assert.isBelow(performance.now() - start, 2000)
      // It was applied all the same.
      assert.strictEqual(yield* stored(server, "b"), 1)
      wire.mode = "open"
      assert.isTrue(yield* commit(redis, create("c")))
    }))

  it.live("that refuses a batch late and then goes silent fails its parts in the time of the call", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port, { timeout: "2 seconds" })
      assert.isTrue(yield* commit(redis, create("a")))
      // Each part is sent once more by itself, since only some of them may have been refused.
      const refusal = "-NOPERM No permissions to access a key\r\n"
      let asked = 0
      wire.replace = () => Buffer.from(refusal)
      wire.overhear = () => {
        if (++asked > 1) wire.mode = "dead"
      }
      wire.delay = 1600
      const start = performance.now()
      const answers = yield* redis.commit([create("b"), create("c")])
      assert.isBelow(performance.now() - start, 3200)
      assert.isAbove(asked, 1)
      for (const answer of answers) says(answer as DriverError, "Timeout", "did not answer", true)
    }))

  it.live("that takes connections and never answers fails every call in time", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      wire.mode = "dead"
      const redis = yield* driver(wire.port, { timeout })
      const start = performance.now()
      const [first, second] = yield* Effect.all(
        [refusal(redis, create("a")), Effect.flip(redis.read(["a"]))],
        { concurrency: "unbounded" }
      )
      assert.isBelow(performance.now() - start, 2000)
      for (const error of [first, second]) says(error, "Unavailable", "no connection that is ready")
      wire.mode = "open"
      assert.isTrue(
        yield* commit(redis, create("a")).pipe(
          Effect.retry(soon)
        )
      )
    }))

  it.live("that answers what it never should applies the update once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      wire.replace = (answer) => answer.toString("latin1") === ":1\r\n" ? Buffer.from("$-1\r\n") : answer
      assert.strictEqual(yield* Effect.provide(increment(counter("a")), layer(wire.port)), 1)
      assert.strictEqual(yield* stored(server, "a"), 1)
    }))

  it.live("that takes no writes fails them in time, although somebody sets the clock back", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* server.call("replicaof", "127.0.0.1", yield* freePort)
      const real = yield* Clock.Clock
      let back = 0
      const clock: Clock.Clock = Object.assign(Object.create(real), {
        currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() - back
      })
      const redis = yield* Effect.provideService(driver(server, { timeout }), Clock.Clock, clock)
      const running = yield* Effect.forkChild(refusal(redis, create("a")), { startImmediately: true })
      yield* Effect.sleep("200 millis")
      back = 3_600_000
      const error = yield* Effect.timeout(Fiber.join(running), "5 seconds")
      says(error, "Forbidden", "READONLY")
    }))

  it.live("that is not there fails every call, and is used once it is", () =>
    Effect.gen(function*() {
      const port = yield* freePort
      yield* Effect.gen(function*() {
        const start = performance.now()
        const error = yield* Effect.flip(increment(counter("count")))
        assert.isBelow(performance.now() - start, 2000)
        assert.strictEqual(error._tag, "DriverError")
        if (error._tag === "DriverError") says(error, "Unavailable", "ECONNREFUSED")
        // It has been away for longer than anybody waits, so nobody does.
        const again = performance.now()
        yield* Effect.flip(increment(counter("count")))
        assert.isBelow(performance.now() - again, 500)
        yield* redisServer({ port })
        yield* until(
          "updates work",
          Effect.map(Effect.result(increment(counter("count"))), (result) => result._tag === "Success")
        )
      }).pipe(Effect.provide(layer(port, { timeout })))
    }))

  it.live("that is away for a moment is waited for", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server, { timeout: "20 seconds" })
      assert.isTrue(yield* commit(redis, create("a")))
      yield* server.stop("SIGKILL")
      yield* Effect.sleep("50 millis")
      const waiting = yield* Effect.forkChild(commit(redis, create("a")), { startImmediately: true })
      yield* redisServer({ port: server.port })
      assert.isTrue(yield* Fiber.join(waiting))
    }))

  it.live("that is stopped and goes on applies every update once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      let running = true
      const counting = yield* countWhile("count", 8, () => running).pipe(
        Effect.provide(layer(server, { timeout: "300 millis" })),
        Effect.forkChild
      )
      for (let stops = 0; stops < 3; stops++) {
        yield* Effect.sleep("100 millis")
        yield* server.signal("SIGSTOP")
        yield* Effect.sleep("500 millis")
        yield* server.signal("SIGCONT")
      }
      yield* Effect.sleep("200 millis")
      running = false
      const tally = yield* Fiber.join(counting)
      assert.strictEqual(tally.unknown, 0)
      assert.isAbove(tally.done, 5)
      assert.strictEqual(yield* stored(server, "count"), tally.done)
    }))

  it.live("that is stopped gets nothing of a call after its end", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server, { timeout })
      assert.isTrue(yield* commit(redis, create("a")))
      yield* server.signal("SIGSTOP")
      // More than there is room for on the way.
      const next = large(2 ** 20)
      const names = Array.from({ length: 60 }, (_, i) => `${i}`)
      const answers = yield* redis.commit(names.map((name) => create(name, next)))
      for (const answer of answers) {
        assert.instanceOf(answer, DriverError)
        assert.isTrue(answer.inDoubt || answer.reason === "Unavailable")
      }
      yield* server.signal("SIGCONT")
      assert.isTrue(
        yield* Effect.retry(commit(redis, create("b")), soon)
      )
      const arrived = (yield* redis.read(names)).map((found) => found !== null)
      assert.isBelow(arrived.filter((one) => one).length, names.length - 10)
      yield* Effect.sleep("300 millis")
      assert.deepStrictEqual((yield* redis.read(names)).map((found) => found !== null), arrived)
    }))

  it.live("gets nothing of a call that was interrupted, or whose driver was closed", () =>
    Effect.gen(function*() {
      for (const how of ["interrupted", "closed"]) {
        const server = yield* redisServer()
        const scope = yield* Scope.make()
        const redis = yield* Scope.provide(driver(server, { timeout: "20 seconds" }), scope)
        assert.isTrue(yield* commit(redis, create("a")))
        yield* server.signal("SIGSTOP")
        const names = Array.from({ length: 60 }, (_, i) => `${i}`)
        const next = large(2 ** 20)
        const running = yield* Effect.forkChild(redis.commit(names.map((name) => create(name, next))), {
          startImmediately: true
        })
        yield* Effect.sleep("200 millis")
        const ending = yield* Effect.forkChild(
          how === "interrupted" ? Fiber.interrupt(running) : Scope.close(scope, Exit.void),
          { startImmediately: true }
        )
        yield* Effect.sleep("20 millis")
        yield* server.signal("SIGCONT")
        yield* Fiber.join(ending)
        yield* Effect.sleep("1500 millis")
        const arrived = yield* (yield* driver(server)).read(names)
        assert.isBelow(arrived.filter((found) => found !== null).length, names.length - 10)
        if (how === "interrupted") yield* Scope.close(scope, Exit.void)
        else {
          const answers = yield* Fiber.join(running)
          assert.isTrue(answers.every((answer) => answer instanceof DriverError && answer.inDoubt))
        }
      }
    }))

  it.live("is sent nothing again by a client that would", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      // As ioredis is by itself: it keeps what has no answer, and what has no connection.
      const client = new Redis({ port: wire.port })
      client.on("error", () => {})
      yield* Effect.addFinalizer(() => Effect.sync(() => client.disconnect()))
      for (
        const options of [
          { client },
          { redis: { autoResendUnfulfilledCommands: true, enableOfflineQueue: true } },
          { url: `redis://127.0.0.1:${wire.port}?autoResendUnfulfilledCommands=true&enableOfflineQueue=true` }
        ]
      ) {
        const redis = yield* driver(wire.port, { ...options, timeout })
        assert.isTrue(yield* commit(redis, create(crypto.randomUUID())))
        wire.overhear = (question) => {
          if (question.includes("lost:1")) wire.cut()
        }
        const error = yield* refusal(redis, create("lost", { revision: "lost:1", data: "1" }))
        says(error, "Unavailable", "was lost", true)
        wire.overhear = () => {}
        assert.isTrue(
          yield* Effect.retry(commit(redis, create(crypto.randomUUID())), soon)
        )
        yield* Effect.sleep("100 millis")
        assert.deepStrictEqual(yield* redis.read(["lost"]), [null])
      }
    }))

  it.live("whose address leads to another, which took over while it lives on, is left for that, with all who watch", () =>
    Effect.gen(function*() {
      const old = yield* redisServer()
      const heir = yield* redisReplica(old)
      const wire = yield* proxy(old.port)
      const redis = yield* driver(wire.port)
      const watching = yield* driver(wire.port)
      const first = record()
      assert.isTrue(yield* commit(redis, create("a", first)))
      let hints = 0
      yield* watching.changes(["a"]).pipe(
        Stream.runForEach(() => Effect.sync(() => hints++)),
        Effect.forkScoped
      )
      yield* until("it listens", Effect.sync(() => hints >= 2))
      wire.target = heir.port
      yield* heir.call("replicaof", "no", "one")
      yield* old.call("replicaof", "127.0.0.1", heir.port)
      const second = record()
      assert.isTrue(yield* commit(redis, [write("a", first, second)]))
      assert.deepStrictEqual(yield* redis.read(["a"]), [second])
      // Who only watches has found out, too.
      yield* until(
        "all connections lead to the heir",
        Effect.map(
          old.call("client", "list"),
          (list) => String(list).trim().split("\n").every((line) => /cmd=(client|replconf|psync)|flags=[SM]/.test(line))
        )
      )
      const before = hints
      assert.isTrue(yield* commit(redis, [write("a", second, record())]))
      yield* until("a hint", Effect.sync(() => hints > before))
    }))
})
