import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import { suite } from "effect-scoped/testing/DriverSuite"
import { TestClock } from "effect/testing"
import { randomBytes } from "node:crypto"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as MemoryDriver from "../src/MemoryDriver.ts"
import {
  commit,
  commitAll,
  committed,
  create,
  read,
  record,
  refused,
  retention,
  tombstoneOf,
  write
} from "../src/testing/driver/TestStore.ts"

suite("memory", { store: Effect.map(MemoryDriver.make(), Effect.succeed) })

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const heap = (): number => {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

const mebibyte = 1024 * 1024

describe("MemoryDriver", () => {
  it.effect("expires a record, and drops its tombstone, at the millisecond, on the clock of the test", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const first = record("1")
      assert.deepStrictEqual(
        yield* commit(driver, write("a", null, first, { expiresIn: Duration.minutes(10) })),
        committed
      )
      yield* TestClock.adjust(Duration.toMillis("10 minutes") - 1)
      assert.deepStrictEqual(yield* commit(driver, write("a", null, record())), refused(first))
      assert.deepStrictEqual(yield* Stream.runCollect(driver.names("")), ["a"])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(yield* Stream.runCollect(driver.names("")), [])
      assert.deepStrictEqual(yield* commit(driver, write("a", first, record())), refused(tombstoneOf(first)))
      yield* TestClock.adjust(Duration.toMillis(retention) - 1)
      assert.deepStrictEqual(yield* commit(driver, write("a", null, record())), refused(tombstoneOf(first)))
      yield* TestClock.adjust(1)
      yield* create(driver, "a")
    }))

  it.effect("keeps a record that expires never", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const first = record("1")
      assert.deepStrictEqual(
        yield* commit(driver, write("a", null, first, { expiresIn: Duration.infinity })),
        committed
      )
      yield* TestClock.adjust(Duration.days(100_000))
      assert.deepStrictEqual(yield* read(driver, "a"), first)
    }))

  it.effect("gives the memory of expired records back while others are written", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const before = heap()
      for (let i = 0; i < 1000; i++) {
        const large = record(randomBytes(mebibyte / 32).toString("hex"))
        assert.deepStrictEqual(
          yield* commit(driver, write(`large ${i}`, null, large, { expiresIn: Duration.minutes(1) })),
          committed
        )
      }
      assert.isAbove(heap() - before, 50 * mebibyte)
      yield* TestClock.adjust("1 minute")
      yield* commitAll(driver, Array.from({ length: 600 }, (_, i) => [write(`small ${i}`, null, record())]))
      assert.isBelow(heap() - before, 10 * mebibyte)
      yield* create(driver, "a")
    }))

  it.effect("holds one hint for each name, however often it changes", () =>
    Effect.scoped(Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const pull = yield* Stream.toPull(driver.changes(["a", "b"]))
      assert.deepStrictEqual(yield* pull, ["a", "b"])
      let last = { a: yield* create(driver, "a"), b: yield* create(driver, "b") }
      for (let i = 0; i < 1000; i++) {
        const next = { a: record(), b: record() }
        yield* commit(driver, write("b", last.b, next.b))
        yield* commit(driver, write("a", last.a, next.a))
        last = next
      }
      assert.deepStrictEqual(yield* pull, ["a", "b"])
      yield* commit(driver, write("b", last.b, record()))
      assert.deepStrictEqual(yield* pull, ["b"])
    })))

  it.effect("gives the memory of subscriptions back", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const before = heap()
      for (let i = 0; i < 500; i++) {
        const names = Array.from({ length: 100 }, (_, j) => `${i}/${j}/${"x".repeat(100)}`)
        assert.strictEqual(yield* Stream.runCount(Stream.take(driver.changes(names), 100)), 100)
      }
      assert.isBelow(heap() - before, 3 * mebibyte)
      // Used once more, or the driver itself would have been garbage.
      yield* create(driver, "a")
    }))

  it.effect("makes a store of its own each time", () =>
    Effect.gen(function*() {
      const [one, two] = [yield* MemoryDriver.make(), yield* MemoryDriver.make()]
      yield* create(one, "a")
      assert.isNull(yield* read(two, "a"))
    }))

  it.effect("has the limits it is given", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual((yield* MemoryDriver.make()).limits, {
        nameBytes: 512,
        dataBytes: 16 * mebibyte,
        scopesPerTransaction: 1000
      })
      const { limits } = yield* MemoryDriver.make({ limits: { nameBytes: 10, scopesPerTransaction: undefined } })
      assert.deepStrictEqual(limits, { nameBytes: 10, dataBytes: 16 * mebibyte, scopesPerTransaction: 1000 })
    }))
})
