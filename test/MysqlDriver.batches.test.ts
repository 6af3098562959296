/** Batches of plain writes, which take one statement: against the same batches on the common way. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Ref } from "effect"
import * as Mysql from "mysql2/promise"
import { type Driver, expired, type Record, type Transaction, type Write } from "../src/Driver.ts"
import {
  check,
  commitAll,
  committed,
  create,
  fresh,
  readAll,
  record,
  refused,
  write
} from "../src/testing/driver/TestStore.ts"
import { proxy } from "./mysql/proxy.ts"
import { connect, deadlocks, session } from "./mysql/store.ts"
import { type MysqlServer, mysqlServer, query } from "./servers/mysql.ts"

/** A number that a server keeps of all its sessions. */
const status = ({ url }: MysqlServer, name: string) =>
  Effect.map(query(url, `SHOW GLOBAL STATUS LIKE '${name}'`), ([row]) => Number(row!["Value"]))

const numbers = Effect.fnUntraced(function*(first: number) {
  const seed = yield* Ref.make(first)
  return (n: number) => Ref.modify(seed, (s) => [s % n, s * 48271 % 0x7fffffff])
})

/** Names in all orders that a server might confuse: by case, accents, ends, halves of characters, and bytes. */
const odd = [
  ..."aAá\u0301\0\t\uFFFF\uE000😀𐀀' \"\\%_?ßıİ",
  "a\u0301",
  "😀a",
  "\uFFFFa",
  "\uE000\uFFFF",
  "a ",
  "a  ",
  "a\0",
  "\0a",
  "ab",
  "á ",
  "z".repeat(512),
  "é".repeat(256),
  "😀".repeat(128),
  "-1",
  "0",
  "00",
  "1e1",
  "NULL"
]

describe("a batch of plain writes", () => {
  it.live("has the verdicts of the common way, whatever is in the way of some", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const random = yield* numbers(5)
      const names = odd
      const quick = yield* connect(server.port)
      const pool = yield* Effect.acquireRelease(
        Effect.sync(() => Mysql.createPool({ uri: server.url, multipleStatements: true })),
        (pool) => Effect.promise(() => pool.end())
      )
      const common = yield* connect(server.port, { pool, url: undefined, table: "common" })
      const drivers: ReadonlyArray<Driver> = [quick, common]
      const root = (sql: string) => query(server.url, sql)
      let whole = 0

      for (let round = 0; round < 120; round++) {
        // What there is: data, data that expires one day, what has expired, what was removed, and nothing at all. Those of
        // one transaction have one revision.
        for (const table of ["effect_scopes", "common"]) yield* root(`DELETE FROM ${table}`)
        const calm = (yield* random(2)) === 0
        const shared = record("{}")
        const before: Array<Record> = []
        const creations: Array<Transaction> = []
        for (const [i, name] of names.entries()) {
          const kind = yield* random(calm ? 3 : 8)
          const own = kind === 1 ? { ...shared, data: `"${i}"` } : record(kind === 4 ? null : `{"${i}":0}`)
          before.push(kind === 3 ? { revision: expired(own.revision), data: null } : own)
          const millis = kind === 2 ? 1e6 : kind === 3 ? 0 : undefined
          if (kind === 5) continue
          creations.push([
            write(name, null, own, millis === undefined ? {} : { expiresIn: Duration.millis(millis) })
          ])
        }
        for (const driver of drivers) yield* commitAll(driver, creations)

        const batch: Array<Transaction> = []
        for (const [i, name] of names.entries()) {
          if ((yield* random(3)) === 0) continue
          const wrong = yield* random(calm ? 1 : 12)
          const expected = wrong === 1 ? record() : wrong === 2 ? before[(i + 1) % names.length]! : before[i]!
          const data = ["{}", `${round}`, `"${"x".repeat(1 + (yield* random(3000)))}"`, "\"\0é😀'\""][yield* random(4)]!
          batch.push([write(name, expected, record(data))])
        }
        // One that is not plain, of a scope that is in nobody's way.
        if ((yield* random(3)) === 0) {
          const [name, kind] = [`other/${round}`, yield* random(3)]
          batch.splice(yield* random(batch.length + 1), 0, [
            kind === 0
              ? write(name, null, record())
              : kind === 1
              ? check(name, null)
              : write(name, null, record(), { expiresIn: Duration.hours(1) })
          ])
        }
        if (batch.length < 2) continue
        const earlier = yield* status(server, "Com_commit")
        const [verdicts, others] = [yield* commitAll(quick, batch), yield* commitAll(common, batch)]
        assert.deepStrictEqual(verdicts, others, JSON.stringify({ round, before, batch }))
        // Of the common way.
        if ((yield* status(server, "Com_commit")) - earlier === 1) whole++
        const stored = yield* readAll(quick, names)
        assert.deepStrictEqual(stored, yield* readAll(common, names), JSON.stringify({ round, before, batch }))
        const states = "name,revision,data,expires_at IS NULL AS stays,gone_at IS NULL AS there"
        const [one, other] = yield* Effect.all([
          root(`SELECT ${states} FROM effect_scopes ORDER BY name`),
          root(`SELECT ${states} FROM common ORDER BY name`)
        ])
        assert.deepStrictEqual(one, other)
      }
      assert.isAbove(whole, 5, "by one statement")
    }), 120_000)

  it.live("of every size takes one statement", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { poolConfig: { connectionLimit: 1 } })
      const names = Array.from({ length: 512 }, () => fresh())
      let current: ReadonlyArray<Record> = names.map(() => record())
      yield* commitAll(driver, names.map((name, i) => [write(name, null, current[i]!)]))
      for (const size of [2, 3, 4, 5, 8, 9, 31, 32, 33, 255, 256, 257, 511, 512]) {
        // Now and then a connection is asked first, and the batch goes the common way.
        for (let statements = 0; statements !== 1;) {
          const next = names.map((_, i) => record(`"${size}/${i}"`))
          const batch = names.slice(0, size).map((name, i): Transaction => [write(name, current[i]!, next[i]!)])
          // In no order.
          batch.sort(([a], [b]) => a!.next!.revision.slice(-1) < b!.next!.revision.slice(-1) ? -1 : 1)
          const before = [yield* status(server, "Com_update"), yield* status(server, "Com_commit")] as const
          assert.deepStrictEqual(yield* commitAll(driver, batch), batch.map(() => committed))
          const commits = (yield* status(server, "Com_commit")) - before[1]
          statements = (yield* status(server, "Com_update")) - before[0] + commits
          current = [...next.slice(0, size), ...current.slice(size)]
          assert.deepStrictEqual(yield* readAll(driver, names), [...current])
        }
      }
    }))

  it.live("some of which have no row: the others are applied once, and these are refused", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 9 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      const next = names.map(() => record())
      yield* query(server.url, `DELETE FROM effect_scopes WHERE name IN ('${names[0]}','${names[5]}')`)
      const isThere = (i: number) => i !== 0 && i !== 5
      assert.deepStrictEqual(
        yield* commitAll(driver, names.map((name, i) => [write(name, first[i]!, next[i]!)])),
        names.map((_, i) => isThere(i) ? committed : refused(null))
      )
      assert.deepStrictEqual(yield* readAll(driver, names), names.map((_, i) => isThere(i) ? next[i]! : null))
    }))

  it.live("is one statement also where a few others go along, which have their own answers", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port, { timeout: 800 })
      const names = Array.from({ length: 30 }, () => fresh())
      let current: ReadonlyArray<Record> = names.map(() => record())
      yield* commitAll(driver, names.map((name, i) => [write(name, null, current[i]!)]))
      const pair = [fresh(), fresh()] as const
      let next = names.map(() => record())
      const plain = () => names.map((name, i): Transaction => [write(name, current[i]!, next[i]!)])
      yield* readAll(driver, names)
      assert.deepStrictEqual(
        yield* commitAll(driver, [
          [write(pair[0], null, record()), write(pair[1], null, record())],
          ...plain(),
          [check(fresh(), record())]
        ]),
        [committed, ...names.map(() => committed), refused(null)]
      )
      current = next
      next = names.map(() => record())
      yield* readAll(driver, names)
      // What it does not come to is not in doubt.
      network.pass({ requests: true, replies: false })
      const late = fresh()
      const answers = yield* driver.commit([...plain(), [write(late, null, record())]])
      network.pass({ requests: true, replies: true })
      assert.deepStrictEqual(
        answers.map((answer) => "inDoubt" in answer && answer.inDoubt),
        [...names.map(() => true), false]
      )
      assert.deepStrictEqual(yield* readAll(driver, [...names, late]), [...next, null])
    }))

  it.live("of which one is refused: its connection is as good as before", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 5 }, () => fresh())
      let current = yield* Effect.forEach(names, (name) => create(driver, name))
      const before = yield* status(server, "Connections")
      for (let round = 0; round < 20; round++) {
        const next = names.map(() => record())
        const batch = names.map((name, i) => [write(name, i === round % 5 ? record() : current[i]!, next[i]!)])
        assert.deepStrictEqual(
          yield* commitAll(driver, batch),
          names.map((_, i) => i === round % 5 ? refused(current[i]!) : committed)
        )
        current = current.map((record, i) => i === round % 5 ? record : next[i]!)
      }
      // The last question is one by itself, and the pool may make another one.
      assert.isAtMost((yield* status(server, "Connections")) - before, 2)
    }))

  it.live("that names one scope twice is decided write by write", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const [one, other] = [fresh(), fresh()]
      const [first, second] = [yield* create(driver, one), yield* create(driver, other)]
      const verdicts = yield* commitAll(driver, [
        [write(one, first, record())],
        [write(other, second, record())],
        [write(one, first, record())]
      ])
      assert.deepStrictEqual(verdicts.map(({ committed }) => committed), [true, true, false])
    }))

  it.live("too large for one packet is split", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer({ args: ["--max-allowed-packet=1M"] })
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 6 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      const next = names.map((_, i) => record(`"${"x".repeat(300_000 + i)}"`))
      assert.deepStrictEqual(
        yield* commitAll(driver, names.map((name, i) => [write(name, first[i]!, next[i]!)])),
        names.map(() => committed)
      )
      assert.deepStrictEqual(yield* readAll(driver, names), next)
    }))

  it.live("for which there may be no more prepared statements goes the common way, on the same connection", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port, { poolConfig: { connectionLimit: 1 } })
      const names = Array.from({ length: 5 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      yield* query(server.url, "SET GLOBAL max_prepared_stmt_count=1")
      const before = yield* status(server, "Connections")
      const verdicts = yield* commitAll(driver, names.map((name, i) => [write(name, first[i]!, record())]))
      assert.deepStrictEqual(verdicts, names.map(() => committed))
      // The last question is one by itself.
      assert.strictEqual((yield* status(server, "Connections")) - before, 1)
    }))

  it.live("does not wait for a row that another session has locked, where it is of none of them", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 6 }, () => fresh())
      const first = yield* Effect.forEach(names, (name) => create(driver, name))
      const other = yield* session(server.url)
      yield* other(`START TRANSACTION; SELECT * FROM effect_scopes WHERE name='${names[2]}' FOR UPDATE`)
      const verdicts = yield* commitAll(driver, [0, 1, 3, 4, 5].map((i) => [write(names[i]!, first[i]!, record())]))
      assert.deepStrictEqual(verdicts, [0, 1, 3, 4, 5].map(() => committed))
      assert.strictEqual(yield* status(server, "Innodb_row_lock_waits"), 0)
    }))

  it.live("does not meet another one in a deadlock, whatever the order in which they name the scopes", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const drivers = [yield* connect(server.port), yield* connect(server.port)]
      const names = Array.from({ length: 100 }, () => fresh())
      yield* commitAll(drivers[0]!, names.map((name) => [write(name, null, record("0"))]))
      const random = yield* numbers(9)
      const before = yield* deadlocks(server)
      const counts = names.map(() => 0)
      yield* Effect.forEach(drivers, (driver) =>
        Effect.gen(function*() {
          for (let round = 0; round < 60; round++) {
            const chosen: Array<number> = []
            for (let i = 0; i < names.length; i++) if ((yield* random(2)) === 0) chosen.push(i)
            if (round % 2 === 0) chosen.reverse()
            const current = yield* driver.read(chosen.map((i) => names[i]!))
            const verdicts = yield* commitAll(
              driver,
              chosen.map((i, k) => [write(names[i]!, current[k]!, record(`${Number(current[k]!.data) + 1}`))])
            )
            for (const [k, { committed }] of verdicts.entries()) if (committed) counts[chosen[k]!]!++
          }
        }), { concurrency: "unbounded", discard: true })
      assert.strictEqual((yield* deadlocks(server)) - before, 0)
      assert.deepStrictEqual((yield* drivers[0]!.read(names)).map((record) => Number(record!.data)), counts)
    }))

  it.live(
    "whose statement is ended in the middle: all of it is applied or nothing, and no verdict is wrong",
    () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        const driver = yield* connect(server.port)
        const other = yield* connect(server.port)
        const names = Array.from({ length: 400 }, () => fresh())
        let current: ReadonlyArray<Record> = names.map(() => record())
        yield* commitAll(driver, names.map((name, i) => [write(name, null, current[i]!)]))
        const root = yield* session(server.url)
        const random = yield* numbers(3)
        let ended = 0
        const killer = yield* Effect.gen(function*() {
          const [rows] = (yield* root("SHOW PROCESSLIST")) as unknown as [
            ReadonlyArray<{ readonly Id: number; readonly Info: string | null }>
          ]
          for (const { Id, Info } of rows) {
            if (Info?.startsWith("UPDATE") !== true) continue
            yield* Effect.ignore(root(`KILL ${(yield* random(4)) === 0 ? "CONNECTION" : "QUERY"} ${Id}`))
          }
        }).pipe(Effect.forever, Effect.forkChild)
        for (let round = 0; round < 150 || ended === 0 && round < 3000; round++) {
          const next = names.map(() => record(`"${"x".repeat(500)}"`))
          const answers = yield* Effect.result(
            driver.commit(names.map((name, i): ReadonlyArray<Write> => [write(name, current[i]!, next[i]!)]))
          )
          const stored = yield* Effect.retry(other.read(names), { times: 10 })
          const applied = stored.map((record, i) => record!.revision === next[i]!.revision)
          if (answers._tag === "Success") {
            for (const [i, answer] of answers.success.entries()) {
              if ("committed" in answer) assert.strictEqual(answer.committed, applied[i])
              else if (!answer.inDoubt) assert.isFalse(applied[i])
            }
          } else {
            ended++
            if (!answers.failure.inDoubt) assert.notInclude(applied, true)
          }
          current = stored.map((record) => record!)
        }
        yield* Fiber.interrupt(killer)
        assert.isAbove(ended, 0)
      }),
    120_000
  )
})
