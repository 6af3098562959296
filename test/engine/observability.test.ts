/** What an operator sees: spans, metrics and log lines. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Logger, Metric, Option, References, Schedule, Schema, Tracer } from "effect"
import { MemoryDriver, Scoped, Storage } from "effect-scoped"
import { DriverError } from "effect-scoped/ScopedError"
import { TestClock } from "effect/testing"
import * as Scripted from "../support/scripted.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])
const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))

/** A tracer that remembers its spans. */
const recording = () => {
  const spans: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  return { spans, tracer }
}

const lines = () => {
  const told: Array<string> = []
  const logger = Logger.make(({ logLevel, message }) => {
    told.push(`${logLevel} ${Array.isArray(message) ? message[0] : message}`)
  })
  return { told, layer: Logger.layer([logger]) }
}

const registry = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.provideService(effect, Metric.MetricRegistry, new Map())

describe("spans", () => {
  it.effect("of an update and a get are under their caller's, and linked with that of their batch", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recording()
      const driver = yield* MemoryDriver.make()
      yield* Effect.gen(function*() {
        yield* increment
        yield* Scoped.get(Count)
        yield* Scoped.get(Scoped.all([Count]))
        yield* Scoped.remove(Count)
      }).pipe(
        Effect.withSpan("caller"),
        Effect.provide(Storage.layer(Effect.succeed(driver))),
        Effect.provideService(Tracer.Tracer, tracer)
      )
      const caller = spans.find(({ name }) => name === "caller")
      const own = spans.filter(({ parent }) => Option.getOrUndefined(parent) === caller)
      assert.deepStrictEqual(own.map(({ name }) => name), [
        "effect-scoped.update",
        "effect-scoped.get",
        "effect-scoped.get",
        "effect-scoped.remove"
      ])
      for (const span of own) {
        assert.strictEqual(span.attributes.get("effect-scoped.scope"), "count")
        assert.strictEqual(span.status._tag, "Ended")
        assert.isAtLeast(span.links.length, 1, span.name)
        assert.include(["effect-scoped.commit", "effect-scoped.read"], (span.links[0]!.span as Tracer.Span).name)
      }
      assert.strictEqual(own[0]!.attributes.get("effect-scoped.attempts"), 1)
    }))

  it.effect("tell how many attempts it took, and how it ended", () =>
    Effect.gen(function*() {
      const { spans, tracer } = recording()
      const scripted = yield* Scripted.make()
      const other = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
      yield* Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.after(Effect.provide(increment, other)))
        yield* increment
        scripted.script.push(Scripted.failing)
        yield* Effect.flip(increment)
      }).pipe(Effect.provide(Scripted.layer(scripted)), Effect.provideService(Tracer.Tracer, tracer))
      const updates = spans.filter(({ attributes, name }) =>
        name === "effect-scoped.update" && attributes.get("effect-scoped.driver") === "scripted"
      )
      assert.deepStrictEqual(updates.map(({ attributes }) => attributes.get("effect-scoped.attempts")), [1, 2, 1])
      assert.deepStrictEqual(
        updates.map(({ status }) => status._tag === "Ended" && Exit.isSuccess(status.exit)),
        [true, true, false]
      )
    }))

  it.effect("are not made where nobody traces", () =>
    Effect.gen(function*() {
      yield* increment
      const parent = yield* Effect.option(Effect.currentParentSpan)
      assert.isTrue(Option.isNone(parent))
    }).pipe(Effect.provide(MemoryDriver.layer())))
})

describe("metrics", () => {
  it.effect("count updates, attempts, refusals and doubts of each driver", () =>
    registry(Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const other = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
      yield* Effect.gen(function*() {
        yield* Effect.all([increment, increment, increment], { concurrency: "unbounded" })
        scripted.script.push(Scripted.after(Effect.provide(increment, other)))
        yield* increment
        scripted.script.push(Scripted.lost)
        const fiber = yield* Effect.forkChild(increment)
        yield* settle
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
      }).pipe(Effect.provide(Scripted.layer(scripted)))
      const found = new Map<string, number>()
      for (const metric of yield* Metric.snapshot) {
        if (metric.attributes?.["driver"] !== "scripted") continue
        if (metric.type === "Counter") found.set(metric.id, Number(metric.state.count))
        if (metric.type === "Histogram") found.set(metric.id, metric.state.count)
        if (metric.type === "Gauge") found.set(metric.id, Number(metric.state.value))
      }
      assert.deepStrictEqual(Object.fromEntries(found), {
        effect_scoped_updates_total: 5,
        effect_scoped_attempts_total: 6,
        effect_scoped_commits_total: 3,
        effect_scoped_refusals_total: 1,
        effect_scoped_doubts_total: 1,
        effect_scoped_batch_transactions: 5,
        effect_scoped_commit_duration: 5,
        effect_scoped_waiting: 0,
        effect_scoped_in_flight: 0
      })
    })))
})

describe("the log", () => {
  it.effect("says once that a store does not answer, and once that it is back", () =>
    Effect.gen(function*() {
      const { layer, told } = lines()
      const scripted = yield* Scripted.make()
      const silent: Scripted.Scene = () => Effect.never
      scripted.script.push(silent, silent, silent)
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Effect.all([increment, increment], { concurrency: "unbounded" }))
        for (let i = 0; i < 30; i++) yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        yield* increment
      }).pipe(Effect.provide(Scripted.layer(scripted)), Effect.provide(layer))
      assert.strictEqual(told.filter((line) => /^Warn .*does not answer/.test(line)).length, 1)
      assert.strictEqual(told.filter((line) => /^Info .*answers again, after \d+ ms/.test(line)).length, 1)
      assert.strictEqual(told.filter((line) => line.startsWith("Warn It is not known whether")).length, 1)
      assert.strictEqual(told.filter((line) => /^Info Nothing is in doubt any more.*1 applied/.test(line)).length, 1)
    }))

  it.effect("says nothing while all is well", () =>
    Effect.gen(function*() {
      const { layer, told } = lines()
      yield* Effect.all(Array.from({ length: 50 }, () => increment), { concurrency: "unbounded" }).pipe(
        Effect.provide(MemoryDriver.layer()),
        Effect.provide(layer),
        Effect.provideService(References.MinimumLogLevel, "Trace")
      )
      assert.deepStrictEqual(told, [])
    }))

  it.effect("says when a schedule is used up, to whoever wants to know", () =>
    Effect.gen(function*() {
      const { layer, told } = lines()
      const scripted = yield* Scripted.make()
      const other = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
      yield* Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.after(Effect.provide(increment, other)))
        yield* Effect.flip(Scoped.update(Count, (n) => [n, n + 1], { retry: Schedule.recurs(0) }))
      }).pipe(
        Effect.provide(Scripted.layer(scripted)),
        Effect.provide(layer),
        Effect.provideService(References.MinimumLogLevel, "Debug")
      )
      assert.strictEqual(
        told.filter((line) => line.startsWith("Debug Gave up updates of \"count\" after 1 refusal")).length,
        1
      )
    }))
})

describe("causes", () => {
  it.effect("reach the caller, in a DriverError and in an AmbiguousCommitError", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const cause = new Error("the bottom of it")
      const failing = (inDoubt: boolean): Scripted.Scene => () =>
        Effect.fail(
          new DriverError({
            driver: "scripted",
            operation: "commit",
            reason: "Unknown",
            description: "it failed",
            inDoubt,
            cause
          })
        )
      yield* Effect.gen(function*() {
        scripted.script.push(failing(false))
        const plain = yield* Effect.flip(increment)
        assert.strictEqual(plain._tag === "DriverError" && plain.cause, cause)
        scripted.script.push(failing(true))
        const ambiguous = yield* Effect.flip(increment)
        assert.strictEqual(ambiguous._tag, "AmbiguousCommitError")
        const inner = ambiguous._tag === "AmbiguousCommitError" ? ambiguous.cause as DriverError : undefined
        assert.strictEqual(inner?.cause, cause)
      }).pipe(Effect.provide(Scripted.layer(scripted, { recovery: Schedule.recurs(0) })))
    }))
})
