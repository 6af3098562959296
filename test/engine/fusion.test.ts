/** That handlers were fused cannot be told from what anybody gets or sees. */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Result, Schedule, Schema, Stream } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { DriverError } from "effect-scoped/ScopedError"
import { TestClock } from "effect/testing"
import * as Scripted from "../support/scripted.ts"

const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))
const counts = Scoped.family("count", { key: Schema.String, schema: Schema.Int, initial: 0 })
const a = counts("a")
const b = counts("b")
const ab = Scoped.all({ a, b })
const transfer = Scoped.update(ab, ({ a, b }) => [a + b, { a: a - 1, b: b + 1 }])

/** Runs effects that all wait while a first commit is held, and so are fused as far as they can be. */
const together = <A, E>(
  effects: ReadonlyArray<Effect.Effect<A, E, Storage.Storage>>,
  options: {
    readonly first?: Effect.Effect<unknown, unknown, Storage.Storage>
    readonly limits?: { dataBytes: number }
  } = {}
) =>
  Effect.gen(function*() {
    const store = yield* MemoryDriver.make({ limits: options.limits ?? {} })
    const scripted = yield* Scripted.make({ limits: store.limits })
    return yield* Effect.gen(function*() {
      if (options.first !== undefined) yield* options.first
      const go = yield* Deferred.make<void>()
      scripted.script.push((batch, commit) => Effect.andThen(Deferred.await(go), commit(batch)))
      const lock = yield* Effect.forkChild(
        Effect.all([
          Scoped.update(Scoped.all([a, b, counts("c")]), ([x, y, z]) => [0, [x, y, z + 1]])
        ])
      )
      yield* settle
      const waiting = yield* Effect.forEach(effects, (effect) => Effect.forkChild(Effect.exit(effect)))
      yield* settle
      const before = scripted.commits.length
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(lock)
      const exits = yield* Effect.forEach(waiting, Fiber.join)
      return {
        exits,
        commits: scripted.commits.slice(before),
        scripted,
        stored: yield* scripted.store.read(["count/a", "count/b"])
      }
    }).pipe(Effect.provide(Scripted.layer(scripted)))
  })

const values = (exits: ReadonlyArray<Exit.Exit<unknown, unknown>>) =>
  exits.map((exit) => Exit.isSuccess(exit) ? exit.value : exit)

describe("fusion", () => {
  it.effect("updates of some of a product's scopes fuse with those of the product", () =>
    Effect.gen(function*() {
      const bump = Scoped.update(a, (n) => [n, n + 10])
      const { commits, exits } = yield* together<unknown, unknown>([bump, transfer, bump, transfer, bump])
      assert.deepStrictEqual(values(exits), [0, 10, 9, 20, 18])
      assert.strictEqual(commits.length, 1)
      assert.deepStrictEqual(commits[0]!.map((transaction) => transaction.length), [2])
    }))

  it.effect("products that only overlap do not fuse, and do not wait for each other for ever", () =>
    Effect.gen(function*() {
      const bc = Scoped.all({ b, c: counts("c") })
      const other = Scoped.update(bc, ({ b, c }) => [b + c, { b: b - 1, c: c + 1 }])
      const { exits } = yield* together<unknown, unknown>([transfer, other, transfer, other])
      assert.isTrue(exits.every(Exit.isSuccess))
    }))

  it.effect("what is fused has no more scopes than the driver commits at once", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const limited = { ...scripted.driver, limits: { ...scripted.driver.limits, scopesPerTransaction: 3 } }
      const bump = (key: string) => Scoped.update(counts(key), (n) => [n, n + 1])
      const both = (key: string) => Scoped.update(Scoped.all([a, counts(key)]), ([m, n]) => [n, [m + 1, n + 1]])
      const keys = ["b", "c", "d", "e", "f"]
      yield* Effect.gen(function*() {
        for (const key of keys) yield* bump(key)
        yield* Effect.all([bump("a"), ...keys.map(both)], { concurrency: "unbounded" })
        assert.strictEqual(Math.max(...scripted.commits.flat().map(({ length }) => length)), 3)
        assert.strictEqual(yield* Scoped.get(a), 6)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(limited))))
    }))

  it.effect("whoever does not work on what fails is not failed for it", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      const forbidden: Driver.Driver = {
        ...memory,
        commit: (batch) =>
          Effect.forEach(batch, (transaction) =>
            transaction.some(({ name, next }) =>
                name === "count/b" && next !== undefined
              )
              ? Effect.succeed(
                new DriverError({
                  driver: "memory",
                  operation: "commit",
                  reason: "Forbidden",
                  description: "b may not be written",
                  inDoubt: false
                })
              )
              : Effect.map(memory.commit([transaction]), ([verdict]) => verdict!))
      }
      const bump = Scoped.update(a, (n) => [n, n + 10])
      const exits = yield* Effect.all(
        [bump, transfer, bump, transfer, bump, bump].map((effect) => Effect.exit(effect as Effect.Effect<unknown>)),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(Storage.layer(Effect.succeed(forbidden))))
      assert.deepStrictEqual(exits.map((exit) => Exit.isSuccess(exit) ? exit.value : "failed"), [
        0,
        "failed",
        10,
        "failed",
        20,
        30
      ])
    }))

  it.effect("a removal behind the update of an unreadable state works, and so do those behind it", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      yield* memory.commit([[{ name: "count/a", expected: null, next: { revision: "x:1", data: "\"text\"" } }]])
      const bump = Scoped.update(a, (n) => [n, n + 1])
      const exits = yield* Effect.all(
        [bump, bump, Scoped.remove(a), bump, bump].map((effect) => Effect.exit(effect as Effect.Effect<unknown>)),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(Storage.layer(Effect.succeed(memory))))
      assert.deepStrictEqual(exits.map((exit) => Exit.isSuccess(exit) ? exit.value : "failed"), [
        "failed",
        "failed",
        undefined,
        0,
        1
      ])
    }))

  it.effect("a state that cannot be stored is refused to the handler that made it, though others mend it", () =>
    Effect.gen(function*() {
      const texts = Scoped.make("text", { schema: Schema.String, initial: "" })
      const set = (text: unknown) => Scoped.update(texts, (before) => [before.length, text as string])
      const memory = yield* MemoryDriver.make({ limits: { dataBytes: 100 } })
      const exits = yield* Effect.all(
        [set("a"), set("x".repeat(200)), set("bb"), set(undefined), set("ccc"), set(7), set("d")].map(Effect.exit),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(Storage.layer(Effect.succeed(memory))))
      assert.deepStrictEqual(
        exits.map((exit) =>
          Exit.isSuccess(exit) ? exit.value : (exit.cause.reasons[0] as { error: { _tag: string } }).error._tag
        ),
        [0, "SizeError", 1, "StateError", 2, "StateError", 3]
      )
    }))

  it.effect("a change that is taken back renews the lifetime as if it had been committed", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const brief = Scoped.make("brief", { schema: Schema.Int, initial: 0, idleTimeToLive: "1 minute" })
      const set = (to: number) => Scoped.update(brief, (n) => [n, to])
      yield* Effect.gen(function*() {
        yield* set(1)
        yield* Effect.all([set(2), set(1)], { concurrency: "unbounded" })
        assert.isDefined(scripted.commits.at(-1)![0]![0]!.next)
        yield* Effect.all([set(1), set(1)], { concurrency: "unbounded" })
        assert.isUndefined(scripted.commits.at(-1)![0]![0]!.next)
      }).pipe(Effect.provide(Scripted.layer(scripted)))
    }))

  it.effect("a change that is taken back ends a lifetime that the scope has no more", () =>
    Effect.gen(function*() {
      const options = { schema: Schema.Int, initial: 0 }
      const brief = Scoped.make("brief", { ...options, idleTimeToLive: "1 minute" })
      const lasting = Scoped.make("brief", options)
      const set = (to: number) => Scoped.update(lasting, (n) => [n, to])
      yield* Scoped.update(brief, () => [0, 1])
      yield* Effect.all([set(2), set(1)], { concurrency: "unbounded" })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(yield* Scoped.get(lasting), 1)
    }).pipe(Effect.provide(MemoryDriver.layer())))

  it.effect("what a full store fails in crowds that are mixed is failed in few steps", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const full: Driver.Driver = {
        ...scripted.driver,
        commit: (batch) => {
          scripted.commits.push(batch)
          return Effect.fail(Scripted.broken(false))
        }
      }
      let runs = 0
      const bump = Scoped.update(a, (n) => {
        // oxlint-disable-next-line effect-scoped/pure-handlers -- it tells how often it runs
        runs++
        return [n, n + 1]
      })
      const errors = yield* Effect.all(
        Array.from({ length: 500 }, (_, i) =>
          Effect.flip<unknown, unknown, Storage.Storage>(i % 2 === 0 ? bump : transfer)),
        { concurrency: "unbounded" }
      ).pipe(Effect.provide(Storage.layer(Effect.succeed(full))))
      assert.strictEqual(errors.length, 500)
      assert.isBelow(scripted.commits.length, 1_500)
      assert.isBelow(runs, 3_000)
    }))

  it.effect("updates that were refused together keep to their own schedule when they are parted", () =>
    Effect.gen(function*() {
      const store = yield* MemoryDriver.make()
      let commits = 0
      const intrude = Effect.forEach(
        ["count/a", "count/b"],
        (name) =>
          Effect.flatMap(store.read([name]), ([record]) =>
            store.commit([[{
              name,
              expected: record?.revision ?? null,
              next: { revision: `other:${(1_000_000 + ++commits).toString(36)}`, data: "5" }
            }]]))
      )
      const driver: Driver.Driver = {
        ...store,
        commit: (batch) => Effect.sleep("3 millis").pipe(Effect.andThen(intrude), Effect.andThen(store.commit(batch)))
      }
      const retry = Schedule.recurs(4)
      const ends = yield* Effect.gen(function*() {
        const product = yield* Effect.forkChild(
          Scoped.update(ab, ({ a, b }) => [0, { a: a + 1, b: b + 1 }], { retry })
        )
        const singles = yield* Effect.forEach(
          [a, b],
          (scope) => Effect.forkChild(Effect.flip(Scoped.update(scope, (n) => [0, n + 1], { retry })))
        )
        yield* settle
        yield* Fiber.interrupt(product).pipe(Effect.forkChild)
        for (let i = 0; i < 100; i++) yield* TestClock.adjust("1 millis")
        return yield* Effect.forEach(singles, Fiber.join)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
      assert.deepStrictEqual(
        ends.map((error) => error._tag === "ConflictError" && error.attempts),
        [5, 5]
      )
    }))
})

// The same updates one at a time in the order that the engine chose, and fused as far as they could be.
const Step = Schema.Struct({
  scopes: Schema.Literals(["a", "b", "ab", "ba"]),
  act: Schema.Literals(["add", "add", "set", "abort", "throw", "bad", "remove", "look", "same"]),
  by: Schema.Int.check(Schema.isBetween({ minimum: -3, maximum: 3 }))
})

const targets = { a, b, ab: Scoped.all([a, b]), ba: Scoped.all([b, a]) }

const perform = ({ act, by, scopes }: typeof Step.Type) => {
  const target = targets[scopes] as unknown as Scoped.Scoped<ReadonlyArray<number>>
  const both = scopes.length === 2
  if (act === "remove") return Effect.asVoid(Scoped.remove(target))
  if (act === "look") return Scoped.get(target)
  return Scoped.updateResult(target, (state) => {
    const given = both ? state : [state as unknown as number]
    if (act === "abort") return Result.fail(`aborted at ${JSON.stringify(state)}`)
    if (act === "throw") throw new Error(`thrown at ${JSON.stringify(state)}`)
    const next = act === "same"
      ? given
      : given.map((n, i) => act === "bad" ? n + 0.5 : act === "set" ? by : i === 0 ? n + by : n - by)
    return Result.succeed([JSON.stringify(state), (both ? next : next[0]) as ReadonlyArray<number>])
  })
}

it.effect.prop("fused updates give and leave what they would one at a time", [
  Schema.Array(Step).check(Schema.isMinLength(2), Schema.isMaxLength(12))
], ([steps]) =>
  Effect.gen(function*() {
    const show = (exit: Exit.Exit<unknown, unknown>) =>
      Exit.isSuccess(exit) ? JSON.stringify(exit.value ?? null) : String(exit).split("\n")[0]!.replace(/\s+at .*/, "")
    const alone = yield* Effect.forEach(steps, (step) => Effect.exit(perform(step))).pipe(
      Effect.bindTo("exits"),
      Effect.bind("left", () => Scoped.get(targets.ab)),
      Effect.bind("names", () => Stream.runCollect(Scoped.names())),
      Effect.provide(MemoryDriver.layer())
    )
    const fused = yield* Effect.all(steps.map((step) => Effect.exit(perform(step))), {
      concurrency: "unbounded"
    }).pipe(
      Effect.bindTo("exits"),
      Effect.bind("left", () => Scoped.get(targets.ab)),
      Effect.bind("names", () => Stream.runCollect(Scoped.names())),
      Effect.provide(MemoryDriver.layer())
    )
    // Single looks read the store without waiting in line, so they are left out.
    const kept = steps.map((step, i) => step.act === "look" && step.scopes.length === 1 ? -1 : i).filter((i) => i >= 0)
    assert.deepStrictEqual(kept.map((i) => show(fused.exits[i]!)), kept.map((i) => show(alone.exits[i]!)))
    assert.deepStrictEqual(fused.left, alone.left)
    assert.deepStrictEqual([...fused.names].toSorted(), [...alone.names].toSorted())
  }), { arbitrary: { runs: 300 } })
