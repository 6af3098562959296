/** Memory: of a scope that is known and idle, of an update that waits, and of a scope in a Redis server. */
import { Effect, Fiber, Latch, Layer, Stream } from "effect"
import { type Driver, Storage } from "effect-scoped"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { connect, redisServer } from "../../servers/redis.ts"
import * as Ours from "../contenders/ours.ts"
import type { Row } from "../report.ts"
import type { Part } from "./part.ts"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Once what has ended is forgotten everywhere. */
const used = Effect.map(Effect.sleep(50), () => {
  collect()
  collect()
  return process.memoryUsage().heapUsed
})

/** A store that takes everything and keeps nothing, so that what is seen is the engine's own. */
const nowhere = (gate: Effect.Effect<unknown>): Driver.Driver => ({
  name: "nowhere",
  limits: { nameBytes: 512, dataBytes: 1 << 24, scopesPerTransaction: 1_000 },
  parallelism: 1,
  read: (names) => Effect.succeed(names.map(() => null)),
  commit: (batch) => Effect.as(gate, batch.map(() => ({ committed: true }))),
  changes: () => Stream.never,
  names: () => Stream.empty
})

const known = Effect.fnUntraced(function*(count: number) {
  const context = yield* Layer.build(
    Storage.layer(Effect.succeed(nowhere(Effect.void)), { knownScopes: Infinity, knownBytes: Infinity })
  )
  const update = (i: number) => Ours.increment(Ours.Counts(`${i}`))
  let next = 0
  const before = yield* used
  // A thousand at a time, whose rest is gone by the time that it counts.
  const touch = Effect.whileLoop({ while: () => next < count, body: () => update(next++), step: () => {} })
  yield* Effect.all(Array.from({ length: Math.min(count, 1_000) }, () => touch), {
    concurrency: "unbounded",
    discard: true
  }).pipe(Effect.provideContext(context))
  const bytes = ((yield* used) - before) / count
  // So that it is still there when it is weighed.
  yield* Effect.provideContext(update(0), context)
  return bytes
}, Effect.scoped)

/** Of so many fibers that wait at something. */
const waiting = Effect.fnUntraced(
  function*<R>(count: number, wait: Effect.Effect<unknown, unknown, R>, open: Effect.Effect<unknown>) {
    const before = yield* used
    const fibers = yield* Effect.forEach(
      Array.from({ length: count }),
      () => Effect.forkChild(wait, { startImmediately: true })
    )
    const bytes = ((yield* used) - before) / count
    yield* open
    yield* Effect.forEach(fibers, Fiber.await, { discard: true })
    return bytes
  }
)

const updatesThatWait = Effect.fnUntraced(function*(count: number) {
  const latch = yield* Latch.make()
  const layer = Storage.layer(Effect.succeed(nowhere(latch.await)), { timeout: "1 minute", retention: "2 minutes" })
  return yield* waiting(count, Ours.increment(Ours.Counts("one")), latch.open).pipe(Effect.provide(layer))
})

const fibersThatWait = Effect.fnUntraced(function*(count: number) {
  const latch = yield* Latch.make()
  return yield* waiting(count, latch.await, latch.open)
})

/** Bytes of a server's memory that a scope of 100 bytes takes more than a plain `SET` of them. */
const onRedis = Effect.gen(function*() {
  const scopes = 10_000
  const server = yield* redisServer()
  const used = Effect.map(server.call("info", "memory"), (info) => Number(/used_memory:(\d+)/.exec(String(info))![1]))
  const redis = yield* RedisDriver.make({ url: server.url })
  const names = Array.from({ length: scopes }, (_, i) => `user/${i}`)
  const data = JSON.stringify("x".repeat(98))
  const taken = Effect.fnUntraced(function*<E>(store: Effect.Effect<unknown, E>) {
    yield* server.call("flushall")
    const before = yield* used
    yield* store
    return ((yield* used) - before) / scopes
  })
  const plain = yield* taken(connect(server.port, (redis) => {
    const pipeline = redis.pipeline()
    for (const name of names) pipeline.set(`effect-scoped:${name}`, data)
    return pipeline.exec()
  }))
  // As after commits of so many processes.
  const revision = (writers: number) =>
    Array.from({ length: writers }, (_, i) => `k3J9x2TbQ0${String.fromCharCode(97 + i)}:${i}4a`).join(" ")
  const ours = (writers: number) =>
    taken(Effect.forEach(
      Array.from({ length: 20 }, (_, i) => names.slice(i * scopes / 20, (i + 1) * scopes / 20)),
      (some) =>
        redis.commit(some.map((name) => [{ name, expected: null, next: { revision: revision(writers), data } }]))
    ))
  return [(yield* ours(1)) - plain, (yield* ours(8)) - plain] as const
})

export const bytes: Part = Effect.fnUntraced(function*({ quick }, stores) {
  const rows: Array<Row> = []
  const row = (store: string, work: string, atOnce: number | undefined, measured: number, unit: string) =>
    rows.push({ store, work, atOnce, measured, unit })
  if (stores.includes("memory")) {
    // What is made once does not count.
    yield* known(1_000)
    yield* updatesThatWait(1_000)
    for (const count of [1_000, 10_000, 100_000, ...quick ? [] : [1_000_000]]) {
      row(
        "any",
        `${count.toLocaleString("en").replaceAll(",", " ")} known scopes, idle`,
        undefined,
        yield* known(count),
        "bytes a scope"
      )
    }
    for (const count of [10_000, 100_000]) {
      row("any", "one scope, all wait", count, yield* updatesThatWait(count), "bytes an update")
    }
    row("any", "fibers that wait, nothing else", 100_000, yield* fibersThatWait(100_000), "bytes a fiber")
  }
  if (stores.includes("redis")) {
    const [one, eight] = yield* onRedis
    row("redis", "a state of 100 bytes, written by one process", undefined, one, "bytes more than SET")
    row("redis", "the same, written by 8 processes", undefined, eight, "bytes more than SET")
  }
  return { rows }
})
