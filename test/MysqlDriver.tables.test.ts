/** What the tables hold, what they take, and what others can see of it. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream } from "effect"
import * as Mysql from "mysql2/promise"
import { expired } from "../src/Driver.ts"
import {
  check,
  commit,
  commitAll,
  committed,
  create,
  fresh,
  read,
  readAll,
  record,
  soon,
  write
} from "../src/testing/driver/TestStore.ts"
import { connect } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

const rows = (url: string, table: string) =>
  Effect.map(query(url, `SELECT COUNT(*) AS n FROM ${table}`), ([row]) => Number(row!["n"]))

describe("space", () => {
  it.live("is taken for expiry by those alone that expire, and given back", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { sweepInterval: 50 })
      const stay = Array.from({ length: 500 }, () => fresh())
      yield* commitAll(driver, stay.map((name) => [write(name, null, record())]))
      yield* query(server.url, "ANALYZE TABLE effect_scopes")
      const [table] = yield* query(
        server.url,
        "SELECT INDEX_LENGTH AS bytes FROM information_schema.TABLES WHERE TABLE_NAME='effect_scopes'"
      )
      assert.strictEqual(Number(table!["bytes"]), 0, "no index but the key")
      assert.strictEqual(yield* rows(server.url, "effect_scopes_expiring"), 0)

      const [gone, removed, later, renewed] = [fresh(), fresh(), fresh(), fresh()] as const
      const short = { expiresIn: Duration.millis(100), retention: Duration.millis(100) }
      const first = yield* create(driver, renewed)
      const second = record()
      yield* commitAll(driver, [
        [write(gone, null, record(), short)],
        [write(removed, null, record(null), { retention: Duration.millis(100) })],
        [write(later, null, record(), { expiresIn: Duration.hours(1) })],
        [write(renewed, first, second, short)]
      ])
      assert.isAtLeast(yield* rows(server.url, "effect_scopes_expiring"), 4)
      // It stays after all.
      assert.deepStrictEqual(yield* commit(driver, write(renewed, second, record())), committed)
      yield* soon(
        "sweeping",
        Effect.repeat(rows(server.url, "effect_scopes_expiring"), { until: (n) => n === 1 })
      )
      assert.strictEqual(yield* rows(server.url, "effect_scopes"), 502)
      assert.isTrue((yield* driver.read([later, renewed])).every((record) => record !== null))
    }))

  it.live("is not taken by what is not written", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const absent = record()
      const [one, two, three] = [fresh(), fresh(), fresh()] as const
      yield* commitAll(driver, [
        [write(one, null, record()), check(fresh(), null)],
        [write(fresh(), null, record()), write(fresh(), absent, record())],
        [write(fresh(), null, record()), check(one, null)]
      ])
      yield* commitAll(driver, [[write(two, null, record())], [write(fresh(), absent, record())]])
      yield* commitAll(driver, [[write(three, null, record()), check(fresh(), absent)]])
      yield* commitAll(driver, [[write(fresh(), absent, record())]])
      assert.deepStrictEqual(
        (yield* query(server.url, "SELECT name FROM effect_scopes")).map(({ name }) => String(name)).toSorted(),
        [one, two].toSorted()
      )
    }))

  it.live("is given back by another process, where sweeping is turned off", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { sweepInterval: Duration.infinity })
      yield* commitAll(driver, [[write(fresh(), null, record(null), { retention: Duration.millis(1) })]])
      yield* Effect.sleep(300)
      assert.strictEqual(yield* rows(server.url, "effect_scopes"), 1)
      yield* connect(server.port, { sweepInterval: 10 })
      yield* soon("sweeping", Effect.repeat(rows(server.url, "effect_scopes"), { until: (n) => n === 0 }))
    }))
})

describe("a table that an older version made", () => {
  const old = `CREATE TABLE effect_scopes (
    name VARBINARY(512) NOT NULL PRIMARY KEY,
    revision VARBINARY(1024) NOT NULL,
    data LONGBLOB NULL,
    expires_at BIGINT NULL,
    KEY expires_at (expires_at)
  ) ENGINE=InnoDB ROW_FORMAT=DYNAMIC`
  const now = "TIMESTAMPDIFF(MICROSECOND,'1970-01-01',UTC_TIMESTAMP(6))"
  const contents = "INSERT INTO effect_scopes VALUES " +
    `('stays','r1','1',NULL),('expires','r2','2',${now}+3600000000),('expired','r3','3',${now}-1000000),` +
    `('removed','r4',NULL,${now}+3600000000),('over','r5',NULL,${now}-1000000)`
  const check = Effect.fnUntraced(function*(port: number) {
    const driver = yield* connect(port)
    const names = ["stays", "expires", "expired", "removed", "over"]
    assert.deepStrictEqual(yield* readAll(driver, names), [
      { revision: "r1", data: "1" },
      { revision: "r2", data: "2" },
      { revision: expired("r3"), data: null },
      { revision: "r4", data: null },
      null
    ])
    assert.deepStrictEqual([...(yield* Stream.runCollect(driver.names("")))], ["expires", "stays"])
    assert.deepStrictEqual(yield* commit(driver, write("stays", { revision: "r1", data: "1" }, record())), committed)
    yield* create(driver, "over")
  })

  it.live("is brought up to date, whoever is at it", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, old)
      yield* query(server.url, contents)
      yield* Effect.forEach([1, 2, 3], () => connect(server.port), { concurrency: "unbounded" })
      yield* check(server.port)
      assert.strictEqual(yield* rows(server.url, "effect_scopes_expiring"), 4)
    }))

  it.live("is gone on with where it was left in the middle", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, old)
      yield* query(server.url, contents)
      yield* query(server.url, "ALTER TABLE effect_scopes ADD COLUMN gone_at BIGINT NULL")
      yield* check(server.port)
    }))

  it.live("is left alone where no table may be made: the error has the statements", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, old)
      yield* query(server.url, contents)
      for (let round = 0; round < 2; round++) {
        const error = yield* Effect.flip(connect(server.port, { createTable: false }))
        const statements = error.description.slice(error.description.indexOf("run\n") + 4).split(";")
        for (const statement of statements) if (statement.trim() !== "") yield* query(server.url, statement)
      }
      yield* connect(server.port, { createTable: false })
      yield* check(server.port)
    }))
})

describe("states", () => {
  it.live("are in the text of no statement: a process list shows none while they wait", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ args: ["--performance-schema=ON"] })
      const driver = yield* connect(server.port, { timeout: 2500 })
      const names = [fresh(), fresh(), fresh()] as const
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      const secret = "s3cret-state"
      const hex = Buffer.from(secret).toString("hex")
      const lock = yield* Effect.acquireRelease(
        Effect.promise(() => Mysql.createConnection({ uri: server.url, multipleStatements: true })),
        (connection) => Effect.sync(() => connection.destroy())
      )
      yield* Effect.promise(() => lock.query("START TRANSACTION; SELECT * FROM effect_scopes FOR UPDATE"))
      const seen: Array<string> = []
      for (
        const batch of [
          [[write(names[0], first[0]!, record(secret))]],
          [[write(names[1], first[1]!, record(secret))], [write(fresh(), null, record(secret))]],
          [[write(names[1], first[1]!, record(secret)), write(names[2], first[2]!, record(secret))]]
        ]
      ) {
        // MySQL fills bound values in, and those of a single write are its own.
        if (!server.mariadb && batch.flat().length === 1) continue
        const waiting = yield* Effect.forkChild(Effect.ignore(driver.commit(batch)), { startImmediately: true })
        const list = yield* soon(
          "the statement",
          Effect.repeat(query(server.url, "SHOW FULL PROCESSLIST"), {
            until: (rows) => rows.some(({ Info }) => /^(UPDATE|INSERT|SELECT COUNT).*effect_scopes/.test(String(Info)))
          })
        )
        seen.push(JSON.stringify(list))
        yield* Fiber.interrupt(waiting)
      }
      lock.destroy()
      seen.push(
        JSON.stringify(
          yield* query(server.url, "SELECT DIGEST_TEXT FROM performance_schema.events_statements_summary_by_digest")
        )
      )
      for (const text of seen) {
        assert.notInclude(text, secret)
        assert.notInclude(text.toLowerCase(), hex)
      }
      assert.isNotNull(yield* read(driver, names[0]))
    }))
})
