/** Servers and networks that fail, each private to its test. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schedule, Scope, Stream } from "effect"
import { Scoped } from "effect-scoped"
import type { DriverError } from "../src/ScopedError.ts"
import {
  commit,
  commitAll,
  committed,
  create,
  fresh,
  read,
  record,
  refused,
  soon,
  write
} from "../src/testing/driver/TestStore.ts"
import { listen, proxy } from "./mysql/proxy.ts"
import { connect, Count, increment, storage, timed } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"
import { freePort } from "./servers/server.ts"

const timeout = 600

/** What an effect fails with, in time. */
const failure = Effect.fnUntraced(function*<A, R>(effect: Effect.Effect<A, DriverError, R>) {
  const [error, millis] = yield* timed(Effect.flip(effect))
  assert.isBelow(millis, timeout + 400, error.message)
  return error
})

describe("a reply that is lost", () => {
  it.live("leaves a commit in doubt, and its connection is not used again", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port, { timeout })
      const name = fresh()
      const zeroth = yield* create(driver, name)
      const [first, second] = [record("1"), record("2")] as const
      yield* commit(driver, write(name, zeroth, first))
      network.pass({ requests: true, replies: false })
      const error = yield* failure(driver.commit([[write(name, first, second)]]))
      assert.deepStrictEqual([error.reason, error.inDoubt], ["Timeout", true])
      network.pass({ requests: true, replies: true })
      assert.deepStrictEqual(yield* read(driver, name), second, "it was applied")
      assert.deepStrictEqual(yield* commit(driver, write(name, first, record("3"))), refused(second))
    }))

  for (const parts of [1, 2]) {
    it.live(`leaves a commit in doubt also where no other connection is to be had: ${parts === 1 ? "one scope" : "a product"}`, () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        const network = yield* proxy(server.port)
        const [driver, direct] = [yield* connect(network.port), yield* connect(server.port)] as const
        const names = Array.from({ length: parts }, () => fresh())
        const first = yield* Effect.forEach(names, (name) => create(driver, name))
        const second = names.map(() => record("2"))
        const nowhere = yield* freePort
        network.replace(second[0]!.revision, Buffer.alloc(0))
        const writing = yield* Effect.forkChild(
          Effect.flip(driver.commit([names.map((name, i) => write(name, first[i]!, second[i]!))])),
          { startImmediately: true }
        )
        yield* soon("it is applied", Effect.repeat(read(direct, names[0]!), { until: (found) => found?.data === "2" }))
        network.lead(nowhere)
        network.cut()
        const error = yield* Fiber.join(writing)
        assert.deepStrictEqual([error.reason, error.inDoubt], ["Unavailable", true])
        assert.deepStrictEqual(yield* direct.read(names), second)
      }))
  }

  it.live("is got over by the storage: each update counts once", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const a = yield* storage(yield* connect(network.port, { timeout }), { timeout })
      const b = yield* storage(yield* connect(server.port))
      const scope = Count("one")
      const counts: [number, number] = [0, 0]
      let losses = 0
      const losing = yield* Effect.gen(function*() {
        for (;;) {
          // On a busy machine nothing might get through between two losses.
          const before = counts[0]
          yield* Effect.suspend(() => Effect.sleep(30)).pipe(Effect.repeat({ while: () => counts[0] === before }))
          network.pass({ requests: true, replies: false })
          yield* Effect.sleep(20)
          network.cut()
          network.pass({ requests: true, replies: true })
          losses++
        }
      }).pipe(Effect.forkChild)
      yield* Effect.forEach([a, b], (storage, i) =>
        increment(scope).pipe(
          Effect.tap(() =>
            Effect.sync(() => {
              counts[i]!++
            })
          ),
          // Whoever found no connection is told that nothing is stored.
          Effect.retry({ while: (error) => error._tag === "DriverError", schedule: Schedule.spaced(5) }),
          Effect.repeat({ until: () => losses >= 10 }),
          Effect.provide(storage)
        ), { concurrency: 2 })
      yield* Fiber.interrupt(losing)
      assert.strictEqual(yield* Effect.provide(Scoped.get(scope), b), counts[0] + counts[1])
    }))
})

describe("a network that swallows everything", () => {
  it.live("ends every call within its timeout, and no call once it is back", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port, { timeout })
      const name = fresh()
      const first = yield* create(driver, name)
      for (let round = 0; round < 2; round++) {
        network.pass({ requests: false, replies: false })
        const errors = yield* Effect.all([
          failure(driver.read([name])),
          failure(driver.commit([[write(name, first, record())]])),
          failure(Stream.runDrain(driver.names(""))),
          failure(driver.commit([[write(name, null, record())]]))
        ], { concurrency: "unbounded" })
        for (const error of errors) assert.include(["Timeout", "Unavailable"], error.reason)
        network.pass({ requests: true, replies: true })
        assert.deepStrictEqual(yield* read(driver, name), first)
      }
      network.cut()
      assert.deepStrictEqual(yield* read(driver, name), first, "a query is run again where a connection was lost")
    }))

  it.live("does not keep the driver from closing", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const scope = yield* Scope.make()
      const driver = yield* Scope.provide(connect(network.port, { timeout }), scope)
      yield* create(driver, fresh())
      network.pass({ requests: false, replies: false })
      const calls = yield* Effect.forkChild(failure(driver.read([fresh()])), { startImmediately: true })
      const [, millis] = yield* timed(Scope.close(scope, Exit.void))
      assert.isBelow(millis, timeout + 1500)
      yield* Fiber.join(calls)
      assert.strictEqual((yield* Effect.flip(driver.read([fresh()]))).reason, "Closed")
      assert.strictEqual((yield* Effect.flip(driver.commit([]))).reason, "Closed")
      assert.strictEqual((yield* Effect.flip(Stream.runDrain(driver.changes(["a"])))).reason, "Closed")
    }))
})

describe("a server that is not there", () => {
  it.live("accepts and never answers: opening ends, and so does every call", () =>
    Effect.gen(function*() {
      const silent = yield* listen(() => {})
      const [driver, millis] = yield* timed(connect(silent.port, { timeout }))
      assert.isBelow(millis, timeout + 400)
      for (const call of [driver.read(["a"]), driver.commit([[write("a", null, record())]])]) {
        const error = yield* failure<unknown, never>(call)
        assert.include(["Timeout", "Unavailable"], error.reason)
        assert.isFalse(error.inDoubt)
      }
    }))

  it.live("comes up later: until then each call fails at once, saying that nothing is stored", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ started: false })
      const driver = yield* connect(server.port, { timeout })
      const hints: Array<string> = []
      yield* driver.changes(["a"]).pipe(
        Stream.runForEach((name) => Effect.sync(() => hints.push(name))),
        // The database is made a moment after the server comes up.
        Effect.retry(Schedule.spaced(20)),
        Effect.forkScoped
      )
      for (const call of [driver.read(["a"]), driver.commit([[write("a", null, record())]])]) {
        const error = yield* failure<unknown, never>(call)
        assert.deepStrictEqual([error.reason, error.inDoubt], ["Unavailable", false])
        assert.include(error.message, "ECONNREFUSED")
        assert.include(error.message, "is the server up")
      }
      yield* server.start()
      const calls = Array.from({ length: 20 }, (_, i) => commit(driver, write(`a${i}`, null, record())))
      assert.deepStrictEqual(yield* Effect.all(calls, { concurrency: "unbounded" }), calls.map(() => committed))
      const before = hints.length
      yield* create(driver, "a")
      yield* soon(
        "a hint",
        Effect.suspend(() => Effect.sleep(5)).pipe(Effect.repeat({ while: () => hints.length === before }))
      )
    }))

  it.live("cannot be found: the error names the host", () =>
    Effect.gen(function*() {
      const driver = yield* connect(0, { url: undefined, host: "nowhere.invalid", timeout })
      const error = yield* failure(driver.read(["a"]))
      assert.strictEqual(error.reason, "Unavailable")
      assert.include(error.message, "nowhere.invalid")
      const port = yield* freePort
      assert.strictEqual((yield* Effect.flip((yield* connect(port)).read(["a"]))).reason, "Unavailable")
    }))
})

describe("a server process", () => {
  it.live("that is stopped and goes on: every call ends, and no update is lost or doubled", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { timeout })
      const context = yield* storage(driver)
      const scope = Count("stopped")
      let done = 0
      let running = true
      const writer = yield* Effect.tap(increment(scope), () =>
        Effect.sync(() => {
          done++
        })).pipe(
          Effect.retry({ while: (error) => error._tag === "DriverError", schedule: Schedule.spaced(5) }),
          Effect.repeat({ while: () => running }),
          Effect.provide(context),
          Effect.forkChild
        )
      for (let i = 0; i < 3; i++) {
        const before = done
        yield* Effect.suspend(() => Effect.sleep(2)).pipe(Effect.repeat({ while: () => done < before + 20 }))
        yield* server.process().signal("SIGSTOP")
        // On a busy machine it takes a moment until all of its threads stand still.
        yield* soon("a failure", Effect.flip(Effect.forever(driver.read(["a"]))))
        const error = yield* failure(driver.read(["a"]))
        assert.include(["Timeout", "Unavailable"], error.reason)
        yield* server.process().signal("SIGCONT")
      }
      running = false
      yield* soon("the rest", Fiber.join(writer))
      assert.strictEqual(yield* Effect.provide(Scoped.get(scope), context), done)
    }))

  it.live("that is killed and started again: what was acknowledged is there, once", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ durable: true })
      const context = yield* storage(yield* connect(server.port, { timeout: 2000 }))
      const scopes = Array.from({ length: 20 }, (_, i) => Count(`${i}`))
      const acknowledged = scopes.map(() => 0)
      let running = true
      const writers = yield* Effect.forEach(scopes, (scope, i) =>
        Effect.result(increment(scope)).pipe(
          Effect.map((result) => {
            // What fails is not stored, and an update in doubt is sent again until it is certain.
            if (result._tag === "Success") acknowledged[i]!++
            else assert.strictEqual(result.failure._tag, "DriverError")
          }),
          Effect.andThen(Effect.sleep(1)),
          Effect.repeat({ while: () => running }),
          Effect.provide(context),
          Effect.forkChild
        ))
      for (let i = 0; i < 4; i++) {
        const before = Math.min(...acknowledged)
        yield* soon(
          "updates",
          Effect.suspend(() => Effect.sleep(2)).pipe(
            Effect.repeat({ while: () => Math.min(...acknowledged) < before + 10 })
          )
        )
        yield* server.process().stop("SIGKILL")
        yield* server.start()
      }
      running = false
      yield* soon("the writers", Effect.forEach(writers, Fiber.join))
      const stored = yield* Effect.provide(Effect.forEach(scopes, Scoped.get), context)
      assert.deepStrictEqual(stored, acknowledged)
    }))
})

describe("connections that the server kills", () => {
  it.live("are replaced: every update counts once", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const context = yield* storage(driver)
      let kills = 0
      const killer = yield* Effect.gen(function*() {
        for (;;) {
          const processes = yield* query(server.url, "SHOW PROCESSLIST")
          for (const { db, Id, Info } of processes) {
            if (db !== "test" || String(Info).includes("PROCESSLIST")) continue
            yield* Effect.ignore(query(server.url, `KILL ${kills % 2 === 0 ? "CONNECTION" : "QUERY"} ${Id}`))
            kills++
          }
        }
      }).pipe(Effect.ignore, Effect.forever, Effect.forkChild)
      const scopes = [Count("a"), Count("b"), Count("c")]
      const patient = { while: (error: { readonly _tag: string }) => error._tag === "DriverError" }
      yield* Effect.all([
        ...scopes.map((scope) => Effect.repeat(Effect.retry(increment(scope), patient), { times: 199 })),
        Scoped.update(Scoped.all(scopes), (counts) => [undefined, counts.map((count) => count + 1)]).pipe(
          Effect.retry(patient),
          Effect.repeat({ times: 99 })
        )
      ], { concurrency: "unbounded" }).pipe(Effect.provide(context))
      yield* Fiber.interrupt(killer)
      assert.isAbove(kills, 20)
      assert.deepStrictEqual(yield* Effect.provide(Effect.forEach(scopes, Scoped.get), context), [300, 300, 300])
      yield* commitAll(driver, [[write(fresh(), null, record())]])
    }))

  // A server that is told to end a statement may say that it succeeded, and have done nothing or a part.
  it.live("or whose statements it ends: a verdict is true, and a transaction whole", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { timeout })
      const other = yield* connect(server.port)
      const names = [fresh(), fresh(), fresh()]
      let current = yield* Effect.forEach(names, (name) => create(driver, name))
      let ended = 0
      const killer = yield* Effect.gen(function*() {
        const processes = yield* query(server.url, "SHOW PROCESSLIST")
        for (const { Id, db } of processes) {
          if (db !== "test") continue
          yield* Effect.ignore(query(server.url, `KILL QUERY ${Id}`))
        }
      }).pipe(Effect.ignore, Effect.forever, Effect.forkChild)
      for (let i = 0; i < 600 || ended === 0 && i < 6000; i++) {
        const next = names.map(() => record())
        const writes = names.map((name, i) => write(name, current[i]!, next[i]!))
        const batch = i % 2 === 0 ? [writes] : writes.map((write) => [write])
        const answers = yield* Effect.result(driver.commit(batch))
        const stored = yield* Effect.retry(other.read(names), { times: 10 })
        const applied = stored.map((record, i) => record?.revision === next[i]!.revision)
        if (i % 2 === 0) assert.strictEqual(new Set(applied).size, 1, "all or nothing")
        if (answers._tag === "Success") {
          const committed = answers.success.map((answer) => "committed" in answer ? answer.committed : undefined)
          const expected = i % 2 === 0 ? applied.slice(0, 1) : applied
          assert.deepStrictEqual(committed.map((committed, i) => committed ?? expected[i]!), expected)
        } else {
          ended++
          if (!answers.failure.inDoubt) assert.notInclude(applied, true)
        }
        current = stored.map((record) => record!)
      }
      yield* Fiber.interrupt(killer)
      assert.isAbove(ended, 0)
    }))
})
