/** A scope remembers where it waits in the storage that used it last. */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Layer, Schema } from "effect"
import { type Driver, MemoryDriver, Scoped, Storage } from "effect-scoped"
import { inspect } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Scripted from "../support/scripted.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

const count = (name: string) => Scoped.make(name, { schema: Schema.Int, initial: 0 })
const increment = Scoped.update((n: number) => [n + 1, n + 1])

const freezeAll = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const part of Object.values(value)) freezeAll(part)
}

describe("a scope", () => {
  it.effect("is used by several storages in turn, and by all at once", () =>
    Effect.gen(function*() {
      const driver = yield* MemoryDriver.make()
      const contexts = yield* Effect.forEach(
        [undefined, "a", "b"],
        (namespace) => Layer.build(Storage.layer(Effect.succeed(driver), { namespace }))
      )
      const Count = count("count")
      const Both = Scoped.all([Count, count("other")])
      for (let round = 1; round <= 3; round++) {
        for (const context of contexts) {
          assert.strictEqual(yield* Effect.provideContext(increment(Count), context), 2 * round - 1)
          yield* Effect.provideContext(Scoped.update(Both, ([n, m]) => [0, [n + 1, m + 1]]), context)
          assert.deepStrictEqual(yield* Effect.provideContext(Scoped.get(Both), context), [2 * round, round])
        }
      }
      yield* Effect.forEach(
        Array.from({ length: 30 }, (_, i) => contexts[i % 3]!),
        (context) => Effect.provideContext(increment(Count), context),
        { concurrency: "unbounded" }
      )
      for (const context of contexts) assert.strictEqual(yield* Effect.provideContext(Scoped.get(Count), context), 16)
    }))

  it.effect("that one storage takes is still refused by another, and once its limits are lower", () =>
    Effect.gen(function*() {
      const wide = yield* MemoryDriver.make()
      const limits = { ...wide.limits }
      const Long = count("a name of some length")
      const Both = Scoped.all([Long, count("b")])
      const first = yield* Layer.build(Storage.layer(Effect.succeed({ ...wide, limits })))
      const narrow = yield* Layer.build(MemoryDriver.layer({ limits: { nameBytes: 10 } }))
      const tagOf = (scope: typeof Long, context: Context.Context<Storage.Storage>) =>
        Effect.provideContext(
          Effect.match(increment(scope), { onFailure: ({ _tag }) => _tag, onSuccess: () => "fine" }),
          context
        )
      assert.strictEqual(yield* tagOf(Long, first), "fine")
      assert.strictEqual(yield* tagOf(Long, narrow), "NameError")
      assert.strictEqual(yield* tagOf(Long, first), "fine")
      limits.nameBytes = 10
      assert.strictEqual(yield* tagOf(Long, first), "NameError")
      limits.nameBytes = 512
      const both = Effect.provideContext(
        Effect.match(Scoped.update(Both, (all) => [0, all]), {
          onFailure: ({ _tag }) => _tag,
          onSuccess: () => "fine"
        }),
        first
      )
      assert.strictEqual(yield* both, "fine")
      limits.scopesPerTransaction = 1
      assert.strictEqual(yield* both, "ProductError")
    }))

  it.effect("that was forgotten waits where all others wait for it", () =>
    Effect.gen(function*() {
      const scripted = yield* Scripted.make()
      yield* Effect.gen(function*() {
        // Two scopes of one name, of which one remembers a place that is given up.
        const [early, late] = [count("count"), count("count")]
        yield* increment(early)
        for (const name of ["a", "b", "c"]) yield* increment(count(name))
        const before = scripted.commits.length
        yield* Effect.all([increment(late), increment(early), increment(late)], { concurrency: "unbounded" })
        assert.strictEqual(scripted.commits.length, before + 1)
        assert.strictEqual(yield* Scoped.get(early), 4)
      }).pipe(Effect.provide(Scripted.layer(scripted, { knownScopes: 1 })))
    }))

  it.effect("shows nothing of the storages that it is used in", () =>
    Effect.gen(function*() {
      const make = () => Scoped.make("secret", { schema: Schema.String, initial: "" })
      const write = (text: string) => Scoped.update((before: string) => [before, text])
      const secret = make()
      const all = Scoped.all([secret, count("other")])
      const before = JSON.stringify([secret, all])
      yield* write("hunter2")(secret)
      yield* Scoped.update(all, ([, n]) => [0, ["hunter2", n + 1]])
      assert.strictEqual(JSON.stringify([secret, all]), before)
      assert.notInclude(inspect([secret, all], { depth: Infinity }), "hunter2")
      for (const scope of [secret, all]) freezeAll(scope)
      // As any other, and no storage was frozen with them.
      assert.strictEqual(yield* write("hunter3")(secret), "hunter2")
      assert.deepStrictEqual(yield* Scoped.update(all, ([text, n]) => [text, [`${text}!`, n + 1]]), "hunter3")
      assert.strictEqual(yield* write("")(make()), "hunter3!")
      assert.strictEqual(yield* increment(count("other")), 3)
    }).pipe(Effect.provide(MemoryDriver.layer())))

  it.live("keeps nothing of a storage that is closed, nor of what was forgotten", () =>
    Effect.gen(function*() {
      const texts = Array.from(
        { length: 20 },
        (_, i) => Scoped.make(`${i}`, { schema: Schema.String, initial: "" })
      )
      const fill = Effect.forEach(texts, (text, i) => Scoped.update(text, () => [0, `${i}`.padEnd(1_000_000, "x")]))
      const heap = Effect.map(Effect.sleep(10), () => {
        collectGarbage()
        return process.memoryUsage().heapUsed / 1_000_000
      })
      const before = yield* heap
      yield* Effect.provide(fill, MemoryDriver.layer())
      assert.isBelow((yield* heap) - before, 5)
      // This one has the texts somewhere else than on the heap.
      const driver = yield* MemoryDriver.make()
      const away = new Map<string, Buffer>()
      const elsewhere: Driver.Driver = {
        ...driver,
        commit: (batch) => {
          const lighter = batch.map((transaction) =>
            transaction.map((write) => {
              const data = write.next?.data
              if (data == null) return write
              away.set(write.name, Buffer.from(data))
              return { ...write, next: { ...write.next!, data: "" } }
            })
          )
          return driver.commit(lighter)
        }
      }
      yield* Effect.andThen(fill, heap).pipe(
        Effect.map((after) => assert.isBelow(after - before, 5)),
        Effect.provide(Storage.layer(Effect.succeed(elsewhere), { knownBytes: 2_000_000 }))
      )
      assert.strictEqual(away.size, texts.length)
    }))
})
