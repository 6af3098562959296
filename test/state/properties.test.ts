import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { differs } from "../../src/internal/state/same.ts"
import * as Schemas from "./schemas.ts"
import { blend, check, fault, ok, oracle, random, spoil, text } from "./support.ts"

const options = { arbitrary: { runs: 150 }, timeout: 60_000 }

for (const [name, schema] of Object.entries(Schemas.all)) {
  const codec = Codec.of(schema)

  describe(`under ${name}`, () => {
    it.effect.prop(
      "a state is held as the schema would store it, or refused where it would change",
      [schema],
      ([state]) =>
        Effect.sync(() => {
          const held = codec.hold(state)
          const expected = oracle(schema, state)
          if (expected === undefined) return void fault(held)
          check(codec, schema, ok(held), state)
          const again = ok(codec.read(expected.text))
          assert.strictEqual(text(again), expected.text)
          assert.strictEqual(ok(codec.accept(state, again)), again, "nothing has changed")
          if (again.shared) assert.strictEqual(ok(codec.accept(again.view(), again)), again)
        }),
      options
    )

    it.effect.prop("what handlers leave is what would be read back, step by step", [
      Schema.Array(schema).check(Schema.isMinLength(2), Schema.isMaxLength(8)),
      Schema.Int
    ], ([states, seed]) =>
      Effect.sync(() => {
        const next = random(seed)
        const first = codec.hold(states[0])
        if (first instanceof Codec.Fault) return
        let held = first
        for (const state of states.slice(1)) {
          const before = held.view()
          const snapshot = text(held)
          const left = next(8) === 0 ? spoil(before, next) : blend(before, state, next)
          const accepted = codec.accept(left, held)
          const expected = oracle(schema, left)
          if (expected === undefined) fault(accepted)
          else {
            const now = ok(accepted)
            check(codec, schema, now, left)
            assert.strictEqual(
              now === held,
              expected.text === snapshot,
              "the same one exactly when nothing has changed"
            )
            assert.strictEqual(text(held), snapshot)
            held = now
          }
        }
      }), options)

    it.effect.prop("nothing throws, whatever is handed in", [schema, Schema.Int], ([state, seed]) =>
      Effect.sync(() => {
        const next = random(seed)
        for (let i = 0; i < 8; i++) {
          const bad = spoil(state, next)
          const held = codec.hold(bad)
          if (held instanceof Codec.Fault) assert.isString(held.reason)
          else assert.isUndefined(differs(bad, ok(codec.read(text(held))).view(), true))
        }
      }), options)
  })
}
