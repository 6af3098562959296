/** Servers that stop being the primary, connections that died without a word, and answers that are lies. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule, Stream } from "effect"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import { inspect } from "node:util"
import { DriverError } from "../src/ScopedError.ts"
import { commit, committed, create, fresh, read, record, soon, write } from "../src/testing/driver/TestStore.ts"
import { errorPacket, type Proxy, proxy } from "./mysql/proxy.ts"
import { connect, session, timed } from "./mysql/store.ts"
import { type MysqlServer, mysqlServer, query } from "./servers/mysql.ts"

const timeout = 3000

/** A user who may not write where the server is read-only, as `root` may. */
const ada = Effect.fnUntraced(function*({ url }: MysqlServer) {
  yield* query(url, "CREATE USER 'ada'@'%'")
  yield* query(url, "GRANT ALL ON test.* TO 'ada'@'%'")
})

const connectAs = (user: string, network: Proxy, options: MysqlDriver.Options = {}) =>
  MysqlDriver.make({ url: `mysql://${user}@127.0.0.1:${network.port}/test`, timeout, ...options })

/** Two servers with the same record under one address, of which the first is the primary. */
const pair = Effect.gen(function*() {
  const [old, next] = [yield* mysqlServer(), yield* mysqlServer()] as const
  const name = fresh()
  const first = record("1")
  for (const server of [old, next]) {
    yield* ada(server)
    yield* commit(yield* connect(server.port), write(name, null, first))
  }
  const network = yield* proxy(old.port)
  const switchover = Effect.gen(function*() {
    yield* query(old.url, "SET GLOBAL read_only=1")
    network.lead(next.port)
  })
  return { old, next, network, name, first, switchover }
})

describe("after a switchover", () => {
  it.live("a write that the old primary refuses goes to the new one, and so does all that follows", () =>
    Effect.gen(function*() {
      const { first, name, network, next, old, switchover } = yield* pair
      const driver = yield* connectAs("ada", network)
      // Several connections rest on the old one.
      yield* Effect.forEach(Array.from({ length: 8 }), () => read(driver, name), { concurrency: "unbounded" })
      yield* switchover
      const second = record("2")
      assert.deepStrictEqual(yield* commit(driver, write(name, first, second)), committed)
      const reads = yield* Effect.forEach(Array.from({ length: 20 }), () => read(driver, name), { concurrency: 8 })
      for (const found of reads) assert.deepStrictEqual(found, second)
      assert.deepStrictEqual(yield* read(yield* connect(next.port), name), second)
      assert.deepStrictEqual(yield* read(yield* connect(old.port), name), first)
    }))

  it.live("a write waits for the address to lead to the new one, within its time", () =>
    Effect.gen(function*() {
      const { first, name, network, next, old } = yield* pair
      const driver = yield* connectAs("ada", network)
      yield* read(driver, name)
      yield* query(old.url, "SET GLOBAL read_only=1")
      yield* Effect.forkChild(Effect.andThen(Effect.sleep(700), Effect.sync(() => network.lead(next.port))))
      const [verdict, millis] = yield* timed(
        commit(driver, write(name, first, record()), write(fresh(), null, record()))
      )
      assert.deepStrictEqual(verdict, committed)
      assert.isAtLeast(millis, 600)
    }))

  it.live("who only reads is led to the new one too", () =>
    Effect.gen(function*() {
      const { first, name, network, next, switchover } = yield* pair
      const driver = yield* connectAs("ada", network)
      assert.deepStrictEqual(yield* read(driver, name), first)
      yield* switchover
      const second = record("2")
      yield* commit(yield* connect(next.port), write(name, first, second))
      yield* soon(
        "a read of the new primary",
        Effect.repeat(Effect.andThen(Effect.sleep(20), read(driver, name)), {
          until: (found) => found?.revision === second.revision
        })
      )
    }))

  it.live("has nothing to do with other options that forbid a statement", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connectAs("root", network)
      const name = fresh()
      const first = yield* create(driver, name)
      const message = "The server is running with the --max-session-mem-used option so it cannot execute this statement"
      const reply = network.replace(name, errorPacket(1290, message))
      const refused = yield* Effect.forkChild(Effect.flip(read(driver, name)), { startImmediately: true })
      // By then the reply in whose place it comes is there, and lost.
      yield* Effect.sleep(100)
      reply.letGo()
      const error = yield* Fiber.join(refused)
      assert.strictEqual(error.reason, "Unknown")
      assert.include(error.message, "--max-session-mem-used")
      assert.deepStrictEqual(yield* read(driver, name), first)
    }))
})

describe("a node that is cut off from its cluster", () => {
  it.live("is waited for, within the call's time", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connectAs("root", network)
      const name = fresh()
      const first = yield* create(driver, name)
      const reply = errorPacket(1047, "WSREP has not yet prepared node for application use")
      const refuse = Effect.sync(() => network.replace(name, reply).letGo())
      const refusing = yield* Effect.forkChild(
        Effect.repeat(Effect.andThen(refuse, Effect.sleep(1)), Schedule.upTo(Schedule.forever, { duration: 700 })),
        { startImmediately: true }
      )
      const [found, millis] = yield* timed(read(driver, name))
      assert.deepStrictEqual(found, first)
      assert.isAtLeast(millis, 600)
      yield* Fiber.join(refusing)
    }))
})

describe("a connection behind which another server stands now", () => {
  it.live("and which does not know its prepared statements is not used again", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connectAs("root", network)
      yield* create(driver, fresh())
      const [name, data] = [fresh(), `"${fresh()}"`]
      network.replace(data, errorPacket(1243, "Unknown prepared statement handler")).letGo()
      assert.deepStrictEqual((yield* create(driver, name, data)).data, data)
    }))
})

describe("connections that died without a word", () => {
  it.live("cost a fraction of the timeout, once, and leave nothing in doubt", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connectAs("root", network, { timeout: 4000 })
      const names = Array.from({ length: 8 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name), { concurrency: "unbounded" })
      yield* Effect.sleep(1100)
      network.forget()
      const next = names.map(() => record())
      const [verdicts, millis] = yield* timed(
        Effect.forEach(names, (name, i) => commit(driver, write(name, first[i]!, next[i]!)), { concurrency: 4 })
      )
      for (const verdict of verdicts) assert.deepStrictEqual(verdict, committed)
      assert.isBelow(millis, 1500)
      assert.deepStrictEqual(yield* driver.read(names), next)
    }))
})

describe("what was once in doubt", () => {
  for (const parts of [1, 2]) {
    it.live(`stays so until a verdict: ${parts === 1 ? "one scope" : "a product"}`, () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        yield* ada(server)
        const network = yield* proxy(server.port)
        const driver = yield* connectAs("ada", network)
        const names = Array.from({ length: parts }, () => fresh())
        const first = yield* Effect.forEach(names, (name) => create(driver, name))
        const second = names.map(() => record("2"))
        const writes = (from: typeof second, to: typeof second) => names.map((name, i) => write(name, from[i]!, to[i]!))
        assert.deepStrictEqual(yield* commit(driver, ...writes(first, second)), committed)
        const third = names.map(() => record("3"))
        const lie = network.replace(third[0]!.revision, errorPacket(1180, "Got error 5 during COMMIT"))
        const writing = yield* Effect.forkChild(Effect.flip(driver.commit([writes(second, third)])), {
          startImmediately: true
        })
        yield* Effect.repeat(query(server.url, "SELECT data FROM effect_scopes WHERE data='3'"), {
          until: (rows) => rows.length === parts
        })
        yield* query(server.url, "SET GLOBAL read_only=1")
        lie.letGo()
        const error = yield* Fiber.join(writing)
        assert.isTrue(error.inDoubt, error.message)
        assert.deepStrictEqual(yield* driver.read(names), third)
      }))
  }

  it.live("stays so where it then waits in vain for a lock", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const direct = yield* connect(server.port)
      const driver = yield* connectAs("root", network, { timeout: 8000 })
      const [held, free] = [fresh(), fresh()] as const
      const first = yield* create(driver, held)
      const other = yield* session(server.url)
      const hold = (name: string) => other(`SELECT * FROM effect_scopes WHERE name='${name}' FOR UPDATE`)
      yield* other("START TRANSACTION")
      yield* hold(held)
      // What nobody holds is tried by itself, once both have waited, and is applied.
      const lie = network.replace("ROW_COUNT()<1", errorPacket(1180, "Got error 5 during COMMIT"))
      const writing = yield* Effect.forkChild(
        driver.commit([[write(held, first, record())], [write(free, null, record())]]),
        { startImmediately: true }
      )
      yield* soon("it is applied", Effect.repeat(read(direct, free), { until: (record) => record !== null }))
      yield* hold(free)
      lie.letGo()
      const [, doubtful] = yield* Fiber.join(writing)
      assert.isTrue(doubtful instanceof DriverError && doubtful.inDoubt, String(doubtful))
    }))
})

describe("a call that has ended", () => {
  it.live("sends nothing any more, however long a connection took", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connectAs("root", network, { timeout: 800, poolConfig: { connectionLimit: 2 } })
      const first = yield* create(driver, "a")
      yield* commit(driver, write("a", first, record()))
      network.cut()
      yield* Effect.sleep(50)
      network.hold(true)
      const names = Array.from({ length: 6 }, () => fresh())
      const calls = names.map((name, i) =>
        driver.commit(i % 2 === 0 ? [[write(name, null, record())]] : [[write(name, first, record())]])
      )
      const errors = yield* Effect.forEach(calls, Effect.flip<unknown, DriverError, never>, {
        concurrency: "unbounded"
      })
      for (const error of errors) assert.isFalse(error.inDoubt, error.message)
      const before = yield* query(server.url, "SHOW GLOBAL STATUS LIKE 'Com_insert'")
      network.hold(false)
      yield* Effect.sleep(500)
      assert.deepStrictEqual(yield* query(server.url, "SHOW GLOBAL STATUS LIKE 'Com_insert'"), before)
      const stored = yield* (yield* connect(server.port)).read(names)
      assert.deepStrictEqual(stored, names.map(() => null))
      assert.deepStrictEqual(yield* Stream.runCollect(driver.names("a")), ["a"])
    }))
})

describe("secrets", () => {
  it.live("are in no error: neither those of a URL nor states", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const shown = (error: DriverError) =>
        [error.message, JSON.stringify(error), String(error.cause), inspect(error), inspect(error.cause)].join("\n")
      for (const password of ["s3cret#word", "s3cret/word", "s3cret?word", "12#s3cret", "12/s3cret@x", "a@s3cret/b"]) {
        for (const url of [`mysql://ada:${password}@127.0.0.1:1/test`]) {
          for (const given of [url, Redacted.make(url)]) {
            const error = yield* Effect.flip(MysqlDriver.make({ url: given, timeout }))
            assert.notInclude(shown(error), "s3cret")
            assert.include(error.message, "encodeURIComponent")
          }
        }
      }
      const encoded = `mysql://root:${encodeURIComponent("a#/?@b")}@127.0.0.1:${server.port}/test`
      assert.strictEqual((yield* Effect.flip(MysqlDriver.make({ url: encoded }))).reason, "Forbidden")
      const driver = yield* MysqlDriver.make({ url: server.url, timeout })
      const name = fresh()
      const first = yield* create(driver, name)
      yield* query(server.url, "ALTER TABLE effect_scopes DROP COLUMN gone_at")
      for (
        const batch of [
          [[write(name, first, record("s3cret"))]],
          [[write(name, first, record("s3cret"))], [write(fresh(), null, record("s3cret"))]]
        ]
      ) {
        const error = yield* Effect.flip(driver.commit(batch))
        assert.notInclude(shown(error), "s3cret")
        assert.notInclude(shown(error), Buffer.from("s3cret").toString("hex"))
        assert.include(shown(error), "gone_at")
      }
    }))
})
