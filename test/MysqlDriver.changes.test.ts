/** Watching: what it costs at rest, how soon a change is seen, and that none is missed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Mysql from "mysql2/promise"
import type { Driver } from "../src/Driver.ts"
import { commit, commitAll, committed, create, fresh, record, soon, write } from "../src/testing/driver/TestStore.ts"
import { proxy } from "./mysql/proxy.ts"
import { connect } from "./mysql/store.ts"
import { type MysqlServer, mysqlServer, query } from "./servers/mysql.ts"

/** Hints of names, and when each came last. */
const watch = Effect.fnUntraced(function*(driver: Driver, names: ReadonlyArray<string>) {
  const hints = new Map<string, number>()
  let count = 0
  yield* driver.changes(names).pipe(
    Stream.runForEach((name) =>
      Effect.sync(() => {
        count++
        hints.set(name, performance.now())
      })
    ),
    Effect.forkScoped
  )
  yield* soon(
    "the first hints",
    Effect.repeat(Effect.sleep(5), { until: () => hints.size === names.length })
  )
  return { hints, count: () => count }
})

/** Everybody who writes has noticed by now that somebody watches. */
const settled = Effect.sleep(2000)

const readRows = ({ mariadb, url }: MysqlServer) =>
  Effect.map(
    query(url, `SHOW GLOBAL STATUS LIKE '${mariadb ? "Rows_read" : "Innodb_rows_read"}'`),
    ([row]) => Number(row!["Value"])
  )

describe("watching", () => {
  it.live("costs next to nothing at rest, however many scopes it is", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const names = Array.from({ length: 3000 }, () => fresh())
      const writer = yield* connect(server.port)
      yield* commitAll(writer, names.map((name) => [write(name, null, record())]))
      const network = yield* proxy(server.port)
      const driver = yield* connect(network.port)
      const { count } = yield* watch(driver, names)
      yield* settled
      const before = [network.bytes(), yield* readRows(server), count()] as const
      yield* Effect.sleep(2000)
      const after = [network.bytes(), yield* readRows(server), count()] as const
      assert.isBelow(after[0] - before[0], 20_000, "bytes in two seconds")
      assert.isBelow(after[1] - before[1], 500, "rows read in two seconds")
      assert.strictEqual(after[2], before[2])
    }))

  it.live("sees a change of another process soon, and one of its own at once", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const a = yield* connect(server.port)
      const b = yield* connect(server.port)
      const names = Array.from({ length: 50 }, () => fresh())
      const { hints } = yield* watch(a, names)
      yield* settled
      const [own, others]: [Array<number>, Array<number>] = [[], []]
      for (const [i, name] of names.entries()) {
        yield* Effect.sleep(i % 7)
        const before = performance.now()
        yield* create(i % 2 === 0 ? b : a, name)
        const committed = performance.now()
        yield* soon("a hint", Effect.repeat(Effect.sleep(1), { until: () => hints.get(name)! > before }))
        const lags = i % 2 === 0 ? others : own
        lags.push(hints.get(name)! - committed)
      }
      // Only the proportion is checked: machines differ.
      assert.isBelow(median(own), median(others) / 2)
    }))

  it.live("misses none of many processes, whose hints come in any order", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const watcher = yield* connect(server.port)
      const drivers = yield* Effect.forEach([1, 2, 3, 4], () => connect(server.port))
      const names = Array.from({ length: 400 }, () => fresh())
      const { hints } = yield* watch(watcher, names)
      yield* settled
      yield* query(server.url, "SET GLOBAL auto_increment_increment=3")
      for (let round = 0; round < 3; round++) {
        const began = performance.now()
        yield* Effect.forEach(drivers, (driver, i) =>
          Effect.forEach(
            names.filter((_, j) => j % 4 === i),
            (name) =>
              Effect.flatMap(driver.read([name]), ([last]) => commit(driver, write(name, last ?? null, record()))),
            { concurrency: 8 }
          ), { concurrency: "unbounded" })
        yield* soon(
          "all hints",
          Effect.repeat(Effect.sleep(5), { until: () => names.every((name) => hints.get(name)! > began) })
        )
        // Well before all revisions would be looked at.
        assert.isBelow(performance.now() - began, 6000)
      }
    }))

  it.live("waits for a hint with a lower number, that comes after one with a higher", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const a = yield* connect(server.port)
      const b = yield* connect(server.port)
      const [late, early] = [fresh(), fresh()] as const
      const { hints } = yield* watch(a, [late, early])
      yield* settled
      const slow = yield* Effect.acquireRelease(
        Effect.promise(() => Mysql.createConnection({ uri: server.url, multipleStatements: true })),
        (connection) => Effect.sync(() => connection.destroy())
      )
      const sql = `START TRANSACTION; INSERT INTO effect_scopes_hints (name,at) VALUES ('${late}',1e17)`
      yield* Effect.promise(() => slow.query(sql))
      const began = performance.now()
      yield* create(b, early)
      yield* soon("the early one", Effect.repeat(Effect.sleep(5), { until: () => hints.get(early)! > began }))
      yield* Effect.sleep(200)
      yield* Effect.promise(() => slow.query("COMMIT"))
      yield* soon("the late one", Effect.repeat(Effect.sleep(5), { until: () => hints.get(late)! > began }))
      // Well before all revisions are looked at.
      assert.isBelow(performance.now() - began, 3000)
    }))

  it.live("sees in the end also what nobody told of", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const a = yield* connect(server.port)
      const name = fresh()
      yield* create(a, name)
      const { hints } = yield* watch(a, [name])
      yield* settled
      const before = performance.now()
      // As of a process that ended between its commit and its hint.
      yield* query(server.url, `UPDATE effect_scopes SET revision='other' WHERE name='${name}'`)
      yield* Effect.repeat(Effect.sleep(20), { until: () => hints.get(name)! > before }).pipe(
        Effect.timeout("15 seconds")
      )
    }), 40_000)

  it.live("leaves no hints behind where nobody watches, and deletes old ones where somebody does", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const names = Array.from({ length: 100 }, () => fresh())
      const writes = names.map((name) => [write(name, null, record())])
      for (const verdict of yield* commitAll(driver, writes)) assert.deepStrictEqual(verdict, committed)
      yield* Effect.sleep(300)
      const told = Effect.map(query(server.url, "SELECT COUNT(*) AS n FROM effect_scopes_hints"), ([row]) => row!["n"])
      assert.strictEqual(Number(yield* told), 0)
      yield* query(server.url, "INSERT INTO effect_scopes_hints (id,name,at) VALUES (2,'a',0),(3,'b',1e17),(4,'c',0)")
      yield* watch(driver, [names[0]!])
      // What says that somebody watches, and no more.
      yield* soon("deleting", Effect.repeat(told, { until: (n) => Number(n) === 1 }))
    }))
})

const median = (lags: ReadonlyArray<number>): number => lags.toSorted((a, b) => a - b)[Math.floor(lags.length / 2)]!
