/**
 * A process that uses all stores at the same time for as long as it is told, while connections break and servers end,
 * and looks every minute at what it holds: memory, descriptors, connections, timers, listeners.
 *
 * `npm run campaign:soak -- --minutes 60 --every 60 --only redis,mysql,file,memory`
 *
 * It ends with 1 when something grew (the last quarter of the samples, against the second), when a counter in a store
 * is not what was acknowledged, or when Node warned of something.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Layer, Logger, Schedule, type Scope } from "effect"
import { FileDriver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as RedisDriver from "effect-scoped/RedisDriver"
import type { EventEmitter } from "node:events"
import { readdirSync } from "node:fs"
import { parseArgs } from "node:util"
import { Seeded } from "../../../src/testing/internal/random.ts"
import { mysqlServer, query } from "../../servers/mysql.ts"
import { redisServer } from "../../servers/redis.ts"
import { freePort, temporaryDirectory } from "../../servers/server.ts"
import { again, between, type Faults, ofWires } from "./fault.ts"
import { step, type Tally, Total, watch } from "./load.ts"
import { restartable } from "./stores/restartable.ts"
import * as Wire from "./wire.ts"

interface Place {
  readonly layer: Layer.Layer<Storage.Storage, unknown>
  readonly faults: Faults
  /** How many connections the server has, but for our own. */
  readonly connections: Effect.Effect<number, unknown>
}

const timeout = 2_000

const redis = Effect.gen(function*() {
  const [port, directory] = [yield* freePort, yield* temporaryDirectory]
  const server = yield* restartable(redisServer({ port, directory, args: ["--appendonly", "yes"] }))
  const wire = yield* Wire.make(port)
  const call = (name: string, ...args: ReadonlyArray<string | number>) => server.current().call(name, ...args)
  const place: Place = {
    layer: RedisDriver.layer({ url: `redis://127.0.0.1:${wire.port}` }, { timeout }),
    faults: {
      ...ofWires([wire]),
      serverKilled: between(server.stop("SIGKILL"), server.start),
      clientKill: again(() => call("client", "kill", "type", "normal"), 200),
      subscribersKilled: again(() => call("client", "kill", "type", "pubsub"), 200),
      scriptFlush: again(() => call("script", "flush"), 100)
    },
    connections: Effect.map(call("client", "list"), (list) => String(list).trim().split("\n").length - 1)
  }
  return place
})

const mysql = Effect.gen(function*() {
  const server = yield* mysqlServer({ durable: true })
  const wire = yield* Wire.make(server.port)
  yield* query(server.url, "CREATE USER 'ada'@'%'")
  yield* query(server.url, "GRANT ALL ON test.* TO 'ada'@'%'")
  const own = Effect.map(
    query(server.url, "SHOW PROCESSLIST"),
    (processes) => processes.filter(({ User }) => User === "ada")
  )
  const place: Place = {
    layer: MysqlDriver.layer({ url: `mysql://ada@127.0.0.1:${wire.port}/test` }, { timeout }),
    faults: {
      ...ofWires([wire]),
      serverKilled: between(Effect.suspend(() => server.process().stop("SIGKILL")), server.start()),
      killConnection: again(
        (random) =>
          Effect.flatMap(own, (processes) => query(server.url, `KILL ${String(random.choice(processes)["Id"])}`)),
        100
      )
    },
    connections: Effect.map(own, (processes) => processes.length)
  }
  return place
})

const file = Effect.map(temporaryDirectory, (directory): Place => ({
  layer: FileDriver.layer({ directory, compactAt: 200_000 }, { timeout }).pipe(Layer.provide(NodeServices.layer)),
  faults: {},
  connections: Effect.succeed(0)
}))

const memory = Effect.scope.pipe(
  Effect.flatMap(() => MemoryDriver.make()),
  Effect.map((driver): Place => ({
    layer: Storage.layer(Effect.succeed(driver), { timeout }),
    faults: {},
    connections: Effect.succeed(0)
  }))
)

const places: { readonly [name: string]: Effect.Effect<Place, unknown, Scope.Scope> } = { redis, mysql, file, memory }

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "60" },
    every: { type: "string", default: "60" },
    pause: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: Object.keys(places).join(",") }
  }
})

const collect = globalThis.gc
if (collect === undefined) throw new Error("run it with node --expose-gc")

const warnings: Array<string> = []
process.on("warning", (warning) => warnings.push(String(warning)))
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => warnings.push(`${event}: ${String(error?.stack ?? error)}`))
}

const listeners = (): number => {
  const handles = (process as unknown as { _getActiveHandles: () => ReadonlyArray<EventEmitter> })._getActiveHandles()
  return handles.reduce(
    (sum, handle) => sum + (handle.eventNames?.() ?? []).reduce((sum, name) => sum + handle.listenerCount(name), 0),
    0
  )
}

type Sample = { readonly [column: string]: number }

/** By how much more of each is no growth yet: a share, and as many on top. */
const slack = (column: string): readonly [share: number, more: number] =>
  column === "heap MB"
    ? [1.1, 2]
    : column === "rss MB"
    ? [1.15, 20]
    : column === "listeners"
    ? [1.1, 20]
    : [1, 4]

const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? 0

/** What grew from the second quarter of the samples to the last. */
const grown = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> => {
  const quarter = Math.max(Math.floor(samples.length / 4), 1)
  return Object.keys(samples[0] ?? {}).flatMap((column) => {
    if (column === "minute" || column === "done" || column === "cpu %") return []
    const of = (some: ReadonlyArray<Sample>) => median(some.map((sample) => sample[column]!))
    const [before, after] = [of(samples.slice(quarter, 2 * quarter)), of(samples.slice(-quarter))]
    const [share, more] = slack(column)
    return after <= before * share + more ? [] : [`${column} grew from ${before} to ${after}`]
  })
}

const main = Effect.gen(function*() {
  const random = new Seeded(Number(values.seed))
  const names = values.only.split(",")
  const opened = yield* Effect.forEach(names, (name) => Effect.map(places[name]!, (place) => ({ name, place })))
  const storages = yield* Effect.forEach(
    opened,
    ({ name, place }) =>
      Effect.map(Layer.build(place.layer), (context) => {
        const tally: Tally = { acknowledged: 0, unknown: 0, failed: new Map() }
        return { name, place, context, tally, busy: 0 }
      })
  )
  const began = performance.now()
  const end = began + Number(values.minutes) * 60_000
  let quiet = false
  let running = true
  let done = 0

  const load = yield* Effect.forEach(storages, (storage, i) => {
    const own = new Seeded(Number(values.seed), i)
    const work = Effect.gen(function*() {
      while (running) {
        yield* Effect.sleep(own.below(2 * Number(values.pause)))
        if (quiet) continue
        storage.busy++
        const exit = yield* Effect.exit(Effect.provide(step(own, storage.tally, storage.place.layer), storage.context))
        storage.busy--
        done++
        if (exit._tag === "Success") continue
        for (const reason of exit.cause.reasons) {
          const error = reason._tag === "Fail" ? reason.error as { readonly _tag?: string } | string : reason._tag
          const tag = typeof error === "string" ? error : error._tag ?? String(error)
          if (tag === "Die") warnings.push(`${storage.name}: ${String(exit.cause)}`)
          storage.tally.failed.set(tag, (storage.tally.failed.get(tag) ?? 0) + 1)
        }
      }
    })
    return Effect.all([
      Effect.forkScoped(Effect.forEach([1, 2, 3], () => work, { concurrency: "unbounded" })),
      Effect.forkScoped(
        watch.pipe(Effect.provide(storage.context), Effect.retry(Schedule.spaced("1 second")), Effect.ignore)
      )
    ])
  })
  void load

  const trouble = Effect.gen(function*() {
    const all = storages.flatMap(({ name, place: { faults } }) =>
      Object.entries(faults).map(([fault, { begin, millis }]) => ({ name: `${name} ${fault}`, begin, millis }))
    )
    while (running && all.length > 0) {
      yield* Effect.sleep(3_000 + random.below(6_000))
      if (quiet) continue
      const { begin, millis: [least, most], name } = random.choice(all)
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.andThen(begin(random), Effect.sleep(least + random.below(most - least))))
      )
      if (exit._tag === "Failure") warnings.push(`the fault ${name} itself failed: ${String(exit.cause)}`)
    }
  })
  yield* Effect.forkScoped(trouble)

  const samples: Array<Sample> = []
  let cpu = process.cpuUsage()
  let sampled = performance.now()
  const sample = Effect.gen(function*() {
    // What is there when nobody does anything.
    quiet = true
    const until = performance.now() + 15_000
    while (storages.some(({ busy }) => busy > 0) && performance.now() < until) yield* Effect.sleep(50)
    yield* Effect.sleep(2_000)
    const connections = yield* Effect.forEach(
      storages,
      ({ place }) => Effect.retry(place.connections, Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 20 })))
    )
    for (let i = 0; i < 3; i++) {
      collect()
      yield* Effect.sleep(20)
    }
    const used = process.cpuUsage(cpu)
    const { heapUsed, rss } = process.memoryUsage()
    const resources = process.getActiveResourcesInfo()
    const row: Sample = {
      minute: Math.round((performance.now() - began) / 6_000) / 10,
      done,
      "cpu %": Math.round((used.user + used.system) / 10 / (performance.now() - sampled)),
      "heap MB": Math.round(heapUsed / 1e5) / 10,
      "rss MB": Math.round(rss / 1e6),
      descriptors: readdirSync("/proc/self/fd").length,
      sockets: resources.filter((name) => name.startsWith("TCP")).length,
      timers: resources.filter((name) => name === "Timeout" || name === "Immediate").length,
      others: resources.filter((name) => !name.startsWith("TCP") && name !== "Timeout" && name !== "Immediate").length,
      listeners: listeners(),
      ...Object.fromEntries(storages.map(({ name }, i) => [`at ${name}`, connections[i]!]))
    }
    cpu = process.cpuUsage()
    sampled = performance.now()
    if (samples.push(row) === 1) console.log(`| ${Object.keys(row).join(" | ")} |`)
    console.log(`| ${Object.values(row).join(" | ")} |`)
    quiet = false
  })
  while (performance.now() < end) {
    yield* Effect.sleep(Math.min(Number(values.every) * 1000, Math.max(end - performance.now(), 0)))
    yield* sample
  }
  running = false
  quiet = true

  const faults = [...warnings, ...grown(samples)]
  for (const { context, name, tally } of storages) {
    const total = yield* Scoped.get(Total).pipe(
      Effect.retry(Schedule.spaced("500 millis").pipe(Schedule.upTo({ times: 20 }))),
      Effect.provide(context)
    )
    console.log(
      `${name}: ${tally.acknowledged} acknowledged, ${tally.unknown} interrupted or unknown, ${total} stored; failed: ` +
        `${[...tally.failed].map(([tag, count]) => `${count} ${tag}`).join(", ")}`
    )
    if (total < tally.acknowledged || total > tally.acknowledged + tally.unknown) {
      faults.push(`${name}: ${total} stored, ${tally.acknowledged} acknowledged, ${tally.unknown} unknown`)
    }
  }
  return faults
})

const faults = await Effect.runPromise(Effect.scoped(main).pipe(Effect.provide(Logger.layer([]))))
for (const fault of faults) console.log(fault)
console.log(faults.length === 0 ? "flat" : "NOT FLAT")
process.exit(faults.length === 0 ? 0 : 1)
