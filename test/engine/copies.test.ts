/** Two copies of this library in one program, as package managers make them for packages with other peers. */
import { assert, describe, it, vi } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"

const another = Effect.promise(() => {
  vi.resetModules()
  return import("effect-scoped")
})

describe("a scope of one copy", () => {
  it.effect("is used in a storage of another", () =>
    Effect.gen(function*() {
      const other = yield* another
      assert.notStrictEqual(other.Scoped.make, Scoped.make)
      const State = Schema.Struct({ n: Schema.Int })
      const [A, B] = [
        Scoped.make("a", { schema: State, initial: { n: 0 } }),
        other.Scoped.make("b", { schema: State, initial: { n: 0 } })
      ]
      const bump = ({ n }: typeof State.Type) => [n, { n: n + 1 }] as const
      for (const layer of [MemoryDriver.layer(), other.MemoryDriver.layer()]) {
        yield* Effect.gen(function*() {
          assert.strictEqual(yield* Scoped.update(A, bump), 0)
          assert.strictEqual(yield* other.Scoped.update(A, bump), 1)
          const refused = yield* Effect.flip(Scoped.update(A, () => [0, { n: 0.5 }]))
          assert.strictEqual(refused._tag, "StateError")
          yield* Scoped.update(Scoped.all([A, B]), ([a, b]) => [0, [{ n: a.n + 1 }, { n: b.n + 1 }]])
          assert.deepStrictEqual(yield* Scoped.get(Scoped.all([A, B])), [{ n: 3 }, { n: 1 }])
          assert.deepStrictEqual(yield* other.Scoped.get(A), { n: 3 })
        }).pipe(Effect.provide(layer))
      }
    }))

  it.effect("that has no state is refused by a storage of another", () =>
    Effect.gen(function*() {
      const other = yield* another
      const Wrong = Scoped.make("wrong", { schema: Schema.Int, initial: 0.5 })
      for (const use of [Scoped.update(Wrong, (n) => [0, n]), Scoped.get(Wrong)]) {
        assert.strictEqual((yield* Effect.flip(use))._tag, "StateError")
      }
      yield* other.Scoped.update(other.Scoped.make("stored", { schema: Schema.String, initial: "" }), () => [0, "x"])
      const Stored = Scoped.make("stored", { schema: Schema.Int, initial: 0 })
      for (const use of [Scoped.update(Stored, (n) => [0, n]), Scoped.get(Stored)]) {
        assert.strictEqual((yield* Effect.flip(use))._tag, "StateError")
      }
    }).pipe(Effect.provide(Effect.map(another, (other) => other.MemoryDriver.layer()).pipe(Layer.unwrap))))
})
