/** Everything at once, against everything that must hold all the same. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Ref } from "effect"
import { Scoped } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import type { Record, Write } from "../src/Driver.ts"
import { fresh, record, soon, write } from "../src/testing/driver/TestStore.ts"
import { connect, Count, deadlocks, increment, storage } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

describe("a storm", () => {
  it.live(
    "of kills, locks, read-only spells and too many connections: every update counts once",
    () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer({ args: ["--max-connections=24"] })
        const root = (sql: string) => Effect.ignore(query(server.url, sql))
        yield* query(server.url, "CREATE USER 'ada'@'%'")
        yield* query(server.url, "GRANT ALL ON test.* TO 'ada'@'%'")
        const url = `mysql://ada@127.0.0.1:${server.port}/test`
        const contexts = yield* Effect.forEach(
          [1, 2, 3],
          () => Effect.flatMap(MysqlDriver.make({ url, timeout: 1800 }), (driver) => storage(driver, { timeout: 2000 }))
        )
        const seed = yield* Ref.make(7)
        const random = (n: number) => Ref.modify(seed, (s) => [s % n, s * 48271 % 0x7fffffff])
        let running = true

        const pest = <E>(effect: Effect.Effect<unknown, E>, every: number) =>
          Effect.ignore(effect).pipe(
            Effect.andThen(Effect.flatMap(random(every), (millis) => Effect.sleep(every / 2 + millis))),
            Effect.repeat({ while: () => running }),
            Effect.forkChild
          )
        const kill = Effect.gen(function*() {
          for (const { Id, User } of yield* query(server.url, "SHOW PROCESSLIST")) {
            if (User === "ada" && (yield* random(3)) === 0) {
              yield* root(`KILL ${(yield* random(2)) === 0 ? "QUERY" : "CONNECTION"} ${String(Id)}`)
            }
          }
        })
        const readOnly = Effect.gen(function*() {
          yield* root("SET GLOBAL read_only=1")
          yield* Effect.sleep(150)
          yield* root("SET GLOBAL read_only=0")
        })
        const lock = (sql: string) =>
          Effect.scoped(Effect.gen(function*() {
            const connection = yield* Effect.acquireRelease(
              Effect.promise(() =>
                Mysql.createConnection({ uri: server.url, multipleStatements: true }).catch(() => undefined)
              ),
              (connection) => Effect.sync(() => connection?.destroy())
            )
            yield* Effect.promise(async () => connection?.query(sql).catch(() => {}))
            yield* Effect.sleep(yield* random(1500))
          }))
        const crowd = Effect.scoped(Effect.gen(function*() {
          for (let i = 0; i < 20; i++) {
            yield* Effect.acquireRelease(
              Effect.promise(() => Mysql.createConnection({ uri: url }).catch(() => undefined)),
              (connection) => Effect.sync(() => connection?.destroy())
            )
          }
          yield* Effect.sleep(300)
        }))
        const pests = yield* Effect.all([
          pest(kill, 60),
          pest(readOnly, 1500),
          pest(lock("START TRANSACTION; SELECT * FROM effect_scopes WHERE name LIKE '%a' FOR UPDATE"), 700),
          pest(lock("FLUSH TABLES WITH READ LOCK"), 2500),
          pest(crowd, 1500)
        ])

        const scopes = ["a", "b", "c", "d"].map((key) => Count(key))
        const acknowledged = scopes.map(() => 0)
        let failed = 0
        const updates = contexts.flatMap((context) =>
          scopes.map((scope, i) =>
            Effect.gen(function*() {
              while (running) {
                const isProduct = (yield* random(3)) === 0
                const others = isProduct ? [i, (i + 1) % 4] : [i]
                const update: Effect.Effect<unknown, { readonly _tag: string }, never> = Effect.provide(
                  isProduct
                    ? Scoped.update(
                      Scoped.all(others.map((i) => scopes[i]!)),
                      (counts) => [undefined, counts.map((count) => count + 1)]
                    )
                    : increment(scope),
                  context
                )
                const result = yield* Effect.result(update)
                if (result._tag === "Success") { for (const i of others) acknowledged[i]!++ }
                else {
                  failed++
                  // What fails is not stored, and what is in doubt is sent again until it is known.
                  assert.strictEqual(result.failure._tag, "DriverError", String(result.failure))
                }
                yield* Effect.sleep(yield* random(10))
              }
            })
          )
        )
        const working = yield* Effect.forkChild(Effect.all(updates, { concurrency: "unbounded" }))
        yield* Effect.sleep(12_000)
        running = false
        for (const pest of pests) yield* Fiber.join(pest)
        yield* Effect.retry(query(server.url, "SET GLOBAL read_only=0"), { times: 100 })
        yield* Effect.timeout(Fiber.join(working), "30 seconds")
        const stored = yield* (yield* connect(server.port)).read(scopes.map((_, i) => `count/${"abcd"[i]}`))
        assert.deepStrictEqual(stored.map((record) => Number(record?.data)), acknowledged)
        assert.isAbove(Math.min(...acknowledged), 20, `${failed} failed`)
        const open = yield* query(server.url, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX")
        assert.strictEqual(Number(open[0]!["n"]), 0)
      }),
    90_000
  )

  it.live(
    "of records that come, expire, are removed and swept: hardly a deadlock, and nothing is left in the end",
    () =>
      Effect.gen(function*() {
        const server = yield* mysqlServer()
        const before = yield* deadlocks(server)
        const drivers = yield* Effect.forEach([1, 2, 3], () => connect(server.port, { sweepInterval: 15 }))
        const names = Array.from({ length: 60 }, () => fresh())
        const seed = yield* Ref.make(11)
        const random = (n: number) => Ref.modify(seed, (s) => [s % n, s * 48271 % 0x7fffffff])
        let interrupted = 0
        yield* Effect.forEach([...drivers, ...drivers], (driver) =>
          Effect.gen(function*() {
            for (let round = 0; round < 120; round++) {
              const chosen = new Set<string>()
              const size = 1 + (yield* random(6))
              while (chosen.size < size) chosen.add(names[yield* random(names.length)]!)
              const current = yield* driver.read([...chosen])
              const writes: Array<Write> = []
              for (const [i, name] of [...chosen].entries()) {
                const last: Record | null = current[i]!
                const millis = Duration.millis(yield* random(30))
                writes.push(
                  (yield* random(2)) === 0
                    ? write(name, last, record(null), { retention: millis })
                    : write(name, last, record(), { expiresIn: millis, retention: millis })
                )
              }
              const batch = round % 2 === 0 ? [writes] : writes.map((write) => [write])
              if ((yield* random(8)) === 0) {
                const fiber = yield* Effect.forkChild(driver.commit(batch), { startImmediately: true })
                yield* Effect.sleep(yield* random(3))
                yield* Fiber.interrupt(fiber)
                interrupted++
              } else {
                for (const answer of yield* driver.commit(batch)) assert.isTrue("committed" in answer, String(answer))
              }
            }
          }), { concurrency: "unbounded", discard: true })
        assert.isAbove(interrupted, 20)
        for (const table of ["effect_scopes", "effect_scopes_expiring"]) {
          yield* soon(
            table,
            Effect.repeat(query(server.url, `SELECT COUNT(*) AS n FROM ${table}`), {
              until: ([row]) => Number(row!["n"]) === 0
            })
          )
        }
        // The locks that InnoDB keeps in the gap of a deleted row may still meet once in a while; it is tried again then.
        assert.isAtMost((yield* deadlocks(server)) - before, drivers.length * 2 * 120 / 100)
      }),
    60_000
  )
})
