/** Locks that others hold, and locks that processes hold against each other. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Ref } from "effect"
import { Scoped } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import type { Driver, Record, Transaction } from "../src/Driver.ts"
import { DriverError } from "../src/ScopedError.ts"
import {
  check,
  commit,
  commitAll,
  committed,
  create,
  fresh,
  read,
  record,
  refused,
  soon,
  tombstoneOf,
  write
} from "../src/testing/driver/TestStore.ts"
import { connect, Count, increment, session, storage, timed } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

const timeout = 2500

/** Fails in time, for a lock, with nothing in doubt. */
const timesOut = Effect.fnUntraced(function*<A, R>(effect: Effect.Effect<A, DriverError, R>, ...parts: Array<string>) {
  const [error, millis] = yield* timed(Effect.flip(effect))
  assert.deepStrictEqual([error.reason, error.inDoubt], ["Timeout", false], error.message)
  assert.include(error.message, "another session holds a lock")
  for (const part of parts) assert.include(error.message, part)
  assert.isAtMost(millis, timeout + 200)
})

describe("a row that another session has locked", () => {
  it.live("ends an update in time, and names itself; a second try finds it free", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { timeout })
      const [one, two, three] = [fresh(), fresh(), fresh()] as const
      const first = yield* Effect.forEach([one, two, three], (name) => create(driver, name))
      const other = yield* session(server.url)
      yield* other(`START TRANSACTION; SELECT * FROM effect_scopes WHERE name='${one}' FOR UPDATE`)
      yield* Effect.forEach([
        [write(one, first[0]!, record())],
        [write(one, first[0]!, record(null))],
        [write(one, null, record())],
        [write(one, first[0]!, record()), write(two, first[1]!, record())],
        [check(one, first[0]!), write(three, first[2]!, record())]
      ], (transaction) =>
        timesOut(driver.commit([transaction]), one), { concurrency: "unbounded" })
      yield* other("ROLLBACK")
      assert.deepStrictEqual(yield* driver.read([one, two, three]), first, "nothing of it is stored, nor will be")
      assert.deepStrictEqual(yield* commit(driver, write(one, first[0]!, record())), committed)
      const open = yield* query(server.url, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX")
      assert.strictEqual(Number(open[0]!["n"]), 0)
    }))

  it.live("of a record that expires meanwhile: what was made on its data is refused", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const other = yield* session(server.url)
      const hour = { expiresIn: Duration.hours(1) }
      const batches: ReadonlyArray<(name: string, expiring: Record) => Effect.Effect<ReadonlyArray<Transaction>>> = [
        (name, expiring) => Effect.succeed([[write(name, expiring, record())]]),
        (name, expiring) => Effect.succeed([[write(name, expiring, record(), hour)]]),
        Effect.fnUntraced(function*(name, expiring) {
          const [second, first] = [fresh(), record()]
          yield* Effect.orDie(commitAll(driver, [[write(second, null, first)]]))
          return [[write(name, expiring, record())], [write(second, first, record())]]
        }),
        Effect.fnUntraced(function*(name, expiring) {
          const [second, first] = [fresh(), record()]
          yield* Effect.orDie(commitAll(driver, [[write(second, null, first, { expiresIn: Duration.zero })]]))
          return [[write(name, expiring, record())], [write(second, tombstoneOf(first), record(), hour)]]
        })
      ]
      for (const batch of batches) {
        const [name, expiring] = [fresh(), record()]
        yield* commitAll(driver, [[write(name, null, expiring, { expiresIn: Duration.millis(500) })]])
        const transactions = yield* batch(name, expiring)
        yield* other(`START TRANSACTION; SELECT * FROM effect_scopes WHERE name='${name}' FOR UPDATE`)
        const verdicts = yield* Effect.forkChild(commitAll(driver, transactions))
        const tombstone = tombstoneOf(expiring)
        yield* soon("expiry", Effect.repeat(read(driver, name), { until: (record) => record!.data === null }))
        yield* other("COMMIT")
        const [verdict, ...others] = yield* Fiber.join(verdicts)
        assert.deepStrictEqual(verdict, refused(tombstone))
        for (const other of others) assert.deepStrictEqual(other, committed)
        assert.deepStrictEqual(yield* read(driver, name), tombstone)
      }
    }))

  it.live("ends an update of a storage within the storage's timeout, and fails it as one that is not stored", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const layer = MysqlDriver.layer({ url: server.url }, { timeout: 2000 })
      yield* Effect.gen(function*() {
        yield* increment(Count("a"))
        const other = yield* session(server.url)
        yield* other("START TRANSACTION; SELECT * FROM effect_scopes FOR UPDATE")
        const [error, millis] = yield* timed(Effect.flip(increment(Count("a"))))
        assert.strictEqual(error._tag, "DriverError")
        assert.strictEqual(error._tag === "DriverError" && error.reason, "Timeout")
        assert.include(error.message, "count/a")
        assert.isBelow(millis, 2100)
        assert.strictEqual(yield* Scoped.get(Count("a")), 1)
        yield* other("ROLLBACK")
        assert.strictEqual(yield* increment(Count("a")), 2)
      }).pipe(Effect.provide(layer))
    }))

  it.live("keeps nobody from reading several scopes, nor from what does not touch it", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { timeout })
      const [one, two, three] = [fresh(), fresh(), fresh()] as const
      const first = yield* create(driver, one)
      const other = yield* session(server.url)
      yield* other(`START TRANSACTION; SELECT * FROM effect_scopes WHERE name='${one}' FOR UPDATE`)
      const [verdicts, millis] = yield* timed(commitAll(driver, [
        [check(one, first), check(two, null)],
        [check(one, null), check(two, null)],
        [check(one, first)]
      ]))
      assert.deepStrictEqual(verdicts, [committed, refused(first, null), committed])
      assert.isBelow(millis, 500)
      const waiting = yield* Effect.forkChild(
        driver.commit([
          [write(one, first, record())],
          [write(two, null, record())],
          [write(three, null, record()), write(fresh(), null, record())]
        ]),
        { startImmediately: true }
      )
      yield* soon(
        "the others",
        Effect.repeat(driver.read([two, three]), { until: (records) => records.every((record) => record !== null) })
      )
      const answers = yield* Fiber.join(waiting)
      assert.deepStrictEqual(answers.slice(1), [committed, committed])
      assert.strictEqual(answers[0] instanceof DriverError && answers[0].reason, "Timeout")
    }))
})

describe("a table that another session has locked", () => {
  for (
    const [what, lock] of [
      ["for writing", "LOCK TABLES effect_scopes WRITE"],
      ["for reading, with all others", "FLUSH TABLES WITH READ LOCK"]
    ] as const
  ) {
    it.live(`${what}: every call ends in time, with nothing in doubt`, () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        const driver = yield* connect(server.port, { timeout })
        const [one, two] = [fresh(), fresh()] as const
        const first = yield* create(driver, one)
        const second = yield* create(driver, two)
        const other = yield* session(server.url)
        yield* other(lock)
        const writes = [
          driver.commit([[write(one, first, record())]]),
          driver.commit([[write(one, first, record()), write(two, second, record())]])
        ]
        const reads = lock.startsWith("FLUSH") ? [] : [
          driver.read([one]),
          driver.commit([[check(one, first), check(two, second)]])
        ]
        const calls: ReadonlyArray<Effect.Effect<unknown, DriverError>> = [...writes, ...reads]
        yield* Effect.forEach(calls, (call) => timesOut(call, "the table"), { concurrency: "unbounded" })
        yield* other("UNLOCK TABLES")
        assert.deepStrictEqual(yield* driver.read([one, two]), [first, second])
      }))
  }
})

describe("a pool that was given", () => {
  it.live("waits for a lock no longer than others, and its sessions wait as they did", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      for (const multipleStatements of [true, false]) {
        const pool = Mysql.createPool({ uri: server.url, connectionLimit: 1, multipleStatements })
        yield* Effect.addFinalizer(() => Effect.promise(() => pool.end()))
        yield* Effect.promise(() => pool.query("SET innodb_lock_wait_timeout=33,lock_wait_timeout=44"))
        const driver = yield* MysqlDriver.make({ pool, timeout })
        const name = fresh()
        const first = yield* create(driver, name)
        const other = yield* session(server.url)
        yield* other(`START TRANSACTION; SELECT * FROM effect_scopes WHERE name='${name}' FOR UPDATE`)
        yield* timesOut(driver.commit([[write(name, first, record())]]), name)
        assert.deepStrictEqual(yield* read(driver, name), first)
        yield* other("ROLLBACK")
        assert.deepStrictEqual(yield* commit(driver, write(name, first, record())), committed)
        const [rows] = yield* Effect.promise(() =>
          pool.query<Array<Mysql.RowDataPacket>>(
            "SELECT @@innodb_lock_wait_timeout AS `row`, @@lock_wait_timeout AS `table`"
          )
        )
        assert.deepStrictEqual([Number(rows[0]!["row"]), Number(rows[0]!["table"])], [33, 44])
      }
    }))
})

describe("reads", () => {
  it.live("of several scopes write nothing, not even to the binary log", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ args: ["--log-bin=log", "--server-id=1"] })
      const driver = yield* connect(server.port)
      const context = yield* storage(driver)
      yield* Effect.provide(increment(Count("there")), context)
      // Whether somebody watches is looked at a moment after a commit.
      yield* Effect.sleep(100)
      const size = Effect.map(query(server.url, "SHOW BINARY LOGS"), (rows) => JSON.stringify(rows))
      const written = Effect.map(
        query(server.url, "SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_rows_inserted','Innodb_rows_deleted')"),
        (rows) => JSON.stringify(rows)
      )
      const before = [yield* size, yield* written]
      for (let i = 0; i < 10; i++) {
        const all = Scoped.all([Count("absent"), Count("there"), Count("none")])
        assert.deepStrictEqual(yield* Effect.provide(Scoped.get(all), context), [0, 1, 0])
      }
      assert.deepStrictEqual([yield* size, yield* written], before)
    }))
})

describe("processes that write products", () => {
  it.live("do not deadlock, whatever the order in which they name the scopes", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const deadlocks = Effect.map(
        query(
          server.url,
          server.mariadb
            ? "SHOW GLOBAL STATUS LIKE 'Innodb_deadlocks'"
            : "SELECT COUNT AS Value FROM information_schema.INNODB_METRICS WHERE NAME='lock_deadlocks'"
        ),
        ([row]) => Number(row!["Value"])
      )
      const before = yield* deadlocks
      const drivers = yield* Effect.forEach([1, 2, 3, 4], () => connect(server.port))
      // Where the order of UTF-16 and that of UTF-8 are not the same.
      const names = Array.from({ length: 40 }, (_, i) => fresh(i % 2 === 0 ? "\ufffd" : "😀"))
      const seed = yield* Ref.make(1)
      const random = Ref.modify(seed, (n) => [n, n * 48271 % 0x7fffffff])
      const pick = Effect.fnUntraced(function*(size: number) {
        const chosen = new Set<string>()
        while (chosen.size < size) chosen.add(names[(yield* random) % names.length]!)
        return [...chosen]
      })
      let commits = 0
      const hammer = Effect.fnUntraced(function*(driver: Driver, i: number) {
        for (let round = 0; round < 60; round++) {
          // Of some it is wrong that they are there or not: whoever guesses waits in the same line.
          const sizes = [2, 3, 5, 1, 1, 8]
          const products = yield* Effect.forEach(sizes, pick)
          const seen = new Map<string, Record | null>()
          for (const name of products.flat()) seen.set(name, null)
          const known = [...seen.keys()]
          const records = round % 3 === 0 ? known.map(() => null) : yield* driver.read(known)
          known.forEach((name, i) => seen.set(name, records[i]!))
          const answers = yield* driver.commit(
            products.map((product) => product.map((name) => write(name, seen.get(name)!, record(`${i}`))))
          )
          for (const answer of answers) {
            assert.isTrue("committed" in answer, String(answer))
            if ("committed" in answer && answer.committed) commits++
          }
        }
      })
      yield* Effect.forEach(
        [...drivers, ...drivers],
        (driver, i) => hammer(driver, i),
        { concurrency: "unbounded", discard: true }
      )
      assert.isAbove(commits, 100)
      assert.strictEqual((yield* deadlocks) - before, 0, `deadlocks, at ${commits} commits`)
    }), 60_000)
})
