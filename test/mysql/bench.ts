// node --conditions=effect-scoped-source test/mysql/bench.ts [parallelism]
// MYSQL_SERVER chooses another server than the machine's own. Durable settings.
import { Effect, Redacted, Schema } from "effect"
import { type Driver, Scoped, Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as Mysql from "mysql2/promise"
import { mysqlServer } from "../servers/mysql.ts"

const seconds = Number(process.env["SECONDS"] ?? 2)
const data = JSON.stringify({ text: "x".repeat(1000) })

const rate = Effect.fnUntraced(function*<E, R>(label: string, per: number, step: Effect.Effect<unknown, E, R>) {
  const start = performance.now()
  let steps = 0
  while (performance.now() - start < seconds * 1000) {
    yield* step
    steps++
  }
  const elapsed = (performance.now() - start) / 1000
  console.log(
    label.padEnd(52),
    `${Math.round(steps * per / elapsed)}/s`.padStart(10),
    `${(1000 * elapsed / steps).toFixed(2)} ms`
  )
})

const concurrent = Effect.fnUntraced(
  function*<E, R>(label: string, n: number, one: (i: number) => Effect.Effect<unknown, E, R>) {
    const start = performance.now()
    let done = 0
    const worker = (i: number) =>
      Effect.gen(function*() {
        while (performance.now() - start < seconds * 1000) {
          yield* one(i)
          done++
        }
      })
    yield* Effect.forEach(Array.from({ length: n }, (_, i) => i), worker, { concurrency: "unbounded" })
    const elapsed = (performance.now() - start) / 1000
    console.log(label.padEnd(52), `${Math.round(done / elapsed)}/s`.padStart(10))
  }
)

const main = Effect.gen(function*() {
  const server = yield* mysqlServer({ durable: true })
  console.log(server.version)
  const open = MysqlDriver.make({ url: Redacted.make(server.url) })
  const base = yield* open
  const parallelism = Number(process.argv[2] ?? base.parallelism)
  const driver: Driver.Driver = Object.create(base, { parallelism: { value: parallelism } })
  console.log("parallelism", driver.parallelism)

  let revision = 0
  for (const size of [1, 64, 256]) {
    const names = Array.from({ length: size }, (_, i) => `commit/${size}/${i}`)
    let expected: string | null = null
    const step = Effect.gen(function*() {
      const next = `bench:${++revision}`
      const verdicts = yield* driver.commit(names.map((name) => [{ name, expected, next: { revision: next, data } }]))
      if (verdicts.some((verdict) => !("committed" in verdict && verdict.committed))) throw new Error("refused")
      expected = next
    })
    yield* step
    yield* rate(`driver.commit of ${size}, 1 KB each: transactions`, size, step)
  }

  const Count = Scoped.family("count", { key: Schema.String, schema: Schema.Int, initial: 0 })
  const increment = Scoped.update((n: number) => [n + 1, n + 1] as const)
  const storage = Storage.layer(Effect.succeed(driver))
  yield* Effect.gen(function*() {
    const hot = Count("hot")
    for (const n of [1, 64, 1000]) yield* concurrent(`one scope, concurrency ${n}: updates`, n, () => increment(hot))
    const scopes = Array.from({ length: 10_000 }, (_, i) => Count(`${i}`))
    yield* Effect.forEach(scopes, increment, { concurrency: 1000, discard: true })
    for (const n of [1, 64, 1000]) {
      let next = 0
      yield* concurrent(`10,000 scopes, concurrency ${n}: updates`, n, () => increment(scopes[next++ % 10_000]!))
    }
  }).pipe(Effect.provide(storage))

  const pool = Mysql.createPool({ uri: server.url, connectionLimit: 64 })
  yield* Effect.promise(async () => {
    await pool.query("CREATE TABLE plain (id INT PRIMARY KEY, n BIGINT NOT NULL)")
    for (let i = 0; i < 10_000; i += 1000) {
      await pool.query(`INSERT INTO plain VALUES ${Array.from({ length: 1000 }, (_, j) => `(${i + j},0)`).join(",")}`)
    }
  })
  const plain = (id: number) => Effect.promise(() => pool.query("UPDATE plain SET n=n+1 WHERE id=?", [id]))
  for (const n of [1, 64, 1000]) yield* concurrent(`plain UPDATE n=n+1, one row, concurrency ${n}`, n, () => plain(0))
  for (const n of [1, 64, 1000]) {
    let next = 0
    yield* concurrent(`plain UPDATE n=n+1, 10,000 rows, concurrency ${n}`, n, () => plain(next++ % 10_000))
  }
  yield* Effect.promise(() => pool.end())
})

await Effect.runPromise(Effect.scoped(main))
