/** Servers and pools as they may be set: the driver keeps its promises on all of them. */
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Duration, Effect, Fiber, Redacted, Stream } from "effect"
import { Scoped } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2"
import * as Promised from "mysql2/promise"
import { readFileSync } from "node:fs"
import type { Driver, Record, Transaction } from "../src/Driver.ts"
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
  write
} from "../src/testing/driver/TestStore.ts"
import { proxy } from "./mysql/proxy.ts"
import { connect, Count, freshTable, increment } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

/** Adds one to each, as often as it takes. */
const count = Effect.fnUntraced(function*(driver: Driver, names: ReadonlyArray<string>) {
  let current: ReadonlyArray<Record | null> = names.map(() => null)
  for (;;) {
    const verdict = yield* commit(
      driver,
      ...names.map((name, i) => write(name, current[i] ?? null, record(`${Number(current[i]?.data ?? 0) + 1}`)))
    )
    if (verdict.committed) return
    current = verdict.current
  }
})

/** The rules that a setting of the server could break. */
const exercise = Effect.fnUntraced(function*(a: Driver, b: Driver) {
  const [one, two, three] = [fresh(), fresh(), fresh()] as const
  yield* Effect.forEach(
    [[a, one, two], [b, two, one], [a, two, three], [b, three, two, one], [a, one], [b, three]] as const,
    ([driver, ...names]) => Effect.repeat(count(driver, names), { times: 9 }),
    { concurrency: "unbounded" }
  )
  assert.deepStrictEqual((yield* b.read([one, two, three])).map((record) => record?.data), ["40", "40", "30"])

  for (let round = 0; round < 10; round++) {
    const [left, right] = [fresh(), fresh()] as const
    const skewed = yield* Effect.all([
      commit(a, check(left, null), write(right, null, record())),
      commit(b, check(right, null), write(left, null, record()))
    ], { concurrency: "unbounded" })
    assert.strictEqual(skewed.filter((verdict) => verdict.committed).length, 1)
  }

  const text = `"'\\\\'; DROP TABLE x; -- \\" \` ? ?? :a @b é😀\u0000\u001a`
  const names = [text, `${text} `, text.toUpperCase(), "", " ", "\\", "'", "%"].map((end) => fresh(end))
  const stored = [text, "", " ", "\\", "'", "NULL", "null", " "].map((data) => record(data))
  const batch: ReadonlyArray<Transaction> = names.map((name, i) => [write(name, null, stored[i]!)])
  assert.deepStrictEqual(yield* commitAll(a, batch), batch.map(() => committed))
  const others = names.map((name) => [write(name, null, record())])
  assert.deepStrictEqual(yield* commitAll(b, others), stored.map((record) => refused(record)))
  assert.deepStrictEqual(yield* b.read(names), stored)
  for (const name of names) assert.include(yield* Stream.runCollect(a.names(name)), name)

  const [tombstone, passing] = [fresh(), fresh()] as const
  const gone = record(null)
  yield* commitAll(a, [
    [write(tombstone, null, gone, { retention: Duration.minutes(10) })],
    [write(passing, null, record(), { expiresIn: Duration.millis(200) })]
  ])
  assert.deepStrictEqual(yield* b.read([tombstone]), [gone])
  const left = yield* soon(
    "expiry",
    Effect.repeat(read(b, passing), { until: (record) => record!.data === null })
  )
  assert.deepStrictEqual(yield* commit(b, write(passing, left, record())), committed)
})

const isolation = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
const modes = [
  "",
  "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,PIPES_AS_CONCAT,PAD_CHAR_TO_FULL_LENGTH",
  "TRADITIONAL,ONLY_FULL_GROUP_BY,NO_UNSIGNED_SUBTRACTION,HIGH_NOT_PRECEDENCE",
  "ANSI,IGNORE_SPACE,NO_ZERO_DATE"
]

/** What a program may set its own pool to, for its own use. */
const taste: Mysql.PoolOptions = {
  connectionLimit: 4,
  typeCast: (_, next) => String(next()),
  namedPlaceholders: true,
  dateStrings: true,
  charset: "latin1",
  timezone: "+05:00"
}

describe("whatever a server is set to", () => {
  for (const [i, level] of isolation.entries()) {
    it.live(`${level}, autocommit ${i % 2}, sql_mode '${modes[i]}'`, () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        yield* query(server.url, `SET GLOBAL TRANSACTION ISOLATION LEVEL ${level}`)
        yield* query(server.url, `SET GLOBAL sql_mode='${modes[i]}'`)
        yield* query(server.url, `SET GLOBAL autocommit=${i % 2}`)
        yield* query(server.url, `SET GLOBAL completion_type=${i % 3}`)
        yield* query(server.url, "SET GLOBAL innodb_lock_wait_timeout=2")
        yield* query(server.url, "SET GLOBAL sql_select_limit=5")
        const single = Mysql.createPool({ uri: server.url, ...taste })
        const multiple = Promised.createPool({ uri: server.url, ...taste, rowsAsArray: true, multipleStatements: true })
        yield* Effect.addFinalizer(() => Effect.promise(() => Promise.all([single.promise().end(), multiple.end()])))
        const own = yield* connect(server.port)
        const drivers = [
          own,
          yield* MysqlDriver.make({ pool: single }),
          yield* MysqlDriver.make({ pool: multiple })
        ] as const
        for (const driver of drivers) yield* exercise(driver, own)

        // A transaction of somebody else's, open on a connection of the pool or elsewhere, is none of ours.
        const name = fresh()
        let last = yield* create(own, name)
        const other = yield* Effect.promise(() => Promised.createConnection({ uri: server.url }))
        yield* Effect.addFinalizer(() => Effect.sync(() => other.destroy()))
        for (const driver of drivers) {
          yield* Effect.promise(() => Promise.all([single.promise(), multiple].map((pool) => pool.query("SELECT 1"))))
          yield* Effect.promise(() => multiple.query("SELECT * FROM effect_scopes"))
          const next = record()
          assert.deepStrictEqual(yield* commit(own, write(name, last, next)), committed)
          last = next
          yield* Effect.promise(() => other.query("START TRANSACTION"))
          yield* Effect.promise(() => other.query("UPDATE effect_scopes SET revision='dirty' WHERE name=?", [name]))
          assert.deepStrictEqual(yield* read(driver, name), last)
          const refusal = yield* Effect.forkChild(commit(driver, write(name, record(), record())))
          yield* Effect.sleep(50)
          yield* Effect.promise(() => other.query("ROLLBACK AND NO CHAIN NO RELEASE"))
          assert.deepStrictEqual(yield* Fiber.join(refusal), refused(last))
        }
      }), 60_000)
  }

  it.live("max_join_size of a few rows", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, "SET GLOBAL max_join_size=5")
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 50 }, () => fresh())
      const stored = names.map(() => record())
      assert.deepStrictEqual(
        yield* commitAll(driver, names.map((name, i) => [write(name, null, stored[i]!)])),
        names.map(() => committed)
      )
      assert.deepStrictEqual(yield* driver.read(names), stored)
    }))
})

describe("a pool that was given", () => {
  it.live("stays open, and its connections as they were", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const pool = Promised.createPool({ uri: server.url, connectionLimit: 1 })
      yield* Effect.addFinalizer(() => Effect.promise(() => pool.end().catch(() => {})))
      const settings = "SELECT @@autocommit, @@sql_mode, @@innodb_lock_wait_timeout, @@lock_wait_timeout, " +
        "@@sql_select_limit, @@character_set_client"
      yield* Effect.promise(() => pool.query("SET SESSION sql_select_limit=500"))
      const before = yield* Effect.promise(() => pool.query(settings))
      yield* Effect.scoped(
        Effect.gen(function*() {
          const driver = yield* MysqlDriver.make({ pool })
          const name = fresh()
          const first = yield* create(driver, name)
          yield* commit(driver, write(name, first, record()), check(fresh(), null))
          yield* commit(driver, write(name, first, record()), check(fresh(), null))
          yield* Stream.runDrain(driver.names(""))
        })
      )
      const after = yield* Effect.promise(() => pool.query(settings))
      assert.deepStrictEqual(after[0], before[0])
      const open = yield* query(server.url, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX")
      assert.strictEqual(Number(open[0]!["n"]), 0)
      const late = yield* MysqlDriver.make({ pool })
      yield* Effect.promise(() => pool.end())
      assert.strictEqual((yield* Effect.flip(late.read(["a"]))).reason, "Closed")
    }))

  it.live("and is used up is waited for until the timeout, and no longer", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const pool = Mysql.createPool({ uri: server.url, connectionLimit: 1 })
      yield* Effect.addFinalizer(() => Effect.sync(() => pool.end()))
      const driver = yield* MysqlDriver.make({ pool, timeout: 300 })
      const taken = yield* Effect.promise(() => pool.promise().getConnection())
      const error = yield* Effect.flip(driver.commit([[write("a", null, record())]]))
      assert.deepStrictEqual([error.reason, error.inDoubt], ["Timeout", false])
      taken.release()
      yield* create(driver, "a")
      yield* Effect.forEach([1, 2, 3], () => read(driver, "a"))
    }))
})

describe("the driver's own pool", () => {
  it.live("keeps its connections, also where transactions only read unless they say otherwise", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, `SET GLOBAL ${server.mariadb ? "tx_read_only" : "transaction_read_only"}=1`)
      const opened = Effect.map(
        query(server.url, "SHOW GLOBAL STATUS LIKE 'Connections'"),
        ([row]) => Number(row!["Value"])
      )
      const driver = yield* connect(server.port)
      const name = fresh()
      let last = yield* create(driver, name)
      const before = yield* opened
      for (let i = 0; i < 20; i++) {
        const next = record()
        assert.deepStrictEqual(yield* commit(driver, write(name, last, next)), committed)
        last = next
      }
      assert.isAtMost((yield* opened) - before, 3)
    }))

  it.live("is closed with the driver, whatever was interrupted", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const connections = Effect.map(
        query(server.url, "SHOW PROCESSLIST"),
        (rows) => rows.filter(({ db, Info }) => db === "test" && !String(Info).includes("PROCESSLIST")).length
      )
      yield* Effect.scoped(
        Effect.gen(function*() {
          const driver = yield* connect(server.port, { poolConfig: { connectionLimit: 5 } })
          for (let i = 0; i < 40; i++) {
            const fibers = yield* Effect.forEach(
              [1, 2, 3, 4],
              () => Effect.forkChild(create(driver, fresh()), { startImmediately: true })
            )
            if (i % 2 === 0) yield* Effect.sleep(i % 8)
            yield* Fiber.interruptAll(fibers)
          }
          const names = Array.from({ length: 20 }, () => fresh())
          yield* soon("the rest", Effect.forEach(names, (name) => create(driver, name), { concurrency: "unbounded" }))
          yield* soon("the server", Effect.repeat(connections, { until: (n) => n <= 5 }))
        })
      )
      yield* soon("the server", Effect.repeat(connections, { until: (n) => n === 0 }))
    }))

  it.live("is made from configuration", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const layer = MysqlDriver.layerConfig({
        url: Config.Redacted("MYSQL_URL"),
        table: Config.String("MYSQL_TABLE").pipe(Config.withDefault("from_config")),
        timeout: Config.Duration("MYSQL_TIMEOUT")
      }, { namespace: "ns" })
      const provider = ConfigProvider.layer(
        ConfigProvider.fromEnvRecord({ MYSQL_URL: server.url, MYSQL_TIMEOUT: "2 seconds" })
      )
      yield* increment(Count("a")).pipe(Effect.provide(layer), Effect.provide(provider))
      const rows = yield* query(server.url, "SELECT name FROM from_config")
      assert.deepStrictEqual(rows.map(({ name }) => String(name)), ["ns//count/a"])
      const plain = MysqlDriver.layer({ host: "127.0.0.1", port: server.port, username: "root", database: "test" })
      assert.strictEqual(yield* Effect.provide(increment(Count("a")), plain), 1)
      const missing = yield* Effect.flip(Effect.provide(Scoped.get(Count("a")), layer))
      assert.strictEqual(missing._tag, "ConfigError")
    }))

  it.live("speaks TLS, and looks at the certificate", () =>
    Effect.gen(function*() {
      const file = (name: string) => new URL(`mysql/tls/${name}`, import.meta.url).pathname
      const server = yield* mysqlServer({
        args: [`--ssl-ca=${file("ca.pem")}`, `--ssl-cert=${file("cert.pem")}`, `--ssl-key=${file("key.pem")}`]
      })
      const ca = readFileSync(file("ca.pem"), "utf8")
      const driver = yield* connect(server.port, { tls: { ca } })
      const [status] = yield* query(server.url, "SHOW GLOBAL STATUS LIKE 'Ssl_accepts'")
      yield* create(driver, fresh())
      assert.isAbove(Number(status!["Value"]), 0)
      const untrusted = yield* Effect.flip(connect(server.port, { tls: true }))
      assert.strictEqual(untrusted.reason, "Forbidden", untrusted.message)
      yield* create(
        yield* connect(server.port, {
          tls: { ca, verifyIdentity: true },
          url: undefined,
          host: "localhost",
          port: server.port,
          username: "root",
          database: "test"
        }),
        fresh()
      )
      yield* query(server.url, "CREATE USER 'safe'@'%' REQUIRE SSL")
      yield* query(server.url, "GRANT ALL ON test.* TO 'safe'@'%'")
      const safe = { url: Redacted.make(`mysql://safe@127.0.0.1:${server.port}/test`) }
      yield* connect(server.port, { ...safe, tls: { ca } })
      assert.strictEqual((yield* Effect.flip(connect(server.port, safe))).reason, "Forbidden")
    }))
})

describe("what goes over the wire", () => {
  it.live("is one packet and one commit for a batch of 256, also of products", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port)
      const names = Array.from({ length: 256 }, () => fresh())
      let current: ReadonlyArray<Record | null> = names.map(() => null)
      const commits = Effect.map(
        query(server.url, "SHOW GLOBAL STATUS LIKE 'Com_commit'"),
        ([row]) => Number(row!["Value"])
      )
      for (const shape of ["create", "singles", "pairs", "refused"]) {
        const next = names.map(() => record())
        const writes = names.map((name, i) => write(name, shape === "refused" ? record() : current[i]!, next[i]!))
        const batch = shape === "pairs"
          ? Array.from({ length: 128 }, (_, i) => writes.slice(i * 2, i * 2 + 2))
          : writes.map((write) => [write])
        const before = [network.requests(), yield* commits] as const
        const verdicts = yield* commitAll(driver, batch)
        const after = [network.requests(), yield* commits] as const
        assert.isTrue(verdicts.every((verdict) => verdict.committed !== (shape === "refused")))
        // A packet of this size may come in a few pieces.
        assert.isAtMost(after[0] - before[0], 8, shape)
        // Each commit takes a sync of the log; a statement that is a transaction by itself has none besides.
        assert.isAtMost(after[1] - before[1], 1, shape)
        if (shape !== "refused") current = next
      }
    }))

  it.live("is one query for all who watch, and none while nobody does", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port, { pollInterval: 20, sweepInterval: "1 hour" })
      yield* Effect.sleep(100)
      const idle = network.requests()
      yield* Effect.sleep(200)
      assert.strictEqual(network.requests(), idle)
      const watching = yield* Effect.forEach(Array.from({ length: 50 }), () =>
        Effect.forkChild(Stream.runDrain(driver.changes([fresh(), fresh()]))))
      yield* Effect.sleep(100)
      const before = network.requests()
      yield* Effect.sleep(300)
      const polls = network.requests() - before
      assert.isAtLeast(polls, 2)
      assert.isAtMost(polls, 25)
      yield* Fiber.interruptAll(watching)
      yield* Effect.sleep(50)
      const after = network.requests()
      yield* Effect.sleep(150)
      assert.strictEqual(network.requests(), after)
    }))

  // MariaDB's derived tables cut long literals.
  it.live("keeps its length at every boundary", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { table: freshTable() })
      const lengths = [0, 1, 255, 256, 16_383, 32_767, 65_531, 65_532, 65_533, 65_535, 65_536, 65_537, 131_072, 200_003]
      const names = lengths.map(() => fresh())
      const records = () => lengths.map((length) => record("é".repeat(length % 7) + "x".repeat(length)))
      const [first, second, third, fourth] = [records(), records(), records(), records()] as const
      const writes = (from: ReadonlyArray<Record> | undefined, to: ReadonlyArray<Record>) =>
        names.map((name, i) => write(name, from?.[i] ?? null, to[i]!))
      for (
        const [from, to, together] of [
          [undefined, first, false],
          [first, second, false],
          [second, third, true]
        ] as const
      ) {
        const transactions = together ? [writes(from, to)] : writes(from, to).map((write) => [write])
        for (const verdict of yield* commitAll(driver, transactions)) assert.deepStrictEqual(verdict, committed)
        const stored = yield* driver.read(names)
        for (const [i, { data }] of to.entries()) assert.isTrue(stored[i]!.data === data, `${lengths[i]}`)
      }
      const others = names.map((_, i) => write(fresh(), null, fourth[i]!))
      assert.deepStrictEqual(yield* commit(driver, ...others), committed)
      const stored = yield* driver.read(others.map(({ name }) => name))
      for (const [i, { data }] of fourth.entries()) assert.isTrue(stored[i]!.data === data, `${lengths[i]}`)
      for (const write of writes(third, fourth)) {
        assert.deepStrictEqual(yield* commit(driver, write), committed)
        assert.isTrue((yield* read(driver, write.name))!.data === write.next!.data)
      }
    }))
})
