/** Real processes over one server, some of them killed. */
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { commitAll, committed, create, fresh, readAll, record, soon, write } from "../src/testing/driver/TestStore.ts"
import { connect } from "./mysql/store.ts"
import { mysqlServer, query } from "./servers/mysql.ts"

interface Hammer {
  readonly writer: string
  readonly process: ChildProcess
  readonly ended: Promise<void>
  readonly tried: Map<string, number>
  readonly done: Map<string, number>
  readonly complaints: Array<string>
  killed: boolean
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

const hammer = (url: string, writer: string, scopes: number, updates?: number): Hammer => {
  const child = spawn(process.execPath, [
    "--conditions=effect-scoped-source",
    new URL("mysql/hammer.ts", import.meta.url).pathname,
    url,
    writer,
    String(scopes),
    ...(updates === undefined ? [] : [String(updates)])
  ], { stdio: ["ignore", "pipe", "pipe"] })
  const self: Hammer = {
    writer,
    process: child,
    ended: new Promise((resolve) => child.on("close", () => resolve())),
    tried: new Map(),
    done: new Map(),
    complaints: [],
    killed: false
  }
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const scope = line.slice(2)
      if (line.startsWith("#")) self.complaints.push(line)
      else {
        const counts = line.startsWith("?") ? self.tried : self.done
        counts.set(scope, (counts.get(scope) ?? 0) + 1)
      }
    }
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => self.complaints.push(text))
  return self
}

describe("four processes on one server", () => {
  for (const scopes of [1, 1000]) {
    it.live(
      `lose and double nothing on ${scopes === 1 ? "one scope" : "a thousand scopes"}, also when some are killed`,
      () =>
        Effect.gen(function*() {
          const server = yield* mysqlServer()
          const driver = yield* connect(server.port)
          const all: Array<Hammer> = []
          yield* Effect.addFinalizer(() => Effect.sync(() => all.forEach((self) => self.process.kill("SIGKILL"))))
          const start = (updates?: number) => {
            const self = hammer(server.url, `w${all.length}`, scopes, updates)
            all.push(self)
            return self
          }
          const steady = [start(600), start(600)]
          for (let round = 0; round < 3; round++) {
            const doomed = [start(), start()]
            yield* Effect.suspend(() => Effect.sleep(5)).pipe(
              Effect.repeat({ while: () => doomed.some(({ done }) => total(done) < 30) })
            )
            for (const self of doomed) {
              self.killed = true
              self.process.kill("SIGKILL")
            }
            yield* Effect.forEach(doomed, ({ ended }) => Effect.promise(() => ended))
          }
          yield* Effect.forEach(steady, ({ ended }) => Effect.promise(() => ended))

          assert.deepStrictEqual(all.flatMap(({ complaints }) => complaints), [])
          const names = Array.from({ length: scopes }, (_, i) => `counts/${i}`)
          const records = yield* driver.read(names)
          let applied = 0
          for (const [i, record] of records.entries()) {
            const counts: { readonly [writer: string]: number } = JSON.parse(record?.data ?? "{}")
            for (const { done, killed, tried, writer } of all) {
              const count = counts[writer] ?? 0
              const [least, most] = [done.get(`${i}`) ?? 0, killed ? tried.get(`${i}`) ?? 0 : done.get(`${i}`) ?? 0]
              assert.isAtLeast(count, least, `${writer} lost what it had counted on ${i}`)
              assert.isAtMost(count, most, `${writer} counted twice on ${i}`)
              applied += count
            }
          }
          assert.isAtLeast(applied, 1200 + 6 * 30)
          for (const { done } of steady) assert.strictEqual(total(done), 600)
        }),
      60_000
    )
  }
})

describe("expired records", () => {
  it.live("are deleted by whoever comes by, in the middle of commits, and none that is not expired", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const drivers = yield* Effect.forEach([1, 2, 3], () => connect(server.port, { sweepInterval: 20 }))
      const [a, b] = drivers as [typeof drivers[0] & {}, typeof drivers[0] & {}]
      const rows = Effect.map(
        query(server.url, "SELECT COUNT(*) AS n FROM effect_scopes"),
        ([row]) => Number(row!["n"])
      )
      const kept = [fresh(), fresh(), fresh()] as const
      const stays = yield* create(a, kept[0])
      const later = [record(null), record("1")]
      yield* commitAll(a, [
        [write(kept[1], null, later[0]!, { retention: Duration.hours(1) })],
        [write(kept[2], null, later[1]!, { expiresIn: Duration.hours(1) })]
      ])
      for (let round = 0; round < 3; round++) {
        const names = Array.from({ length: 1500 }, () => fresh())
        // Some of them are taken again, just as they are swept.
        const churn = yield* Effect.forEach(names.slice(0, 8), (name) =>
          Effect.gen(function*() {
            for (let i = 0; i < 10; i++) {
              const next = record(null)
              const [verdict] = yield* commitAll(i % 2 === 0 ? a : b, [[
                write(name, null, next, { retention: Duration.millis(5) })
              ]])
              assert.deepStrictEqual(verdict, committed)
              yield* Effect.repeat(b.read([name]), { until: ([record]) => record === null })
            }
          }), { concurrency: "unbounded" }).pipe(Effect.forkChild)
        const others = names.slice(8).map((
          name
        ) => [write(name, null, record(null), { retention: Duration.millis(50) })])
        for (const verdict of yield* commitAll(a, others)) assert.deepStrictEqual(verdict, committed)
        yield* soon("the others", Fiber.join(churn))
        yield* soon("sweeping", Effect.repeat(rows, { until: (n) => n === 3 }))
        assert.deepStrictEqual(yield* readAll(b, kept), [stays, ...later])
      }
    }))
})
