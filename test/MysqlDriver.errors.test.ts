/** What a server refuses: each an error that says what it is, and what to do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Redacted, Schedule, Stream } from "effect"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import type { Driver, Transaction } from "../src/Driver.ts"
import type { DriverError } from "../src/ScopedError.ts"
import { commit, commitAll, committed, create, fresh, read, record, write } from "../src/testing/driver/TestStore.ts"
import { connect, freshTable, timed } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

const timeout = 1500

const connection = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(() => Mysql.createConnection({ uri: url, multipleStatements: true })),
    (connection) => Effect.sync(() => connection.destroy())
  )

const says = (error: DriverError, reason: DriverError["reason"], ...parts: ReadonlyArray<string>) => {
  assert.strictEqual(error.reason, reason, error.message)
  for (const part of parts) assert.include(error.message, part)
  assert.isFalse(error.inDoubt)
  assert.strictEqual(error.driver, "mysql")
}

const put = (driver: Driver, name = fresh()) => driver.commit([[write(name, null, record())]])

describe("a MySQL server says no", () => {
  it.live("to a wrong password and to a user that it does not know", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, "CREATE USER 'ada'@'%' IDENTIFIED BY 'right'")
      for (const [username, password] of [["ada", "wrong"], ["nobody", "wrong"]] as const) {
        const error = yield* Effect.flip(connect(server.port, {
          url: undefined,
          host: "127.0.0.1",
          port: server.port,
          database: "test",
          username,
          password: Redacted.make(password)
        }))
        says(error, "Forbidden", username, "check user, password")
        assert.strictEqual(error.operation, "open")
        assert.notInclude(JSON.stringify(error) + String(error.cause), password)
      }
    }))

  it.live("to an address, a database or a table that cannot be", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      says(
        yield* Effect.flip(MysqlDriver.make({ url: Redacted.make("mysql://root:secret@[oops") })),
        "Unknown",
        "Invalid URL"
      )
      says(
        yield* Effect.flip(MysqlDriver.make({ url: Redacted.make(`mysql://root@127.0.0.1:${server.port}/nowhere`) })),
        "Forbidden",
        "nowhere",
        "create it"
      )
      for (const table of ["", "a b", "a`b", "a;b", "a.b.c", "é", "a'b", "x".repeat(56), "a."]) {
        says(yield* Effect.flip(connect(server.port, { table })), "Unknown", "no name of a table")
      }
      for (const table of ["1", "select", "Test_1$", "x".repeat(55), "other.t"]) {
        yield* query(server.url, "CREATE DATABASE IF NOT EXISTS other")
        yield* create(yield* connect(server.port, { table }), fresh())
      }
    }))

  it.live("where a grant is missing, until it is given", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const table = freshTable()
      yield* create(yield* connect(server.port, { table }), "a")
      yield* query(server.url, "CREATE USER 'ada'@'%'")
      const tables = ["", "_expiring", "_hints"].map((end) => `test.${table}${end}`)
      for (const table of tables) yield* query(server.url, `GRANT SELECT ON ${table} TO 'ada'@'%'`)
      const ada = { url: Redacted.make(`mysql://ada@127.0.0.1:${server.port}/test`) }
      const driver = yield* connect(server.port, { ...ada, table })
      yield* read(driver, "a")
      says(yield* Effect.flip(put(driver)), "Forbidden", "grant SELECT, INSERT, UPDATE and DELETE")
      says(yield* Effect.flip(connect(server.port, { ...ada, table: "another" })), "Forbidden", "CREATE", "grant")
      for (const table of tables) yield* query(server.url, `GRANT INSERT,UPDATE,DELETE ON ${table} TO 'ada'@'%'`)
      yield* put(driver)
      yield* commitAll(driver, [[write(fresh(), null, record()), write(fresh(), null, record())]])
    }))

  it.live("where a grant on the database is missing, until it is given", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const [one, two] = [fresh(), fresh()]
      const admin = yield* connect(server.port)
      const first = [yield* create(admin, one), yield* create(admin, two)] as const
      yield* query(server.url, "CREATE USER 'ada'@'%'")
      yield* query(server.url, "GRANT SELECT ON test.* TO 'ada'@'%'")
      const driver = yield* connect(server.port, {
        url: Redacted.make(`mysql://ada@127.0.0.1:${server.port}/test`),
        poolConfig: { connectionLimit: 1 }
      })
      yield* read(driver, one)
      const next = [record(), record()] as const
      const batches: ReadonlyArray<ReadonlyArray<Transaction>> = [
        [[write(fresh(), null, record())]],
        [[write(one, first[0], next[0])]],
        [[write(one, next[0], record())], [write(two, first[1], record())]]
      ]
      for (const batch of batches) says(yield* Effect.flip(driver.commit(batch)), "Forbidden", "grant SELECT")
      // A connection that was made before does not have it.
      yield* query(server.url, "GRANT ALL ON test.* TO 'ada'@'%'")
      for (const batch of batches) assert.deepStrictEqual(yield* commitAll(driver, batch), batch.map(() => committed))
    }))

  it.live("where the table is missing, with the statement that makes it", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const table = freshTable()
      const error = yield* Effect.flip(connect(server.port, { table, createTable: false }))
      says(error, "Forbidden", "does not exist", "CREATE TABLE IF NOT EXISTS")
      for (const statement of /CREATE TABLE[^]*$/.exec(error.description)![0].split(";\n")) {
        yield* query(server.url, statement.replace(";", ""))
      }
      const driver = yield* connect(server.port, { table, createTable: false })
      yield* create(driver, "a")
      yield* query(server.url, `DROP TABLE ${table}`)
      for (const call of [put(driver), driver.read(["a"]), Stream.runDrain(driver.names(""))]) {
        says(yield* Effect.flip(call as Effect.Effect<unknown, DriverError>), "Forbidden", "does not exist")
      }
      const creating = yield* connect(server.port, { table })
      assert.isNull(yield* read(creating, "a"))
      for (const call of [put(creating), creating.read(["a"])]) {
        yield* query(server.url, `DROP TABLE ${table}`)
        yield* Effect.flip(call as Effect.Effect<unknown, DriverError>)
        assert.isNull(yield* read(creating, "a"))
        yield* create(creating, "a")
      }
    }))

  it.live("where the table is another one", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const columns = "name VARBINARY(512) PRIMARY KEY, revision VARBINARY(1024) NOT NULL, data LONGBLOB"
      const wrong = [
        "id INT",
        columns,
        `${columns.replace("512", "100")}, expires_at BIGINT, gone_at BIGINT`,
        `${columns.replace("LONGBLOB", "BLOB")}, expires_at BIGINT, gone_at BIGINT`,
        `${columns.replace("VARBINARY(512)", "VARCHAR(512)")}, expires_at BIGINT, gone_at BIGINT`,
        `${columns.replace(" PRIMARY KEY", "")}, expires_at BIGINT, gone_at BIGINT`,
        `${columns}, expires_at DATETIME, gone_at BIGINT`,
        `${columns}, expires_at BIGINT`
      ]
      for (const [i, columns] of wrong.entries()) {
        yield* query(server.url, `CREATE TABLE wrong${i} (${columns})`)
        says(yield* Effect.flip(connect(server.port, { table: `wrong${i}` })), "Corrupt", "columns", "CREATE TABLE")
      }
      yield* query(server.url, `CREATE TABLE tables (${columns}, expires_at BIGINT, gone_at BIGINT) ENGINE=MyISAM`)
      says(yield* Effect.flip(connect(server.port, { table: "tables" })), "Corrupt", "no transactions")
    }))

  it.live("while it is read-only: what is stored can be read", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      yield* query(server.url, "CREATE USER 'ada'@'%'")
      yield* query(server.url, "GRANT ALL ON test.* TO 'ada'@'%'")
      const ada = { url: Redacted.make(`mysql://ada@127.0.0.1:${server.port}/test`) }
      const first = yield* connect(server.port, ada)
      const stored = yield* create(first, "a")
      yield* query(server.url, "SET GLOBAL read_only=1")
      const second = yield* connect(server.port, ada)
      for (const driver of [first, second]) {
        assert.deepStrictEqual(yield* read(driver, "a"), stored)
        says(yield* Effect.flip(put(driver)), "Forbidden", "read-only", "primary")
      }
      says(yield* Effect.flip(connect(server.port, { ...ada, table: "other" })), "Forbidden", "read-only")
      yield* query(server.url, "SET GLOBAL read_only=0")
      yield* put(first)
    }))

  it.live("when its disk is full: what is stored stays, and it goes on once there is space", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({
        args: ["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:24M"]
      })
      const driver = yield* connect(server.port, { timeout })
      const large = () => record("x".repeat(1_000_000))
      const first = yield* create(driver, "a", "1")
      let error: DriverError | undefined
      for (let i = 0; i < 40 && error === undefined; i++) {
        error = yield* Effect.match(driver.commit([[write(fresh(), null, large())]]), {
          onFailure: (error) => error,
          onSuccess: () => undefined
        })
      }
      // Some versions of MariaDB say nothing, and wait for space.
      if (error!.reason !== "Timeout") says(error!, "Full", "space left")
      assert.deepStrictEqual(yield* read(driver, "a"), first)
      yield* server.process().stop("SIGKILL")
      yield* server.start(["--innodb-data-file-path=ibdata1:12M:autoextend:max:200M"])
      assert.deepStrictEqual(yield* commit(driver, write("a", first, large())), committed)
    }))

  it.live("to one connection too many", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ args: ["--max-connections=10"] })
      yield* query(server.url, "CREATE USER 'ada'@'%'")
      yield* query(server.url, "GRANT ALL ON test.* TO 'ada'@'%'")
      const url = `mysql://ada@127.0.0.1:${server.port}/test`
      const driver = yield* MysqlDriver.make({ url: Redacted.make(url) })
      const others = yield* Effect.forEach(Array.from({ length: 9 }), () => connection(url))
      const names = Array.from({ length: 8 }, () => fresh())
      // The one connection that there is serves them all.
      yield* Effect.forEach(names, (name) => create(driver, name), { concurrency: "unbounded" })
      assert.isTrue((yield* driver.read(names)).every((record) => record !== null))
      const late = yield* MysqlDriver.make({ url: Redacted.make(url), timeout })
      for (const call of [late.read(["a"]), put(late)]) {
        const [error, millis] = yield* timed(Effect.flip(call as Effect.Effect<unknown, DriverError>))
        says(error, "Unavailable", "oo many connections", "max_connections")
        assert.isBelow(millis, timeout + 400)
      }
      for (const other of others) other.destroy()
      yield* Effect.retry(put(late), { times: 100, while: ({ reason }) => reason === "Unavailable" })
    }))

  it.live("to one prepared statement too many", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      yield* query(server.url, "SET GLOBAL max_prepared_stmt_count=0")
      const error = yield* Effect.flip(put(driver))
      says(error, "Unavailable", "max_prepared_stmt_count")
      assert.isFalse(error.inDoubt)
      yield* query(server.url, "SET GLOBAL max_prepared_stmt_count=DEFAULT")
      yield* put(driver)
    }))
})

describe("sizes", () => {
  it.live("are those of the largest packet: a batch is split, and what cannot fit is not sent", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ args: ["--max-allowed-packet=1M"] })
      const driver = yield* connect(server.port)
      const { dataBytes } = driver.limits
      assert.isAbove(dataBytes, 1_030_000)
      assert.isBelow(dataBytes, 1_048_576)
      const text = (bytes: number) => "x".repeat(bytes)
      const names = Array.from({ length: 20 }, () => fresh())
      const records = names.map((_, i) =>
        record(text(i === 7 ? dataBytes + 30_000 : i % 5 === 0 ? dataBytes : 100_000))
      )
      const answers = yield* driver.commit(names.map((name, i) => [write(name, null, records[i]!)]))
      for (const [i, answer] of answers.entries()) {
        if (i === 7) says(answer as DriverError, "Full", "1048576", "max_allowed_packet")
        else assert.deepStrictEqual(answer, committed)
      }
      assert.deepStrictEqual(yield* driver.read(names), records.map((record, i) => i === 7 ? null : record))
      const wide = names.map((_, i) => write(fresh(), null, record(text(100_000 + i))))
      says(yield* Effect.flip(driver.commit([wide])), "Full", "commit less at once")
      assert.deepStrictEqual(yield* commit(driver, ...wide.slice(0, 4)), committed)
      const longest = write("é".repeat(256), null, record(text(dataBytes)))
      assert.deepStrictEqual(yield* commit(driver, longest), committed)
      assert.deepStrictEqual(
        yield* commit(driver, write(longest.name, longest.next!, record(text(dataBytes)))),
        committed
      )
    }))

  it.live("of a server whose limit was lowered are learnt from its refusal", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { poolConfig: { connectionLimit: 1 } })
      yield* create(driver, fresh())
      const before = driver.limits.dataBytes
      yield* query(server.url, "SET GLOBAL max_allowed_packet=1048576")
      const processes = yield* query(server.url, "SHOW PROCESSLIST")
      for (const { Command, Id } of processes) {
        if (Command === "Sleep") yield* query(server.url, `KILL ${Id}`)
      }
      const large = write(fresh(), null, record("x".repeat(1_100_000)))
      const first = yield* Effect.flip(commit(driver, large))
      assert.include(["Full", "Unavailable"], first.reason)
      says(yield* Effect.flip(commit(driver, large)), "Full", "1048576")
      assert.isNull(yield* read(driver, large.name))
      assert.isBelow(driver.limits.dataBytes, before)
    }))

  it.live("of names and revisions beyond the columns are refused before sending", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const good = write(fresh(), null, record())
      const answers = yield* driver.commit([
        [write("x".repeat(513), null, record())],
        [good],
        [{ ...good, name: fresh(), next: { revision: "r".repeat(1025), data: "" } }]
      ])
      says(answers[0] as DriverError, "Unknown", "513 bytes")
      assert.deepStrictEqual(answers[1], committed)
      says(answers[2] as DriverError, "Unknown", "revision")
    }))
})

describe("a lock", () => {
  it.live("that another session holds: the others of the batch go on, and it ends within the timeout", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { timeout: 3500, poolConfig: { connectionLimit: 2 } })
      const names = Array.from({ length: 20 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      const other = yield* connection(server.url)
      yield* Effect.promise(() => other.query("START TRANSACTION"))
      yield* Effect.promise(() => other.query("SELECT * FROM effect_scopes WHERE name=? FOR UPDATE", [names[3]!]))
      const next = names.map(() => record())
      const [answers, millis] = yield* timed(
        driver.commit(names.map((name, i) => [write(name, first[i]!, next[i]!)]))
      )
      assert.isBelow(millis, 4000)
      for (const [i, answer] of answers.entries()) {
        if (i !== 3) assert.deepStrictEqual(answer, committed)
      }
      const error = answers[3] as DriverError
      assert.strictEqual(error.reason, "Timeout")
      assert.deepStrictEqual(yield* read(driver, names[3]!), first[3]!, "a lock keeps nobody from reading")
      const waiting = yield* Effect.forkChild(
        commit(driver, write(names[3]!, first[3]!, next[3]!), write(names[4]!, next[4]!, record())),
        { startImmediately: true }
      )
      yield* Effect.sleep(1200)
      yield* Effect.promise(() => other.query("COMMIT"))
      assert.deepStrictEqual(yield* Fiber.join(waiting), committed, "it was to be had in the end")
      assert.deepStrictEqual(yield* commit(driver, write(names[3]!, next[3]!, record())), committed)
      const open = yield* query(server.url, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX")
      assert.strictEqual(Number(open[0]!["n"]), 0, "no transaction is left open")
    }))

  it.live("that leads to a deadlock: whoever loses is tried again", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const [one, two] = ["a", "b"] as const
      let current = [yield* create(driver, one), yield* create(driver, two)]
      const other = yield* connection(server.url)
      let deadlocks = 0
      for (let i = 0; i < 6; i++) {
        // In the other order than the driver's, and with more to lose than it has.
        const heavy = Array.from({ length: 50 }, (_, j) => `('heavy ${i} ${j}','r')`).join(",")
        yield* Effect.promise(() => other.query("START TRANSACTION"))
        yield* Effect.promise(() => other.query(`INSERT INTO effect_scopes (name,revision) VALUES ${heavy}`))
        yield* Effect.promise(() => other.query("SELECT * FROM effect_scopes WHERE name='b' FOR UPDATE"))
        const next = [record(), record()]
        const writing = yield* Effect.forkChild(
          i % 2 === 0
            ? commitAll(driver, [[write(one, current[0]!, next[0]!), write(two, current[1]!, next[1]!)]])
            : commitAll(driver, [[write(one, current[0]!, next[0]!)], [write(two, current[1]!, next[1]!)]]),
          { startImmediately: true }
        )
        // Once the driver waits for the second row, it has the first. The table is made anew only when nobody has read it
        // for 100 ms.
        yield* Effect.repeat(
          query(server.url, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX WHERE trx_state='LOCK WAIT'"),
          {
            until: ([row]) => Number(row!["n"]) > 0,
            schedule: Schedule.spaced("150 millis")
          }
        )
        yield* Effect.promise(() =>
          other.query("SELECT * FROM effect_scopes WHERE name='a' FOR UPDATE; COMMIT").catch(() => {
            deadlocks++
            return other.query("ROLLBACK")
          })
        )
        for (const verdict of yield* Fiber.join(writing)) assert.deepStrictEqual(verdict, committed)
        current = next
      }
      assert.isBelow(deadlocks, 6, "the driver was the victim at times")
    }))
})
