/**
 * What an update may cost at the most, counted and not timed, so that a change that makes it dearer is seen on any
 * machine. The bounds leave room; a change that needs less should lower them.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Metric, Redacted } from "effect"
import { MemoryDriver, Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { Redis } from "ioredis"
import { execFile } from "node:child_process"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import * as Ours from "../bench/contenders/ours.ts"
import type { Contender } from "../bench/harness.ts"
import * as Counting from "../bench/parts/counting.ts"
import { mysqlServer, query } from "../servers/mysql.ts"
import { redisServer } from "../servers/redis.ts"
import { temporaryDirectory } from "../servers/server.ts"

/** So many updates on so many keys. */
const run = ({ add, context }: Contender, count: number, concurrency: number, keys: number) =>
  Effect.forEach(Array.from({ length: count }, (_, i) => i % keys), add, { concurrency, discard: true }).pipe(
    Effect.provideContext(context)
  )

/** What each update adds to a count, of `shape`: how many updates, at once, on how many keys. */
const perUpdate = <E, R>(
  ours: Contender,
  counted: Effect.Effect<number, E, R>,
  shape: readonly [number, number, number]
) =>
  Effect.gen(function*() {
    const before = yield* counted
    yield* run(ours, ...shape)
    return ((yield* counted) - before) / shape[0]
  })

/** What a script of this directory prints. */
const child = (script: string, flags: ReadonlyArray<string> = [], args: ReadonlyArray<string> = []) =>
  Effect.promise(async () => {
    const path = fileURLToPath(new URL(script, import.meta.url))
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions=effect-scoped-source", ...flags, path, ...args]
    )
    return JSON.parse(stdout) as unknown
  })

const isAtMost = (actual: number, bound: number, what: string) =>
  assert.isTrue(actual <= bound, `${actual} ${what}, and no more than ${bound} are allowed`)

describe.concurrent("an update asks no more than it must", { timeout: 120_000 }, () => {
  it.live("of Redis", () =>
    Effect.gen(function*() {
      const { url } = yield* redisServer()
      const ours = yield* Ours.make(RedisDriver.layer({ url }))
      yield* run(ours, 1_000, 1_000, 1_000)
      const redis = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(url)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      const monitor = yield* Effect.acquireRelease(
        Effect.promise(() => redis.monitor()),
        (monitor) => Effect.sync(() => monitor.disconnect())
      )
      let seen = 0
      monitor.on("monitor", (_time: string, _args: ReadonlyArray<string>, source: string) =>
        seen += source === "lua" ? 0 : 1)
      // What is sent last is told last.
      const commands = Effect.gen(function*() {
        const last = crypto.randomUUID()
        const told = yield* Effect.promise<number>(() =>
          new Promise((resume) => {
            const listen = (_time: string, args: ReadonlyArray<string>) => {
              if (args[1] !== last) {
                return
              }
              monitor.off("monitor", listen)
              resume(seen--)
            }
            monitor.on("monitor", listen)
            void redis.echo(last)
          })
        )
        return told - 1
      })
      isAtMost(yield* perUpdate(ours, commands, [200, 1, 1]), 1.02, "commands an update")
      isAtMost(yield* perUpdate(ours, commands, [3_200, 64, 1]), 0.04, "commands an update, 64 at once on one scope")
      isAtMost(yield* perUpdate(ours, commands, [5_000, 1_000, 1_000]), 0.02, "commands an update, 1,000 at once")
    }))

  it.live("of MySQL", () =>
    Effect.gen(function*() {
      const { mariadb, url } = yield* mysqlServer()
      const ours = yield* Ours.make(MysqlDriver.layer({ url: Redacted.make(url) }))
      yield* run(ours, 1_000, 1_000, 1_000)
      const statements = Effect.map(
        query(url, "SHOW GLOBAL STATUS LIKE 'Questions'"),
        ([row]) => Number(row!["Value"])
      )
      isAtMost(yield* perUpdate(ours, statements, [200, 1, 1]), mariadb ? 1.3 : 2.3, "statements an update")
      isAtMost(yield* perUpdate(ours, statements, [3_200, 64, 1]), 0.2, "statements an update, 64 at once on one scope")
      isAtMost(yield* perUpdate(ours, statements, [5_000, 1_000, 1_000]), 0.1, "statements an update, 1,000 at once")
    }))

  it.live("of the file system", () =>
    Effect.gen(function*() {
      const found = (yield* child("disk.ts", [], [yield* temporaryDirectory])) as {
        readonly [shape in "one" | "fused" | "many"]: { readonly writes: number; readonly syncs: number }
      }
      // An update that is alone is on the disk before it ends.
      assert.isAtLeast(found.one.syncs, 1)
      for (const [kind, one, fused, many] of [["writes", 1, 0.04, 0.02], ["syncs", 1, 0.04, 0.02]] as const) {
        isAtMost(found.one[kind], one, `${kind} an update`)
        isAtMost(found.fused[kind], fused, `${kind} an update, 64 at once on one scope`)
        isAtMost(found.many[kind], many, `${kind} an update, 1,000 at once`)
      }
    }))

  it.live("of its schema", () =>
    Effect.gen(function*() {
      for (const kind of ["plain", "transformed"] as const) {
        const { decodes, encodes, updates, walked } = yield* Counting.count(100_000, 64, kind)
        isAtMost(encodes / updates, 1, `${kind}: encodes an update of what it changed`)
        isAtMost(decodes / updates, 1, `${kind}: decodes an update of what it changed`)
        isAtMost(walked, 0, `${kind}: looks a commit at each part that did not change`)
      }
    }))

  it.live("of its handler", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const writers = yield* Effect.forEach([1, 2, 3, 4], () => Ours.make(Storage.layer(Effect.succeed(driver))))
      const attempts = writers[0]!.attempts!
      isAtMost(yield* perUpdate(writers[0]!, attempts, [1_000, 64, 10]), 1, "attempts an update of a lone writer")
      const before = yield* attempts
      const fibers = yield* Effect.forEach(writers, (writer) => Effect.forkChild(run(writer, 500, 1, 1)))
      yield* Effect.forEach(fibers, Fiber.join, { discard: true })
      isAtMost(((yield* attempts) - before) / 2_000, 2, "attempts an update in a crowd of four")
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map())))
})

describe("an update in memory takes no more than it must", { timeout: 120_000 }, () => {
  it.live("of the heap and of the processor", () =>
    Effect.gen(function*() {
      const found = (yield* child("processor.ts", ["--max-semi-space-size=512", "--min-semi-space-size=512"])) as {
        readonly [atOnce: string]: { readonly bytes: number; readonly times: number }
      }
      const bounds = { 1: [26_000, 60], 64: [6_200, 30], 1_000: [10_600, 40] }
      for (const [atOnce, [bytes, times]] of Object.entries(bounds)) {
        isAtMost(found[atOnce]!.bytes, bytes!, `bytes an update, ${atOnce} at once`)
        isAtMost(found[atOnce]!.times, times!, `times the processor time of a fiber that waits, ${atOnce} at once`)
      }
    }))
})
