/** A driver may let those who want one scope come one after the other: handlers run when their turn has come. */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { type Driver, MemoryDriver, Scoped, type ScopedError, Storage } from "effect-scoped"
import { TestClock } from "effect/testing"

const count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const other = Scoped.make("other", { schema: Schema.Int, initial: 0 })

/** Two storages over one store, the first of which has turns. */
const two = Effect.fnUntraced(function*(turn: NonNullable<Driver.Driver["turn"]>) {
  const store = yield* MemoryDriver.make()
  const open = (
    driver: Driver.Driver
  ): Effect.Effect<Context.Context<Storage.Storage>, ScopedError.DriverError, Scope.Scope> =>
    Layer.build(Storage.layer(Effect.succeed(driver)))
  return {
    ours: yield* open({ ...store, turn }),
    theirs: yield* open(store)
  }
})

/** An update that counts how often it runs. */
const counting = () => {
  let runs = 0
  const update = Scoped.update(count, (n) => {
    // oxlint-disable-next-line effect-scoped/pure-handlers -- how often it runs is the question
    runs++
    return [n + 1, n + 1]
  })
  return { update, runs: () => runs }
}

/** A store of states so large that there is no room for all of them, and that lets commits of `other` wait. */
const full = Effect.gen(function*() {
  const store = yield* MemoryDriver.make()
  const large = Scoped.family("large", { key: Schema.String, schema: Schema.String, initial: "" })
  const keys = ["1", "2", "3", "4", "5"]
  const write = (key: string) => Scoped.update(large(key), () => [undefined, "x".repeat(15 * 1024 * 1024)])
  yield* Effect.provideContext(Effect.forEach(keys, write), yield* Layer.build(Storage.layer(Effect.succeed(store))))
  const go = yield* Deferred.make<void>()
  const commit: Driver.Driver["commit"] = (batch) =>
    batch.some(([write]) => write?.name === "other")
      ? Effect.andThen(Deferred.await(go), store.commit(batch))
      : store.commit(batch)
  /** There is room for what is read, whatever else is in flight. */
  const hasRoom = Effect.gen(function*() {
    yield* Effect.forkChild(Scoped.update(other, (n) => [n, n + 1]))
    yield* TestClock.adjust(1)
    const done = yield* Effect.forkChild(Scoped.update(count, (n) => [n, n + 1]))
    for (let i = 0; i < 10; i++) yield* TestClock.adjust(1)
    yield* Effect.addFinalizer(() => Deferred.succeed(go, undefined))
    assert.deepStrictEqual(done.pollUnsafe(), Exit.succeed(0))
  })
  return { commit, hasRoom, keys, large, store, write }
})

describe("turns", () => {
  it.effect("handlers run when their turn has come, all that wait at once, and on what is stored by then", () =>
    Effect.gen(function*() {
      const go = yield* Deferred.make<void>()
      const asked: Array<ReadonlyArray<string>> = []
      let free = true
      const { ours, theirs } = yield* two((names) => {
        asked.push(names)
        return free ? undefined : Effect.map(Deferred.await(go), () => {
          free = true
          return undefined
        })
      })
      const { runs, update } = counting()
      const increment = Effect.provideContext(update, ours)
      assert.strictEqual(yield* increment, 1)
      free = false
      const waiting = yield* Effect.forkChild(Effect.all([increment, increment], { concurrency: "unbounded" }))
      yield* TestClock.adjust(1)
      yield* Effect.provideContext(Scoped.update(count, () => [0, 10]), theirs)
      const late = yield* Effect.forkChild(increment)
      yield* TestClock.adjust(1)
      assert.strictEqual(runs(), 1)
      yield* Deferred.succeed(go, undefined)
      assert.deepStrictEqual(yield* Fiber.join(waiting), [11, 12])
      assert.strictEqual(yield* Fiber.join(late), 13)
      assert.strictEqual(runs(), 4)
      assert.deepStrictEqual([...new Set(asked.flat())], ["count"])
    }))

  it.effect("scopes that nobody else wants are not waited for with those that somebody does", () =>
    Effect.gen(function*() {
      const { ours } = yield* two((names) => names.includes("count") ? Effect.never : undefined)
      yield* Effect.gen(function*() {
        const waiting = yield* Effect.forkChild(Scoped.update(count, (n) => [n, n + 1]))
        yield* TestClock.adjust(1)
        assert.strictEqual(yield* Scoped.update(other, (n) => [n, n + 1]), 0)
        assert.strictEqual(yield* Scoped.get(other), 1)
        yield* Fiber.interrupt(waiting)
      }).pipe(Effect.provideContext(ours))
    }))

  it.effect("what was read before a turn was waited for is not counted as held for ever", () =>
    Effect.gen(function*() {
      const { commit, hasRoom, keys, large, store } = yield* full
      // Free before the scope is read, and somebody else's by then.
      const asked = new Set<string>()
      const ours = yield* Layer.build(Storage.layer(Effect.succeed<Driver.Driver>({
        ...store,
        parallelism: 2,
        turn: ([name = ""]) => {
          const before = asked.has(name)
          asked.add(name)
          return before ? Effect.undefined : undefined
        },
        commit
      })))
      yield* Effect.gen(function*() {
        yield* Effect.forEach(keys, (key) => Scoped.update(large(key), (text) => [text.length, ""]))
        yield* hasRoom
      }).pipe(Effect.provideContext(ours))
    }))

  it.effect("what came with a turn is not read again, and counts as read when the turn was asked for", () =>
    Effect.gen(function*() {
      const store = yield* MemoryDriver.make()
      const go = yield* Deferred.make<void>()
      let reads = 0
      const theirs = yield* Layer.build(Storage.layer(Effect.succeed(store)))
      const ours = yield* Layer.build(Storage.layer(Effect.succeed<Driver.Driver>({
        ...store,
        turn: (names) => Effect.tap(Effect.orDie(store.read(names)), () => Deferred.await(go)),
        read: (names) => {
          reads++
          return store.read(names)
        }
      })))
      // They write nothing, and so could be answered without asking.
      const look = Effect.provideContext(Scoped.update(count, (n) => [n, n]), ours)
      const early = yield* Effect.forkChild(look)
      yield* TestClock.adjust(1)
      yield* Effect.provideContext(Scoped.update(count, () => [0, 10]), theirs)
      const late = yield* Effect.forkChild(look)
      yield* TestClock.adjust(1)
      yield* Deferred.succeed(go, undefined)
      yield* Fiber.join(early)
      assert.strictEqual(yield* Fiber.join(late), 10)
      assert.strictEqual(yield* look, 10)
      assert.strictEqual(reads, 0)
    }))

  it.effect("what came with a turn that nobody waits for any more is not counted as held for ever", () =>
    Effect.gen(function*() {
      const { commit, hasRoom, keys, store, write } = yield* full
      const come = yield* Deferred.make<void>()
      const ours = yield* Layer.build(Storage.layer(Effect.succeed<Driver.Driver>({
        ...store,
        parallelism: 2,
        turn: (names) =>
          names[0]!.startsWith("large")
            ? Effect.andThen(Deferred.await(come), Effect.orDie(store.read(names)))
            : undefined,
        commit
      })))
      yield* Effect.gen(function*() {
        const waiting = yield* Effect.forEach(keys, (key) => Effect.forkChild(write(key)))
        yield* TestClock.adjust(1)
        yield* Fiber.interruptAll(waiting)
        yield* Deferred.succeed(come, undefined)
        yield* TestClock.adjust(1)
        yield* hasRoom
      }).pipe(Effect.provideContext(ours))
    }))

  it.effect("who only looks does not wait for one", () =>
    Effect.gen(function*() {
      const { ours } = yield* two(() => Effect.never)
      const both = Scoped.get(Scoped.all([count, other]))
      const looking = yield* Effect.forkChild(Effect.provideContext(both, ours))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust(1)
      assert.deepStrictEqual(looking.pollUnsafe(), Exit.succeed([0, 0]))
    }))

  it.effect("a turn that does not come is not waited for for ever", () =>
    Effect.gen(function*() {
      const { ours } = yield* two(() => Effect.never)
      const waiting = yield* Effect.forkChild(
        Effect.provideContext(Scoped.update(count, (n) => [n + 1, n + 1]), ours)
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(waiting), 1)
    }))

  it.effect("a turn that throws, dies, is over at once or comes with too little or too much is none", () =>
    Effect.gen(function*() {
      const turns: ReadonlyArray<NonNullable<Driver.Driver["turn"]>> = [
        () => {
          throw new Error("no")
        },
        () => Effect.die("no"),
        () => Effect.undefined,
        () => Effect.succeed([]),
        () => Effect.succeed([null, null])
      ]
      for (const turn of turns) {
        const { ours } = yield* two(turn)
        assert.strictEqual(yield* Effect.provideContext(Scoped.update(count, (n) => [n + 1, n + 1]), ours), 1)
      }
    }))

  it.effect("a storage that is closed does not wait for turns, and whoever waits is told", () =>
    Effect.gen(function*() {
      const store = yield* MemoryDriver.make()
      const scope = yield* Scope.make()
      const ours = yield* Scope.provide(
        Layer.build(Storage.layer(Effect.succeed<Driver.Driver>({ ...store, turn: () => Effect.never }))),
        scope
      )
      const waiting = yield* Effect.forkChild(Effect.provideContext(Scoped.update(count, (n) => [n, n + 1]), ours))
      yield* TestClock.adjust(1)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(Fiber.join(waiting))
      assert.strictEqual(error._tag, "DriverError")
      if (error._tag === "DriverError") assert.strictEqual(error.reason, "Closed")
    }))
})
