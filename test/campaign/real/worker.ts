/**
 * A process that works on a store, and says what it calls before it does, and what came of it.
 *
 * usage: worker.ts <place as JSON> <seed> <first id>
 */
import { Clock, Effect, Layer, Logger, Schedule } from "effect"
import type { Storage } from "effect-scoped"
import type { ScopedError } from "effect-scoped/ScopedError"
import { writeSync } from "node:fs"
import { createInterface } from "node:readline"
import { Seeded } from "../../../src/testing/internal/random.ts"
import { type End, now, type Order, type Place, type Report } from "./protocol.ts"
import { observations, type Operation, operation, run } from "./workload.ts"

const [place = "", seed = "", first = ""] = process.argv.slice(2)
const { driver, options, timeout } = JSON.parse(place) as Place

/** Says a line whole, and waits where the one who listens is too busy to take it. */
const say = (report: Report): void => {
  for (let rest = Buffer.from(`${JSON.stringify(report)}\n`); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

say({ tell: "up" })
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => say({ tell: "broken", message: `${event}: ${String(error?.stack ?? error)}` }))
}

// A clock of the wall that is set to another time now and then; time itself goes on evenly.
let offset = 0
const live = Effect.runSync(Clock.Clock)
const nanos = () => BigInt(offset) * 1_000_000n
const clock: Clock.Clock = {
  currentTimeMillisUnsafe: () => live.currentTimeMillisUnsafe() + offset,
  currentTimeMillis: Effect.map(live.currentTimeMillis, (millis) => millis + offset),
  currentTimeNanosUnsafe: () => live.currentTimeNanosUnsafe() + nanos(),
  currentTimeNanos: Effect.map(live.currentTimeNanos, (now) => now + nanos()),
  monotonicTimeNanosUnsafe: () => live.monotonicTimeNanosUnsafe(),
  monotonicTimeNanos: live.monotonicTimeNanos,
  sleep: (duration) => live.sleep(duration)
}

// Only what it takes is loaded: processes start often.
const layer: Layer.Layer<Storage.Storage, unknown> = await {
  redis: async () => (await import("effect-scoped/RedisDriver")).layer(options, { timeout }),
  mysql: async () => (await import("effect-scoped/MysqlDriver")).layer(options, { timeout }),
  file: async () => {
    const [FileDriver, NodeServices] = [
      await import("effect-scoped/FileDriver"),
      await import("@effect/platform-node/NodeServices")
    ]
    return FileDriver.layer(options as Parameters<typeof FileDriver.layer>[0], { timeout }).pipe(
      Layer.provide(NodeServices.layer)
    )
  }
}[driver]()

const endOf = (error: ScopedError): End => ({
  is: error._tag === "AmbiguousCommitError" ? "unknown" : error._tag === "NotReplicatedError" ? "short" : "failed",
  error: error._tag === "DriverError" ? `${error._tag} ${error.reason}` : error._tag
})

let nextId = Number(first)
let calls = 0

const perform = Effect.fnUntraced(function*(operation: Operation) {
  const call = calls++
  say({ tell: "call", call, at: now(), operation })
  const end: End = yield* Effect.match(run(operation), {
    onFailure: endOf,
    onSuccess: (answer): End => ({ is: "answered", answer })
  })
  say({ tell: "end", call, at: now(), end })
  return end
})

let running = false
const random = new Seeded(Number(seed))

const work = Effect.fnUntraced(function*(order: Order & { readonly do: "run" }) {
  while (running) {
    yield* perform(operation(random, order, nextId++))
    yield* Effect.sleep(random.below(80))
  }
})

/** Tries again until the store has answered: everybody comes through once the faults are over. */
const observe = Effect.fnUntraced(function*(groups: ReadonlyArray<string>) {
  for (const group of groups) {
    for (
      let end: End | undefined;
      end?.is !== "answered";
      end = yield* perform({ do: "append", group, to: "ledger", id: nextId++ })
    ) {
      if (end !== undefined) yield* Effect.sleep(50)
    }
    for (const observation of observations(group)) {
      for (let end: End | undefined; end?.is !== "answered"; end = yield* perform(observation)) {
        if (end !== undefined) yield* Effect.sleep(50)
      }
    }
  }
  say({ tell: "looked" })
})

const round = Effect.fnUntraced(function*(order: Order & { readonly do: "run" }) {
  yield* Effect.forEach(Array.from({ length: order.fibers }), () => work(order), { concurrency: "unbounded" })
  yield* observe(order.groups)
})

Effect.gen(function*() {
  // The store may be away just now.
  const context = yield* Effect.retry(Layer.build(layer), Schedule.spaced("100 millis"))
  createInterface({ input: process.stdin }).on("line", (line) => {
    const order = JSON.parse(line) as Order
    if (order.do === "clock") offset = order.offset
    else if (order.do === "look") running = false
    else {
      running = true
      Effect.runForkWith(context)(
        Effect.tapCause(round(order), (cause) => Effect.sync(() => say({ tell: "broken", message: String(cause) })))
      )
    }
  })
  yield* Effect.callback<void>((resume) => {
    process.stdin.on("end", () => resume(Effect.void))
  })
}).pipe(
  Effect.scoped,
  Effect.provide(Logger.layer([])),
  Effect.provideService(Clock.Clock, clock),
  Effect.tapCause((cause) => Effect.sync(() => say({ tell: "broken", message: String(cause) }))),
  Effect.exit,
  Effect.runPromise
).then(() => process.exit(0))
