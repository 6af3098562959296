/**
 * Measures the Redis driver against a private server.
 *
 * usage: node --conditions=effect-scoped-source test/bench/redis.ts [AOF: no | everysec | always]
 */
import { Effect, Schema } from "effect"
import { Redis } from "ioredis"
import * as RedisDriver from "../../src/RedisDriver.ts"
import * as Scoped from "../../src/Scoped.ts"
import * as Storage from "../../src/Storage.ts"
import { redisServer } from "../servers/redis.ts"

const [aof = "no"] = process.argv.slice(2)
const seconds = 2
const args = aof === "no" ? [] : ["--appendonly", "yes", "--appendfsync", aof]
const report = (what: string, count: number, millis: number) =>
  console.log(`${what.padEnd(64)} ${Math.round((count * 1000) / millis).toLocaleString("en").padStart(10)} /s`)

/** Runs `step` in `concurrency` loops for a while, and reports how many of `size` things were done. */
const measure = <E, R>(
  what: string,
  concurrency: number,
  size: number,
  step: (i: number) => Effect.Effect<unknown, E, R>
) =>
  Effect.gen(function*() {
    let done = 0
    let next = 0
    const run = (millis: number) =>
      Effect.gen(function*() {
        done = 0
        const start = performance.now()
        yield* Effect.forEach(
          Array.from({ length: concurrency }),
          () =>
            Effect.gen(function*() {
              while (performance.now() - start < millis) {
                yield* step(next++)
                done += size
              }
            }),
          { concurrency: "unbounded", discard: true }
        )
        return performance.now() - start
      })
    yield* run(500)
    report(what, done, yield* run(seconds * 1000))
  })

const program = Effect.gen(function*() {
  const server = yield* redisServer({ args })
  const data = JSON.stringify({ text: "x".repeat(100) })
  const driver = yield* RedisDriver.make({ url: server.url, prefix: "bench:" })
  let n = 0
  for (const size of [1, 64, 256]) {
    yield* measure(`driver.commit, ${size} new scope(s) a batch`, 1, size, () =>
      driver.commit(
        Array.from({ length: size }, () => [{ name: `n${n++}`, expected: null, next: { revision: "w:1", data } }])
      ))
  }
  yield* server.call("flushall")
  const program = Scoped.update((count: number) => [count + 1, count + 1] as const)
  const family = Scoped.family("f", { key: Schema.FiniteFromString, schema: Schema.Int, initial: 0 })
  const scopes = Array.from({ length: 10_000 }, (_, i) => family(i))
  for (const parallelism of [1, 2, 4]) {
    const storage = Storage.layer(Effect.succeed({ ...driver, parallelism }))
    for (const concurrency of [1, 64, 1000]) {
      yield* measure(
        `parallelism ${parallelism}, one scope, concurrency ${concurrency}`,
        concurrency,
        1,
        () => program(scopes[0]!)
      ).pipe(Effect.provide(storage))
      yield* measure(
        `parallelism ${parallelism}, 10,000 scopes, concurrency ${concurrency}`,
        concurrency,
        1,
        (i) => program(scopes[i % 10_000]!)
      ).pipe(Effect.provide(storage))
    }
  }
  const redis = new Redis(server.url, { enableAutoPipelining: true })
  for (const concurrency of [1, 64, 1000]) {
    yield* measure(
      `ioredis INCR, auto-pipelined, concurrency ${concurrency}`,
      concurrency,
      1,
      () => Effect.promise(() => redis.incr("count"))
    )
  }
  redis.disconnect()
})

Effect.runPromise(Effect.scoped(program))
