/** What the engine holds on to. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema } from "effect"
import { MemoryDriver, Scoped, Storage } from "effect-scoped"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
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
})
