/** Whatever user code and drivers do, it ends one caller's update and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Fiber, Layer, Schedule, Schema, type Scope, Stream } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { TestClock } from "effect/testing"
import * as Scripted from "../support/scripted.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])

/** Whether the storage still does what it should. */
const works = Effect.gen(function*() {
  const before = yield* Scoped.get(Count)
  assert.strictEqual(yield* increment, before + 1)
  assert.deepStrictEqual(yield* Scoped.get(Scoped.all([Count])), [before + 1])
})

const overMemory = <A, E>(body: Effect.Effect<A, E, Storage.Storage | Scope.Scope>, options?: Storage.Options) =>
  Effect.scoped(Effect.provide(body, MemoryDriver.layer({}, options)))

const defectOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.exit(effect), (exit) => {
    assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause), String(exit))
    return Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  })

describe("user code that throws", () => {
  it.effect("a handler of a product that gives no product", () =>
    overMemory(Effect.gen(function*() {
      const both = Scoped.all({ a: Count, b: Scoped.make("b", { schema: Schema.Int, initial: 0 }) })
      for (const next of [undefined, null, 7, "x"]) {
        assert.match(
          String(yield* defectOf(Scoped.update(both, () => [0, next as never]))),
          /product.*must be a struct/
        )
      }
      yield* works
    })))

  it.effect("a retry schedule that dies or throws", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const other = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
      yield* Effect.provide(
        Effect.gen(function*() {
          const dying: Storage.Retry = Schedule.forever.pipe(Schedule.modifyDelay(() => Effect.die("schedule")))
          const throwing: Storage.Retry = Schedule.forever.pipe(Schedule.modifyDelay(() => {
            throw new Error("schedule")
          }))
          for (const retry of [dying, throwing]) {
            yield* increment
            scripted.script.push(Scripted.after(Effect.provide(increment, other)))
            yield* defectOf(Scoped.update(Count, (count) => [count, count + 1], { retry }))
            yield* works
          }
        }),
        Scripted.layer(scripted)
      )
    }))

  it.effect("a recovery schedule that dies: what is in doubt is ambiguous, and all else goes on", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      yield* Effect.provide(
        Effect.gen(function*() {
          scripted.script.push(Scripted.lost)
          const error = yield* Effect.flip(increment)
          assert.strictEqual(error._tag, "AmbiguousCommitError")
          yield* works
        }),
        Scripted.layer(scripted, {
          recovery: Schedule.forever.pipe(Schedule.modifyDelay(() => Effect.die("schedule")))
        })
      )
    }))

  it.effect("an initial state that does not fit fails every use before anything is sent, also removal", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      yield* Effect.provide(
        Effect.gen(function*() {
          const bad = Scoped.make("bad", { schema: Schema.Int, initial: 1.5 })
          const family = Scoped.family("bad", {
            key: Schema.String,
            schema: Schema.Int,
            initial: (): number => {
              throw new Error("no")
            }
          })
          for (const scope of [bad, family("x"), Scoped.all([Count, bad])]) {
            for (
              const use of [
                Scoped.update(scope as typeof bad, (n) => [n, n]),
                Scoped.get(scope as typeof bad),
                Scoped.remove(scope as typeof bad),
                Stream.runDrain(Scoped.changes(scope as typeof bad))
              ]
            ) {
              const error = yield* Effect.flip(
                use as Effect.Effect<unknown, { readonly _tag: string }, Storage.Storage>
              )
              assert.strictEqual(error._tag, "StateError")
              assert.strictEqual((error as unknown as { operation: string }).operation, "initial")
            }
          }
          assert.deepStrictEqual([scripted.reads.length, scripted.commits.length], [0, 0])
          yield* works
        }),
        Scripted.layer(scripted)
      )
    }))

  it.live("an async handler that rejects is a defect of its caller, and does not end the process", () => {
    const rejections: Array<unknown> = []
    const listener = (reason: unknown) => rejections.push(reason)
    process.on("unhandledRejection", listener)
    return overMemory(
      Effect.gen(function*() {
        for (const purity of ["freeze", "verify"] as const) {
          yield* Effect.provide(
            Effect.gen(function*() {
              // oxlint-disable-next-line effect-scoped/pure-handlers -- what becomes of it is what is tested
              const rejecting = (async () => {
                throw new Error("later")
              }) as never
              assert.match(String(yield* defectOf(Scoped.update(Count, rejecting))), /must return a pair/)
              assert.match(
                String(yield* defectOf(Scoped.updateResult(Count, rejecting))),
                /must return a Result of a pair/
              )
              yield* works
            }),
            MemoryDriver.layer({}, { purity })
          )
        }
        yield* Effect.sleep("20 millis")
        assert.deepStrictEqual(rejections, [])
      })
    ).pipe(Effect.ensuring(Effect.sync(() => process.off("unhandledRejection", listener))))
  })
})

describe("drivers that misbehave", () => {
  const broken: ReadonlyArray<readonly [string, (store: Driver.Driver) => Partial<Driver.Driver>]> = [
    ["commit throws", () => ({
      commit: () => {
        throw new Error("commit")
      }
    })],
    ["commit gives nonsense", () => ({ commit: () => Effect.succeed([] as ReadonlyArray<Driver.Verdict>) })],
    ["read throws", () => ({
      read: () => {
        throw new Error("read")
      }
    })],
    ["lane throws", () => ({
      lane: () => {
        throw new Error("lane")
      }
    })],
    ["read gives undefined", () => ({ read: (names) => Effect.succeed(names.map(() => undefined as never)) })],
    ["read gives records that are no JSON", () => ({
      read: (names) => Effect.succeed(names.map(() => ({ revision: "x:1", data: "[".repeat(100_000) })))
    })],
    ["a verdict without records", () => ({
      commit: (batch) => Effect.succeed(batch.map(() => ({ committed: false, current: [] })))
    })],
    ["a verdict that is none", () => ({ commit: (batch) => Effect.succeed(batch.map(() => undefined as never)) })],
    ["a verdict with records that are none", () => ({
      commit: (batch) =>
        Effect.succeed(batch.map((writes) => ({ committed: false, current: writes.map(() => 7 as never) })))
    })],
    ["commit gives nothing", () => ({ commit: () => Effect.succeed(undefined as never) })],
    ["read gives nothing", () => ({ read: () => Effect.succeed(undefined as never) })],
    ["read gives numbers", () => ({ read: (names) => Effect.succeed(names.map(() => 7 as never)) })],
    ["read gives records without a revision", () => ({
      read: (names) => Effect.succeed(names.map(() => ({ data: "1" }) as never))
    })],
    ["read gives records without data", () => ({
      read: (names) => Effect.succeed(names.map(() => ({ revision: "x:1" }) as never))
    })],
    ["read gives an array with holes", () => ({ read: (names) => Effect.succeed(new Array(names.length)) })],
    ["turn gives numbers", () => ({ turn: (names) => Effect.succeed(names.map(() => 7 as never)) })],
    ["turn gives a number", () => ({ turn: () => Effect.succeed(7 as never) })],
    ["turn throws", () => ({
      turn: () => {
        throw new Error("turn")
      }
    })],
    ["turn dies", () => ({ turn: () => Effect.die(new Error("turn")) })]
  ]
  for (const [what, overrides] of broken) {
    it.effect(`${what}: every call ends, and so does the layer`, () =>
      Effect.gen(function*() {
        const store = yield* MemoryDriver.make()
        let mended = false
        const bad = overrides(store)
        const driver: Driver.Driver = {
          ...store,
          commit: (batch) => (mended ? store.commit : bad.commit ?? store.commit)(batch),
          read: (names) => (mended ? store.read : bad.read ?? store.read)(names),
          lane: (name) => mended || bad.lane === undefined ? "one" : bad.lane(name),
          turn: (names) => mended ? undefined : bad.turn?.(names)
        }
        yield* Effect.gen(function*() {
          const calls = yield* Effect.forkChild(Effect.all([
            Effect.exit(increment),
            Effect.exit(Scoped.get(Count)),
            Effect.exit(Scoped.remove(Scoped.make("other", { schema: Schema.Int, initial: 0 }))),
            Effect.exit(Scoped.update(Scoped.all([Count]), ([n]) => [n, [n + 1]]))
          ], { concurrency: "unbounded" }))
          for (let i = 0; i < 40; i++) yield* TestClock.adjust("1 second")
          yield* Fiber.join(calls)
          mended = true
          assert.isNumber(yield* increment)
        }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
      }))
  }
})

describe("options that cannot be", () => {
  for (
    const options of [
      { batchSize: 0 },
      { batchSize: 1.5 },
      { batchSize: Number.NaN },
      { timeout: 0 },
      { timeout: "infinity" as never },
      { retention: "1 second" as const },
      { retention: Number.NaN },
      { knownScopes: -1 },
      { knownBytes: Number.NaN }
    ]
  ) {
    it.effect(`${JSON.stringify(options)} is refused when the layer is built`, () =>
      Effect.gen(function*() {
        const [name] = Object.keys(options)
        const defect = yield* defectOf(Effect.scoped(Layer.build(MemoryDriver.layer({}, options))))
        assert.include(String(defect), JSON.stringify(name))
      }))
  }

  for (const wrong of [{ parallelism: 0 }, { parallelism: Number.NaN }, { batchSize: 0 }, { batchSize: 1.5 }]) {
    it.effect(`a driver that says ${JSON.stringify(wrong)} is refused when the layer is built`, () =>
      Effect.gen(function*() {
        const [name] = Object.keys(wrong)
        const driver = Effect.map(MemoryDriver.make(), (driver) => ({ ...driver, limits: driver.limits, ...wrong }))
        const defect = yield* defectOf(Effect.scoped(Layer.build(Storage.layer(driver))))
        assert.include(String(defect), `The driver "memory": ${JSON.stringify(name)}`)
      }))
  }

  for (const idleTimeToLive of [0, -1, Number.NaN, "soon", 0.4]) {
    it(`idleTimeToLive: ${idleTimeToLive} is refused when the scope is made`, () => {
      const options = { schema: Schema.Int, initial: 0, idleTimeToLive: idleTimeToLive as number }
      assert.throws(() => Scoped.make("x", options), /"idleTimeToLive" of "x"/)
      assert.throws(() => Scoped.family("x", { key: Schema.String, ...options }), /"idleTimeToLive" of "x"/)
    })
  }

  it.effect("a scope that lives for ever is one that stays", () =>
    overMemory(
      Effect.gen(function*() {
        const scope = Scoped.make("x", { schema: Schema.Int, initial: 0, idleTimeToLive: Duration.infinity })
        yield* Scoped.update(scope, () => [0, 1])
        yield* TestClock.adjust("1000 weeks")
        assert.strictEqual(yield* Scoped.get(scope), 1)
      }).pipe(Effect.catchDefect(() => Effect.void))
    ))
})
