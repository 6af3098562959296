import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Random, Result, Schedule, Schema, Scope } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { DriverError } from "effect-scoped/ScopedError"
import { TestClock } from "effect/testing"
import * as Scripted from "../support/scripted.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])
const add = (n: number) => Scoped.update(Count, (count) => [count + n, count + n])

const Log = Scoped.make("log", { schema: Schema.Array(Schema.String), initial: [] })
const note = (text: string) => Scoped.update(Log, (log) => [log.length, [...log, text]])

/** Runs with a storage over a scripted driver; `other` runs an effect as another process over the same store. */
const scene = <A, E>(
  body: (
    scripted: Scripted.Scripted,
    other: <B, F>(effect: Effect.Effect<B, F, Storage.Storage>) => Effect.Effect<B, F>
  ) => Effect.Effect<A, E, Storage.Storage | Scope.Scope>,
  options: Storage.Options = {},
  overrides: Partial<Driver.Driver> = {}
) =>
  Effect.gen(function*() {
    const scripted = yield* Scripted.make(overrides)
    const elsewhere = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
    const layer = Scripted.layer(scripted, { recovery: Schedule.recurs(5), retry: Schedule.recurs(20), ...options })
    return yield* Effect.provide(body(scripted, Effect.provide(elsewhere)), layer)
  })

/** A commit that is held until it is let go. */
const hold = Effect.gen(function*() {
  const arrived = yield* Deferred.make<void>()
  const go = yield* Deferred.make<void>()
  const held: Scripted.Scene = (batch, commit) =>
    Deferred.succeed(arrived, undefined).pipe(Effect.andThen(Deferred.await(go)), Effect.andThen(commit(batch)))
  return { held, arrived: Deferred.await(arrived), release: Deferred.succeed(go, undefined) }
})

const settle = Effect.yieldNow.pipe(Effect.repeat({ times: 20 }))

describe("round trips", () => {
  it.effect("reads once, then guesses", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        assert.deepStrictEqual([yield* increment, yield* increment, yield* increment], [1, 2, 3])
        assert.strictEqual(scripted.reads.length, 1)
        assert.strictEqual(scripted.commits.length, 3)
      })
    ))

  it.effect("a stale guess costs one refusal and no read", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        yield* other(add(10))
        assert.strictEqual(yield* increment, 12)
        assert.strictEqual(scripted.reads.length, 1)
        assert.strictEqual(scripted.commits.length, 3)
      })
    ))

  it.effect("writes nothing where nothing changed", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        assert.strictEqual(yield* Scoped.update(Log, (log) => [log.length, log]), 0)
        assert.strictEqual(yield* Scoped.update(Log, (log) => [log.length, [...log]]), 0)
        assert.deepStrictEqual(yield* scripted.store.read(["log"]), [null])
      })
    ))

  it.effect("an answer that changes nothing is validated, not guessed", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        yield* other(add(10))
        assert.strictEqual(yield* Scoped.update(Count, (count) => [count, count]), 11)
        assert.deepStrictEqual(scripted.commits.at(-1)!.map((tx) => tx.map((write) => write.next)), [[undefined]])
      })
    ))

  it.effect("an abort on a stale guess does not escape", () =>
    scene((_, other) =>
      Effect.gen(function*() {
        yield* increment
        yield* other(add(10))
        const atLeastTen = Scoped.updateResult(
          Count,
          (count) => count < 10 ? Result.fail("too few") : Result.succeed([count, count - 10])
        )
        assert.strictEqual(yield* atLeastTen, 11)
        assert.strictEqual(yield* Effect.flip(atLeastTen), "too few")
      })
    ))

  it.effect("a defect on a stale guess does not escape", () =>
    scene((_, other) =>
      Effect.gen(function*() {
        yield* increment
        yield* other(add(10))
        const picky = Scoped.update(Count, (count) => {
          if (count === 1) throw new Error("stale")
          return [count, count]
        })
        assert.strictEqual(yield* picky, 11)
      })
    ))

  it.effect("get asks the store, not the guess", () =>
    scene((_, other) =>
      Effect.gen(function*() {
        yield* increment
        yield* other(add(10))
        assert.strictEqual(yield* Scoped.get(Count), 11)
      })
    ))

  it.effect("gets that start together share a read; one that starts later does not join it", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const memory = yield* MemoryDriver.make()
      let reads = 0
      const driver = {
        ...memory,
        read: (names: ReadonlyArray<string>) =>
          Effect.flatMap(
            memory.read(names),
            (records) => ++reads === 1 ? Effect.as(Deferred.await(go), records) : Effect.succeed(records)
          )
      }
      yield* Effect.gen(function*() {
        const early = yield* Effect.forkChild(Effect.all([Scoped.get(Count), Scoped.get(Count)], { concurrency: 2 }))
        yield* settle
        yield* Effect.provide(increment, Storage.layer(Effect.succeed(memory)))
        const late = yield* Effect.forkChild(Scoped.get(Count))
        yield* settle
        yield* Deferred.succeed(go, undefined)
        assert.deepStrictEqual(yield* Fiber.join(early), [0, 0])
        assert.strictEqual(yield* Fiber.join(late), 1)
        assert.strictEqual(reads, 2)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
    }))

  it.effect("known states of idle scopes are bounded", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const scopes = Array.from(
          { length: 10 },
          (_, i) => Scoped.make(`scope-${i}`, { schema: Schema.Int, initial: 0 })
        )
        for (const scope of scopes) yield* Scoped.update(scope, (n) => [n, n + 1])
        scripted.reads.length = 0
        yield* Scoped.update(scopes[9]!, (n) => [n, n + 1])
        yield* Scoped.update(scopes[6]!, (n) => [n, n + 1])
        assert.deepStrictEqual(scripted.reads, [])
        yield* Scoped.update(scopes[3]!, (n) => [n, n + 1])
        assert.deepStrictEqual(scripted.reads, [["scope-3"]])
      }), { knownScopes: 4 }))
})

describe("fusion", () => {
  it.effect("handlers that wait together become one commit, in order", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const results = yield* Effect.all(Array.from({ length: 100 }, (_, i) => note(`${i}`)), {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(results, Array.from({ length: 100 }, (_, i) => i))
        assert.strictEqual(scripted.commits.length, 1)
        assert.deepStrictEqual(yield* Scoped.get(Log), Array.from({ length: 100 }, (_, i) => `${i}`))
      })
    ))

  it.effect("those who come while a commit is in flight go together in the next", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(held)
        const first = yield* Effect.forkChild(increment)
        yield* arrived
        const rest = yield* Effect.forkChild(Effect.all([increment, increment, increment], { concurrency: 3 }))
        yield* settle
        assert.strictEqual(scripted.commits.length, 1)
        yield* release
        assert.strictEqual(yield* Fiber.join(first), 1)
        assert.deepStrictEqual(yield* Fiber.join(rest), [2, 3, 4])
        assert.strictEqual(scripted.commits.length, 2)
      })
    ))

  it.effect("an abort, a defect and a failed check in the middle stay their own", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const boom = new Error("boom")
        const exits = yield* Effect.all(
          [
            increment,
            Scoped.updateResult(Count, () => Result.fail("no" as const)),
            increment,
            Scoped.update(Count, (): readonly [number, number] => {
              throw boom
            }),
            increment,
            Scoped.update(Count, (count) => [count, count + 0.5]),
            increment
          ].map((effect: Effect.Effect<unknown, unknown, Storage.Storage>) => Effect.exit(effect)),
          {
            concurrency: "unbounded"
          }
        )
        assert.deepStrictEqual(exits.slice(0, 4), [
          Exit.succeed(1),
          Exit.fail("no"),
          Exit.succeed(2),
          Exit.die(boom)
        ])
        assert.deepStrictEqual([exits[4], exits[6]], [Exit.succeed(3), Exit.succeed(4)])
        const fault = exits[5]!
        assert.isTrue(Exit.isFailure(fault))
        assert.include(String(Cause.squash((fault as Exit.Failure<never, unknown>).cause)), "Expected an integer")
        assert.strictEqual(scripted.commits.length, 1)
        assert.strictEqual(yield* Scoped.get(Count), 4)
      })
    ))

  it.effect("a state of the wrong type is refused to the handler that made it, though the schema has no checks", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const Plain = Scoped.make("plain", { schema: Schema.Struct({ n: Schema.Number }), initial: { n: 0 } })
        const plus = Scoped.update(Plain, ({ n }) => [n, { n: n + 1 }])
        const exits = yield* Effect.all(
          [
            plus,
            Scoped.update(Plain, () => [0, { n: "one" as unknown as number }]),
            plus,
            plus
          ].map(Effect.exit),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual([exits[0], exits[2], exits[3]], [Exit.succeed(0), Exit.succeed(1), Exit.succeed(2)])
        assert.include(String(exits[1]), "Expected number")
        assert.strictEqual(scripted.commits.length, 1)
        assert.deepStrictEqual(yield* Scoped.get(Plain), { n: 3 })
      })
    ))

  it.effect("a handler that does not return a pair is a defect that says so", () =>
    scene(() =>
      Effect.gen(function*() {
        const handlers: Array<unknown> = [
          () => 1,
          () => undefined,
          async () => [1, 2],
          () => [1],
          () => ({ 0: 1, 1: 2, length: 2 })
        ]
        for (const handler of handlers) {
          const exit = yield* Effect.exit(Scoped.update(Count, handler as Scoped.Handler<number, number>))
          assert.include(String(exit), "must return a pair [result, nextState]")
        }
      })
    ))

  it.effect("updates with different schedules are not fused", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const once = Schedule.recurs(0)
        yield* increment
        yield* Effect.all([
          increment,
          Scoped.update(Count, (count) => [count, count + 1], { retry: once }),
          increment
        ], { concurrency: 3 })
        assert.strictEqual(scripted.commits.length, 4)
      })
    ))

  it.effect("scopes that are ready together travel in one batch", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const scopes = Array.from(
          { length: 50 },
          (_, i) => Scoped.make(`scope-${i}`, { schema: Schema.Int, initial: 0 })
        )
        const all = Effect.forEach(scopes, (scope) => Scoped.update(scope, (n) => [n, n + 1]), {
          concurrency: "unbounded"
        })
        yield* all
        yield* all
        assert.deepStrictEqual(scripted.reads.map((names) => names.length), [50])
        assert.deepStrictEqual(scripted.commits.map((batch) => batch.length), [50, 50])
      })
    ))

  it.effect("two schemas for one name are not fused, and each reads what the other wrote", () =>
    scene(() =>
      Effect.gen(function*() {
        const start = "2020-01-01T00:00:00.000Z"
        const AsText = Scoped.make("both", { schema: Schema.String, initial: start })
        const AsDate = Scoped.make("both", { schema: Schema.Date, initial: new Date(start) })
        const next = (time: number) => new Date(time + 1)
        const text = Scoped.update(
          AsText,
          (text) => [`${typeof text} ${text.at(-2)}`, next(Date.parse(text)).toISOString()]
        )
        const date = Scoped.update(AsDate, (date) => [`${typeof date} ${date.getMilliseconds()}`, next(date.getTime())])
        const results = yield* Effect.all([text, date, text, date], { concurrency: "unbounded" })
        assert.deepStrictEqual(results, ["string 0", "object 1", "string 2", "object 3"])
      })
    ))
})

describe("refusals", () => {
  it.effect("run the handlers again on the new state, with whoever joined meanwhile", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(Scripted.after(other(add(100)), held))
        const first = yield* Effect.forkChild(Effect.all([increment, increment], { concurrency: 2 }))
        yield* arrived
        const joined = yield* Effect.forkChild(increment)
        yield* settle
        yield* release
        assert.deepStrictEqual(yield* Fiber.join(first), [101, 102])
        assert.strictEqual(yield* Fiber.join(joined), 103)
        assert.strictEqual(scripted.commits.length, 2)
      })
    ))

  it.effect("end in a ConflictError when the schedule is exhausted, and the others go on", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        for (let i = 0; i < 4; i++) scripted.script.push(Scripted.after(other(add(10))))
        const impatient = Scoped.update(Count, (count) => [count, count + 1], { retry: Schedule.recurs(2) })
        const [error, result] = yield* Effect.all([Effect.flip(impatient), increment], { concurrency: 2 })
        assert.strictEqual(error._tag, "ConflictError")
        assert.strictEqual((error as { attempts: number }).attempts, 3)
        assert.include(error.message, `"count" kept changing: gave up after 3 attempts`)
        assert.strictEqual(result, 42)
      })
    ))

  it.effect("whoever waits for a slow schedule does not hold up the others", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.after(other(add(10))))
        const slow = yield* Effect.forkChild(
          Scoped.update(Count, (count) => [count + 1, count + 1], { retry: Schedule.spaced("1 minute") })
        )
        yield* settle
        assert.strictEqual(yield* increment, 12)
        assert.strictEqual(yield* increment, 13)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual(yield* Fiber.join(slow), 14)
      })
    ))

  it.effect("are run again at once for 30 seconds, unless a schedule says otherwise", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        const always: Scripted.Scene = (batch, commit) => {
          scripted.script.push(always)
          // Every refusal is a moment later than the last.
          return Effect.andThen(Effect.sleep("100 millis"), Scripted.after(other(add(1)))(batch, commit))
        }
        scripted.script.push(always)
        const fiber = yield* Effect.forkChild(Effect.flip(increment))
        yield* TestClock.adjust("29 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        assert.isAtLeast(scripted.commits.length, 280)
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "ConflictError")
      }), { retry: undefined }))
})

describe("lost answers", () => {
  it.effect("a commit that was applied is not applied again", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push(Scripted.lost)
        assert.strictEqual(yield* increment, 1)
        assert.strictEqual(yield* Scoped.get(Count), 1)
        assert.strictEqual(scripted.commits.length, 2)
        assert.deepStrictEqual(scripted.commits[1], scripted.commits[0])
      })
    ))

  it.effect("a commit that never arrived is applied when it is sent again", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push(Scripted.dropped, Scripted.dropped)
        assert.strictEqual(yield* increment, 1)
        assert.strictEqual(yield* Scoped.get(Count), 1)
        assert.strictEqual(scripted.commits.length, 3)
      })
    ))

  it.effect("a commit that the client library sent twice counts once", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push(Scripted.resent, Scripted.resent, Scripted.lost, Scripted.resent)
        assert.deepStrictEqual([yield* increment, yield* increment, yield* increment], [1, 2, 3])
        assert.strictEqual(yield* Scoped.get(Count), 3)
      })
    ))

  it.effect("applied, and then overtaken by others: the remembered results go out", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.lost, Scripted.after(other(add(10))))
        assert.deepStrictEqual(yield* Effect.all([increment, increment], { concurrency: 2 }), [2, 3])
        assert.strictEqual(yield* Scoped.get(Count), 13)
      })
    ))

  it.effect("not applied, and overtaken by others: the handlers run again", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.dropped, Scripted.after(other(add(10))))
        assert.deepStrictEqual(yield* Effect.all([increment, increment], { concurrency: 2 }), [12, 13])
      })
    ))

  it.effect("overtaken by so many that no trace is left: AmbiguousCommitError", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const crowd = Effect.forEach(Array.from({ length: 40 }), () =>
          Effect.provide(add(10), Layer.fresh(Storage.layer(Effect.succeed(scripted.store)))))
        yield* increment
        scripted.script.push(Scripted.lost, Scripted.after(crowd))
        const error = yield* Effect.flip(increment)
        assert.strictEqual(error._tag, "AmbiguousCommitError")
        assert.strictEqual(yield* Scoped.get(Count), 402)
        assert.strictEqual(yield* increment, 403)
      })
    ))

  it.effect("no verdict before the recovery schedule ends: AmbiguousCommitError with the cause", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        for (let i = 0; i < 6; i++) scripted.script.push(Scripted.dropped)
        const error = yield* Effect.flip(increment)
        assert.strictEqual(error._tag, "AmbiguousCommitError")
        assert.include(error.message, "the connection broke, also when it was sent again")
        assert.strictEqual(scripted.commits.length, 6)
        assert.strictEqual(yield* increment, 1)
      })
    ))

  it.effect("a plain failure is a DriverError that names the scope, and nothing is stored", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push(Scripted.failing)
        const error = yield* Effect.flip(increment)
        assert.strictEqual(error._tag, "DriverError")
        assert.include(error.message, `could not commit of "count": the connection broke`)
        assert.strictEqual(scripted.commits.length, 1)
        assert.strictEqual(yield* increment, 1)
      })
    ))

  it.effect("a plain failure after a lost answer does not settle the doubt", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push(Scripted.lost, Scripted.failing)
        assert.deepStrictEqual([yield* increment, yield* Scoped.get(Count)], [1, 1])
      })
    ))

  it.effect("a driver that hangs is in doubt after its timeout", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push((batch, commit) => Effect.andThen(commit(batch), Effect.never))
        const fiber = yield* Effect.forkChild(increment)
        yield* settle
        yield* TestClock.adjust("4 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), 1)
        assert.strictEqual(yield* Scoped.get(Count), 1)
      })
    ))

  it.effect("a validation is sent again, too; without a verdict it is a DriverError, for nothing is stored", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        yield* increment
        const look = Scoped.update(Count, (count) => [count, count])
        scripted.script.push(Scripted.lost, Scripted.dropped)
        assert.strictEqual(yield* look, 1)
        scripted.script.push(...Array.from({ length: 6 }, () => Scripted.dropped))
        assert.strictEqual((yield* Effect.flip(look))._tag, "DriverError")
      })
    ))

  it.effect("a driver that dies is in doubt", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        scripted.script.push((batch, commit) => Effect.andThen(commit(batch), Effect.die(new Error("bug"))))
        assert.deepStrictEqual([yield* increment, yield* Scoped.get(Count)], [1, 1])
      })
    ))

  it.effect("a failure of one transaction leaves the others of the batch alone", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        yield* Effect.all([increment, note("a")], { concurrency: 2 })
        scripted.script.push((batch, commit) =>
          Effect.map(commit(batch.slice(1)), (verdicts) => [Scripted.broken(false), ...verdicts])
        )
        const [error, length] = yield* Effect.all([Effect.flip(increment), note("b")], { concurrency: 2 })
        assert.strictEqual(error._tag, "DriverError")
        assert.strictEqual(length, 1)
      })
    ))

  it.effect("committed, but not on as many replicas as asked for: a NotReplicatedError, and not again", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const short = new DriverError({
          ...Scripted.broken(false),
          reason: "NotReplicated",
          description: "0 of 1 replicas"
        })
        scripted.script.push((batch, commit) => Effect.as(commit(batch), batch.map(() => short)))
        const abort = Scoped.updateResult(Count, () => Result.fail("no"))
        const [error, no] = yield* Effect.all([Effect.flip(increment), Effect.flip(abort)], { concurrency: 2 })
        assert.strictEqual(error._tag, "NotReplicatedError")
        assert.strictEqual(no, "no")
        assert.strictEqual(yield* increment, 2)
        assert.strictEqual(scripted.commits.length, 2)
      })
    ))

  it.effect("a failed read is a DriverError, and the next update reads again", () =>
    Effect.gen(function*() {
      let fail = true
      const memory = yield* MemoryDriver.make()
      const driver = {
        ...memory,
        read: (names: ReadonlyArray<string>) => fail ? Effect.fail(Scripted.broken(false)) : memory.read(names)
      }
      yield* Effect.gen(function*() {
        const errors = yield* Effect.all([increment, increment, Scoped.get(Count)].map(Effect.flip), { concurrency: 3 })
        assert.deepStrictEqual(errors.map((error) => error._tag), ["DriverError", "DriverError", "DriverError"])
        fail = false
        assert.strictEqual(yield* increment, 1)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
    }))

  it.effect("retrying a failed read for ever does not block the event loop", () =>
    Effect.gen(function*() {
      let reads = 0
      const memory = yield* MemoryDriver.make()
      const driver = {
        ...memory,
        read: (names: ReadonlyArray<string>) => ++reads < 50 ? Effect.fail(Scripted.broken(false)) : memory.read(names)
      }
      assert.strictEqual(
        yield* Effect.retry(increment, Schedule.forever).pipe(Effect.provide(Storage.layer(Effect.succeed(driver)))),
        1
      )
    }))
})

describe("products", () => {
  const Left = Scoped.make("left", { schema: Schema.Int, initial: 0 })
  const Right = Scoped.make("right", { schema: Schema.Int, initial: 0 })
  const Both = Scoped.all({ left: Left, right: Right })
  const bump = Scoped.update(Both, ({ left, right }) => [left + right, { left: left + 1, right: right + 1 }])

  it.effect("parts that the handler left alone are checked, not written", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* bump
        const copy = Scoped.update(Both, (state) => [undefined, { ...state, left: state.right * 10 }])
        yield* copy
        const writes = scripted.commits.at(-1)![0]!
        assert.deepStrictEqual(writes.map((write) => [write.name, write.next?.data]), [["left", "10"], [
          "right",
          undefined
        ]])
        // A part that was only read matters all the same.
        yield* other(Scoped.update(Right, (n) => [n, 7]))
        yield* copy
        assert.deepStrictEqual(yield* Scoped.get(Both), { left: 70, right: 7 })
      })
    ))

  it.effect("those that wait for the same scopes are fused", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* Effect.all([bump, bump, bump], { concurrency: 3 }), [0, 2, 4])
        assert.strictEqual(scripted.commits.length, 1)
      })
    ))

  it.effect("a product waits for its turn in every line, and nobody overtakes it", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(held)
        const order: Array<string> = []
        const run = (name: string, effect: Effect.Effect<unknown, unknown, Storage.Storage>) =>
          Effect.forkChild(Effect.andThen(effect, Effect.sync(() => order.push(name))))
        const one = (scope: Scoped.Scoped<number>) => Scoped.update(scope, (n) => [n, n + 1])
        const first = yield* run("left", one(Left))
        yield* arrived
        const rest = [
          yield* run("both", bump),
          yield* run("right behind both", one(Right)),
          yield* run("left behind both", one(Left))
        ]
        yield* settle
        assert.deepStrictEqual(order, [])
        yield* release
        yield* Effect.forEach([first, ...rest], Fiber.join)
        assert.deepStrictEqual(order.slice(0, 2), ["left", "both"])
        assert.deepStrictEqual(yield* Scoped.get(Both), { left: 3, right: 2 })
      })
    ))

  it.effect("a conflict names the parts that kept changing", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* bump
        const noise = other(Scoped.update(Right, (n) => [n, n + 1]))
        scripted.script.push(Scripted.after(noise), Scripted.after(noise))
        const error = yield* Effect.flip(
          Scoped.update(Both, (state) => [0, { ...state, left: 5 }], { retry: Schedule.recurs(1) })
        )
        assert.strictEqual(error._tag, "ConflictError")
        assert.deepStrictEqual((error as { changed: ReadonlyArray<string> }).changed, ["right"])
        assert.include(error.message, `"left + right" kept changing (in "right")`)
      })
    ))

  it.effect("lost answers are found in any part", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* bump
        scripted.script.push(Scripted.lost, Scripted.after(other(Scoped.update(Left, (n) => [n, n + 100]))))
        assert.strictEqual(yield* bump, 2)
        assert.deepStrictEqual(yield* Scoped.get(Both), { left: 102, right: 2 })
        scripted.script.push(Scripted.dropped, Scripted.after(other(Scoped.update(Left, (n) => [n, n + 100]))))
        assert.strictEqual(yield* bump, 204)
      })
    ))

  it.effect("a failed read of one part fails the product, and frees the others", () =>
    Effect.gen(function*() {
      const memory = yield* MemoryDriver.make()
      let fail = true
      const driver = {
        ...memory,
        read: (names: ReadonlyArray<string>) =>
          fail && names.includes("right") ? Effect.fail(Scripted.broken(false)) : memory.read(names)
      }
      yield* Effect.gen(function*() {
        const errors = yield* Effect.all([Effect.flip(bump), Effect.flip(Scoped.get(Both))], { concurrency: 2 })
        assert.deepStrictEqual(errors.map((error) => error._tag), ["DriverError", "DriverError"])
        assert.strictEqual(yield* Scoped.update(Left, (n) => [n, n]), 0)
        fail = false
        assert.strictEqual(yield* bump, 0)
      }).pipe(Effect.provide(Storage.layer(Effect.succeed(driver))))
    }))

  it.effect("interrupted in line, it lets those behind it go on", () =>
    scene(
      (scripted) =>
        Effect.gen(function*() {
          const { arrived, held, release } = yield* hold
          scripted.script.push(held)
          const first = yield* Effect.forkChild(Scoped.update(Left, (n) => [n, n + 1]))
          yield* arrived
          const product = yield* Effect.forkChild(bump)
          yield* settle
          const behind = yield* Effect.forkChild(Scoped.update(Right, (n) => [n, n + 1]))
          yield* settle
          assert.isUndefined(behind.pollUnsafe())
          yield* Fiber.interrupt(product)
          assert.strictEqual(yield* Fiber.join(behind), 0)
          yield* release
          yield* Fiber.join(first)
          assert.deepStrictEqual(yield* Scoped.get(Both), { left: 1, right: 1 })
        }),
      {},
      { parallelism: 2 }
    ))
})

describe("expiry and lost answers", () => {
  it.effect("a commit whose state has expired meanwhile is found by the tombstone", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const brief = Scoped.make("brief", { schema: Schema.Int, initial: 0, idleTimeToLive: "1 second" })
        let runs = 0
        const bump = Scoped.update(brief, (n) => {
          // oxlint-disable-next-line effect-scoped/pure-handlers -- it tells how often it runs
          runs++
          return [n, n + 1]
        })
        scripted.script.push(Scripted.lost)
        const fiber = yield* Effect.forkChild(bump)
        yield* settle
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), 0)
        assert.strictEqual(scripted.commits.length, 2)
        assert.strictEqual(runs, 1)
        assert.strictEqual(yield* Scoped.get(brief), 0)
      }), { recovery: Schedule.spaced("2 seconds") }))

  it.effect("also where another writer has used the scope since", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        const brief = Scoped.make("brief", { schema: Schema.Int, initial: 0, idleTimeToLive: "1 second" })
        const set = (n: number) => Scoped.update(brief, (before) => [before, n])
        scripted.script.push(Scripted.lost)
        const fiber = yield* Effect.forkChild(set(1))
        yield* settle
        yield* TestClock.adjust("2 seconds")
        assert.strictEqual(yield* other(set(100)), 0)
        yield* TestClock.adjust("20 seconds")
        assert.strictEqual(yield* Fiber.join(fiber), 0)
        assert.deepStrictEqual(yield* other(Scoped.get(brief)), 0)
      }), { recovery: Schedule.spaced("20 seconds") }))

  it.effect("nothing is sent again later than half of the retention after it was first sent", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const silent: Scripted.Scene = (batch, commit) => {
          scripted.script.push(silent)
          return Effect.andThen(commit(batch), Effect.never)
        }
        scripted.script.push(silent)
        const fiber = yield* Effect.forkChild(Effect.flip(increment))
        yield* settle
        for (let i = 0; i < 200; i++) yield* TestClock.adjust("1 second")
        const error = yield* Fiber.join(fiber)
        assert.strictEqual(error._tag, "AmbiguousCommitError")
        // 5 seconds until the first is given up, and one each until a minute has passed.
        assert.isAtLeast(scripted.commits.length, 9)
        assert.isAtMost(scripted.commits.length, 11)
      }), { recovery: Schedule.spaced("1 second"), retention: "2 minutes", timeout: "5 seconds" }))

  it.effect("also not what waited for others that got no answer", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make({ parallelism: 1 })
      const briefs = Scoped.family("brief", {
        key: Schema.NumberFromString,
        schema: Schema.Int,
        initial: 0,
        idleTimeToLive: "1 second"
      })
      const count = 20
      // The answers to the first sendings are lost, then the store is silent until nobody remembers them.
      for (let i = 0; i < count; i++) scripted.script.push(Scripted.lost)
      const silent: Scripted.Scene = () =>
        Effect.sync(() => scripted.script.push(silent)).pipe(Effect.andThen(Effect.never))
      scripted.script.push(silent)
      yield* Effect.gen(function*() {
        const fibers = yield* Effect.forEach(
          Array.from({ length: count }, (_, i) => i),
          (i) => Effect.forkChild(Effect.flip(Scoped.update(briefs(i), (n) => [n, n + 1])))
        )
        yield* Effect.repeat(settle, { times: 20 })
        for (let i = 0; i < 70; i++) yield* TestClock.adjust("1 second")
        scripted.script.length = 0
        for (let i = 0; i < 70; i++) yield* TestClock.adjust("1 second")
        for (const fiber of fibers) assert.strictEqual((yield* Fiber.join(fiber))._tag, "AmbiguousCommitError")
      }).pipe(
        Effect.provide(Scripted.layer(scripted, { batchSize: 1, recovery: Schedule.spaced("1 second") }))
      )
    }))

  it.effect("a removal whose answer is lost is found by its tombstone", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.lost)
        yield* Scoped.remove(Count)
        assert.strictEqual(scripted.commits.length, 3)
        yield* other(add(2))
        assert.strictEqual(yield* increment, 3)
        scripted.script.push(Scripted.lost, Scripted.after(other(add(4))))
        yield* Scoped.remove(Count)
        assert.strictEqual(yield* Scoped.get(Count), 4)
      })
    ))
})

describe("a batch", () => {
  it.effect("holds as many transactions as the driver says, unless the storage is told", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make({ parallelism: 1, batchSize: 3 })
      const counts = Scoped.family("count", { key: Schema.NumberFromString, schema: Schema.Int, initial: 0 })
      const sizes = (options: Storage.Options) =>
        Effect.gen(function*() {
          scripted.commits.length = 0
          yield* Effect.forEach(
            Array.from({ length: 9 }, (_, i) => i),
            (i) => Scoped.update(counts(i), (n) => [n, n + 1]),
            { concurrency: "unbounded", discard: true }
          )
          return Math.max(...scripted.commits.map((batch) => batch.length))
        }).pipe(Effect.provide(Scripted.layer(scripted, options)))
      assert.deepStrictEqual([yield* sizes({}), yield* sizes({ batchSize: 4 })], [3, 4])
    }))
})

describe("interruption", () => {
  it.effect("takes a caller that still waits out of the line", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(held)
        const first = yield* Effect.forkChild(note("first"))
        yield* arrived
        const second = yield* Effect.forkChild(note("second"))
        const third = yield* Effect.forkChild(note("third"))
        yield* settle
        yield* Fiber.interrupt(second)
        yield* release
        yield* Fiber.join(first)
        yield* Fiber.join(third)
        assert.deepStrictEqual(yield* Scoped.get(Log), ["first", "third"])
      })
    ))

  it.effect("waits for a commit in flight", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(held)
        const fiber = yield* Effect.forkChild(increment)
        yield* arrived
        const interruption = yield* Effect.forkChild(Fiber.interrupt(fiber))
        yield* settle
        const early = interruption.pollUnsafe()
        yield* release
        assert.isUndefined(early)
        yield* Fiber.join(interruption)
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
        assert.strictEqual(yield* Scoped.get(Count), 1)
      })
    ))

  it.effect("a commit in flight that is refused is not run again for an interrupted caller", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        const { arrived, held, release } = yield* hold
        scripted.script.push(Scripted.after(other(note("other")), held))
        const gone = yield* Effect.forkChild(note("gone"))
        const stays = yield* Effect.forkChild(note("stays"))
        yield* arrived
        const interruption = yield* Effect.forkChild(Fiber.interrupt(gone))
        yield* settle
        yield* release
        yield* Fiber.join(interruption)
        assert.strictEqual(yield* Fiber.join(stays), 1)
        assert.deepStrictEqual(yield* Scoped.get(Log), ["other", "stays"])
      })
    ))

  it.effect("while the schedule waits ends the update at once", () =>
    scene((scripted, other) =>
      Effect.gen(function*() {
        yield* increment
        scripted.script.push(Scripted.after(other(add(10))))
        const fiber = yield* Effect.forkChild(
          Scoped.update(Count, (count) => [count, count + 1], { retry: Schedule.spaced("1 hour") })
        )
        yield* settle
        yield* Fiber.interrupt(fiber)
        assert.strictEqual(yield* increment, 12)
      })
    ))

  it.effect("at random moments loses and doubles nothing", () =>
    scene((scripted) =>
      Effect.gen(function*() {
        const jitter: Scripted.Scene = (batch, commit) =>
          Effect.flatMap(Random.nextIntBetween(0, 3), (n) => Effect.yieldNow.pipe(Effect.repeat({ times: n }))).pipe(
            Effect.andThen(commit(batch))
          )
        let done = 0
        for (let round = 0; round < 60; round++) {
          scripted.script.push(...Array.from({ length: 4 }, () => jitter))
          const fibers = yield* Effect.forEach(Array.from({ length: 8 }), () => Effect.forkChild(increment))
          yield* Effect.yieldNow.pipe(Effect.repeat({ times: yield* Random.nextIntBetween(0, 12) }))
          const before = yield* Effect.provide(Scoped.get(Count), Storage.layer(Effect.succeed(scripted.store)))
          const victims = fibers.filter((_, i) => i % 2 === round % 2)
          yield* Fiber.interruptAll(victims)
          const exits = yield* Effect.forEach(fibers, Fiber.await)
          const succeeded = exits.filter(Exit.isSuccess).length
          const after = yield* Scoped.get(Count)
          assert.isAtLeast(after, done + succeeded)
          assert.isAtMost(after, done + 8)
          assert.isAtLeast(after, before)
          done = after
        }
      }).pipe(Random.withSeed("interrupt"))
    ))
})

describe("closing the layer", () => {
  it.effect("ends the commit in flight and answers it; whoever waits gets a DriverError", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const { arrived, held, release } = yield* hold
      scripted.script.push(held)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Scripted.layer(scripted), scope)
      const inFlight = yield* Effect.forkChild(Effect.provide(increment, context))
      yield* arrived
      const waiting = yield* Effect.forkChild(Effect.provide(Effect.flip(increment), context))
      yield* settle
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(closing.pollUnsafe())
      const error = yield* Fiber.join(waiting)
      assert.strictEqual(error._tag, "DriverError")
      assert.include(error.message, "the storage layer was closed")
      yield* release
      yield* Fiber.join(closing)
      assert.strictEqual(yield* Fiber.join(inFlight), 1)
      const late = yield* Effect.flip(Effect.provide(Effect.all([increment, Scoped.get(Count)]), context))
      assert.include(late.message, "the storage layer was closed")
      assert.strictEqual(scripted.commits.length, 1)
    }))

  it.effect("resolves a commit in doubt first", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      scripted.script.push(Scripted.lost)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(
        Scripted.layer(scripted, { recovery: Schedule.spaced("1 second") }),
        scope
      )
      const fiber = yield* Effect.forkChild(Effect.provide(increment, context))
      yield* settle
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(closing)
      assert.strictEqual(yield* Fiber.join(fiber), 1)
    }))

  it.effect("a refused update is not run again", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const { arrived, held, release } = yield* hold
      const other = Effect.provide(add(10), Storage.layer(Effect.succeed(scripted.store)))
      scripted.script.push(Scripted.after(other, held))
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Scripted.layer(scripted), scope)
      const fiber = yield* Effect.forkChild(Effect.provide(Effect.flip(increment), context))
      yield* arrived
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* settle
      yield* release
      yield* Fiber.join(closing)
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "DriverError")
      assert.strictEqual(scripted.commits.length, 1)
    }))

  it.effect("whoever waits for a schedule gets a DriverError", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      const other = Effect.provide(add(10), Storage.layer(Effect.succeed(scripted.store)))
      scripted.script.push(Scripted.after(other))
      const scope = yield* Scope.make()
      const retry = Schedule.spaced("1 hour")
      const context = yield* Layer.buildWithScope(Scripted.layer(scripted, { retry }), scope)
      const fiber = yield* Effect.forkChild(Effect.provide(Effect.flip(increment), context))
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.include((yield* Fiber.join(fiber)).message, "the storage layer was closed")
    }))

  it.effect("answers a read in flight", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make({ read: () => Effect.never })
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(Scripted.layer(scripted), scope)
      const fiber = yield* Effect.forkChild(
        Effect.all([increment, Scoped.get(Count)].map(Effect.flip), { concurrency: 2 }).pipe(Effect.provide(context))
      )
      yield* settle
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map((error) => error._tag), ["DriverError", "DriverError"])
    }))
})

describe("the event loop", () => {
  it.live("is not held by a long line of handlers", () =>
    scene(() =>
      Effect.gen(function*() {
        const busy = (micros: number) => {
          const end = performance.now() + micros / 1000
          while (performance.now() < end);
        }
        const slow = Scoped.update(Count, (count) => {
          busy(200)
          return [count, count + 1]
        })
        yield* increment
        let longest = 0
        const began = performance.now()
        let last = began
        const watch = setInterval(() => {
          longest = Math.max(longest, performance.now() - last)
          last = performance.now()
        }, 0)
        yield* Effect.all(Array.from({ length: 2_000 }, () => slow), { concurrency: "unbounded", discard: true })
        clearInterval(watch)
        // Only the proportion is checked: machines differ.
        assert.isBelow(longest, (performance.now() - began) / 2)
        assert.strictEqual(yield* Scoped.get(Count), 2_001)
      })
    ))
})
