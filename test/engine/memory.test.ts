/** What the engine holds on to. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schedule, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Cells } from "../../src/internal/engine/cells.ts"
import { Lane } from "../../src/internal/engine/lanes.ts"
import * as Scripted from "../support/scripted.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")
const mebibyte = 1024 * 1024
const heap = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed / mebibyte
}

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))

describe("memory", () => {
  it.live("of updates that were interrupted in line is given back, also behind a commit in flight", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const go = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        scripted.script.push((batch, commit) => Effect.andThen(Deferred.await(go), commit(batch)))
        const first = yield* Effect.forkChild(Scoped.update(Count, (n) => [n, n + 1]))
        yield* settle
        const before = heap()
        for (let round = 0; round < 10; round++) {
          const waiting = yield* Effect.forEach(
            Array.from({ length: 2_000 }),
            () => Effect.forkChild(Scoped.update(Count, (n) => [n, n + 1]))
          )
          yield* settle
          yield* Fiber.interruptAll(waiting)
        }
        assert.isBelow(heap() - before, 10)
        yield* Deferred.succeed(go, undefined)
        yield* Fiber.join(first)
        assert.strictEqual(yield* Scoped.get(Count), 1)
      }).pipe(Effect.provide(Scripted.layer(scripted, { timeout: "1 minute", retention: "2 minutes" })))
    }))

  it.effect("of known states is bounded by their size", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      let reads = 0
      const counted = {
        ...driver,
        read: (names: ReadonlyArray<string>) => {
          reads++
          return driver.read(names)
        }
      }
      const texts = Scoped.family("text", { key: Schema.String, schema: Schema.String, initial: "" })
      const append = (key: string) => Scoped.update(texts(key), (text) => [undefined, text + "x".repeat(100_000)])
      yield* Effect.gen(function*() {
        for (let i = 0; i < 20; i++) yield* append(`${i}`)
        assert.strictEqual(reads, 20)
        yield* append("19")
        assert.strictEqual(reads, 20)
        yield* append("0")
        assert.strictEqual(reads, 21)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(counted), { knownBytes: 1_000_000 })))
    }))

  it.live("of many large states that are updated at once is bounded", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const texts = Scoped.family("text", { key: Schema.NumberFromString, schema: Schema.String, initial: "" })
      const keys = Array.from({ length: 60 }, (_, i) => i)
      const large = 4 * mebibyte
      let most = 0
      const watched = {
        ...driver,
        commit: (batch: Parameters<typeof driver.commit>[0]) => {
          most = Math.max(most, batch.flat().reduce((size, { next }) => size + (next?.data?.length ?? 0), 0))
          return driver.commit(batch)
        }
      }
      yield* Effect.forEach(keys, (key) => Scoped.update(texts(key), () => [0, "y".repeat(large)]), {
        concurrency: "unbounded"
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(watched))))
      assert.isAtMost(most, 4 * large)
    }))

  const texts = Scoped.family("text", { key: Schema.NumberFromString, schema: Schema.String, initial: "" })
  const append = (key: number) => Scoped.update(texts(key), (text) => [undefined, text + "x"])
  const storeLarge = (store: Driver.Driver, key: number) =>
    store.commit([[{
      name: `text/${key}`,
      expected: null,
      next: { revision: `x:${key}1`, data: JSON.stringify("y".repeat(8 * mebibyte)) }
    }]])
  const keys = Array.from({ length: 9 }, (_, i) => i)

  it.live("what was read for updates that are interrupted meanwhile makes room for others", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const scripted = yield* Scripted.make()
      const driver = {
        ...scripted.driver,
        read: (names: ReadonlyArray<string>) =>
          names.includes("text/0")
            ? Effect.andThen(Deferred.await(go), scripted.store.read(names))
            : scripted.store.read(names)
      }
      yield* Effect.forEach(keys, (key) => storeLarge(scripted.store, key))
      yield* Effect.gen(function*() {
        const updates = yield* Effect.forEach(keys, (key) => Effect.forkChild(append(key)))
        yield* settle
        yield* Fiber.interruptAll(updates)
        yield* Deferred.succeed(go, undefined)
        yield* settle
        scripted.script.push((batch, commit) => Effect.andThen(Effect.sleep("2 seconds"), commit(batch)))
        const busy = yield* Effect.forkChild(Scoped.update(Count, (n) => [n, n + 1]))
        yield* settle
        assert.strictEqual(yield* Effect.timeout(Scoped.get(texts(10)), "1 second"), "")
        yield* Fiber.join(busy)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
    }))

  it.live("who waits for room is let in when what is in doubt is given up", () =>
    Effect.gen(function*() {
      const store = yield* MemoryDriver.make()
      const driver = { ...store, commit: () => Effect.fail(Scripted.broken(true)) }
      yield* Effect.forEach(keys, (key) => storeLarge(store, key))
      yield* Effect.gen(function*() {
        const updates = yield* Effect.forEach(keys, (key) => Effect.forkChild(Effect.flip(append(key))))
        yield* Effect.sleep("500 millis")
        const get = yield* Effect.forkChild(Scoped.get(Count))
        for (const fiber of updates) assert.strictEqual((yield* Fiber.join(fiber))._tag, "AmbiguousCommitError")
        assert.strictEqual(yield* Effect.timeout(Fiber.join(get), "1 second"), 0)
      }).pipe(
        Effect.provide(Storage.layer(Effect.succeed(driver), {
          recovery: Schedule.spaced("1500 millis"),
          timeout: "1 second",
          retention: "2 seconds"
        }))
      )
    }))

  it.live("of calls that have ended is given back while another one hangs", () =>
    Effect.gen(function*() {
      const store = yield* MemoryDriver.make()
      const hangs = (name: string) => name.startsWith("count")
      const driver: Driver.Driver = {
        ...store,
        lane: (name) => hangs(name) ? "hanging" : "fine",
        commit: (batch) =>
          hangs(batch[0]![0]!.name) ? Effect.never : Effect.andThen(Effect.yieldNow, store.commit(batch))
      }
      yield* Effect.gen(function*() {
        yield* Effect.forkChild(Effect.exit(Scoped.update(Count, (n) => [n, n + 1])))
        yield* settle
        const before = heap()
        for (let i = 0; i < 500; i++) yield* Scoped.update(texts(0), () => [0, `${i}`.padEnd(100_000, "x")])
        assert.isBelow(heap() - before, 10)
      }).pipe(
        Effect.provide(Storage.layer(Effect.succeed(driver), { recovery: Schedule.recurs(0), timeout: "3 seconds" }))
      )
    }))

  it("of scopes of which nothing is known is given back, however many come and go", () => {
    const lane = new Lane()
    const cells = new Cells({ most: 10, mostBytes: Infinity, laneOf: () => lane })
    const before = heap()
    for (let i = 0; i < 1_000_000; i++) cells.release(cells.get("unreadable"))
    assert.isBelow(heap() - before, 10)
    assert.isUndefined(cells.peek("unreadable"))
  })
})
