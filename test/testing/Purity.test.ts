import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { Purity } from "effect-scoped/testing"

const Cart = Schema.Struct({
  items: Schema.Array(Schema.Struct({ name: Schema.String, amount: Schema.Int })),
  paid: Schema.Boolean,
  at: Schema.Date,
  seen: Schema.ReadonlyMap(Schema.String, Schema.Int)
})
type Cart = typeof Cart.Type

const total = (cart: Cart) => cart.items.reduce((sum, { amount }) => sum + amount, 0)

let calls = 0

describe("Purity.check", () => {
  for (
    const [what, handler] of [
      ["reads", (cart: Cart) => [total(cart), cart]],
      ["writes", (cart: Cart) => [cart.items.length, { ...cart, paid: true, at: new Date(86_400_000) }]],
      [
        "aborts",
        (cart: Cart) => cart.paid ? Result.fail("paid") : Result.succeed([undefined, { ...cart, paid: true }])
      ],
      [
        "takes its time from the moment",
        (cart: Cart, { now }: { readonly now: { readonly epochMilliseconds: number } }) => [
          now.epochMilliseconds,
          { ...cart, at: new Date(now.epochMilliseconds) }
        ]
      ]
    ] as const
  ) {
    it.effect(`accepts a handler that ${what}`, () => Purity.check(handler, Cart))
  }

  const wrong: ReadonlyArray<readonly [what: string, reason: Purity.PurityError["reason"], (cart: Cart) => unknown]> = [
    ["reads the clock", "Throws", (cart) => [Date.now(), cart]],
    ["makes a date of now", "Throws", (cart) => [0, { ...cart, at: new Date() }]],
    ["draws", "Throws", (cart) => [Math.random(), cart]],
    ["draws an id", "Throws", (cart) => [crypto.randomUUID(), cart]],
    ["prints", "Throws", (cart) => [console.log("!"), cart]],
    ["starts a timer", "Throws", (cart) => [setTimeout(() => {}, 0) === undefined, cart]],
    ["throws on some states", "Throws", (cart) => {
      if (cart.items.length > 2) throw new Error("too many")
      return [0, cart]
    }],
    ["counts its calls", "Differs", (cart) => [calls++, cart]],
    ["sorts its argument", "Mutates", (cart) => {
      ;(cart.items as Array<Cart["items"][number]>).sort((a, b) => a.amount - b.amount)
      return [0, cart]
    }],
    ["changes a map", "Mutates", (cart) => [(cart.seen as Map<string, number>).set("x", 1).size, cart]],
    ["changes a date", "Mutates", (cart) => [cart.at.setFullYear(1999), cart]],
    ["adds a key that the schema does not know", "Mutates", (cart) => [0, Object.assign(cart, { extra: 1 })]],
    ["changes its argument and puts it back", "Mutates", (cart) => {
      const { paid } = cart
      Object.assign(cart, { paid: !paid })
      Object.assign(cart, { paid })
      return [0, cart]
    }],
    ["is a generator", "Malformed", function*(cart) {
      yield [0, cart]
    }],
    ["returns no pair", "Malformed", (cart) => cart],
    ["returns a promise", "Malformed", async (cart) => [0, cart]],
    [
      "makes a state that does not fit",
      "DoesNotFit",
      (cart) => [0, { ...cart, items: [{ name: "x", amount: total(cart) / 2 }] }]
    ],
    ["loses a part of the state", "DoesNotFit", (cart) => [0, { items: cart.items }]],
    ["makes a key that the schema does not know", "DoesNotFit", (cart) => [0, { ...cart, extra: 1 }]]
  ]
  for (const [what, reason, handler] of wrong) {
    it.effect(`finds one that ${what}`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Purity.check(handler, Cart))
        assert.strictEqual(error.reason, reason)
        const again = yield* Effect.flip(Purity.check(handler, Cart, { replay: error.replay }))
        assert.strictEqual(again.reason, reason)
      }))
  }

  it.effect("shrinks to a small state", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(
        Purity.check((list) => [0, list.length < 3 ? list : [...list, 0.5]], Schema.Array(Schema.Int), { runs: 500 })
      )
      assert.strictEqual((error.state as ReadonlyArray<number>).length, 3)
      assert.include(error.message, "does not fit")
    }))

  class Opaque {
    readonly kind = "opaque"
  }
  const opaque = Schema.declare((value): value is Opaque => value instanceof Opaque, {
    toCodecJson: () => undefined
  }) as unknown as Schema.Codec<Opaque, unknown>
  const rare = Schema.Int.check(Schema.makeFilter((n) => n === 123_456_789 ? undefined : "not that one"))
  const impure = (n: unknown) => [Math.random(), n]

  it.effect("tells when there was nothing to try it on", () =>
    Effect.gen(function*() {
      for (const schema of [opaque, rare, Schema.Never]) {
        const error = yield* Effect.flip(Purity.check(impure, schema as typeof opaque))
        assert.strictEqual(error.reason, "Untried")
        assert.match(error.message, /was not tried: .*`states`/)
      }
      // They are made, but no storage takes them.
      const error = yield* Effect.flip(Purity.check(impure, Schema.Unknown, { states: Arbitrary.Constant(() => 1) }))
      assert.include(error.message, "can be stored")
    }))

  it.effect("tries it on states that are given", () =>
    Effect.gen(function*() {
      const states = Arbitrary.Constant(123_456_789)
      yield* Purity.check((n) => [0, n], rare, { states })
      const error = yield* Effect.flip(Purity.check(impure, rare, { states }))
      assert.deepStrictEqual([error.reason, error.state], ["Throws", 123_456_789])
    }))

  it.effect("tries others where a replay does not lead to what was wrong", () =>
    Effect.gen(function*() {
      const odd = (n: number) => [0, n > 5 ? 0.5 : n]
      const { replay } = yield* Effect.flip(Purity.check(odd, Schema.Int))
      yield* Purity.check((n) => [0, n], Schema.Int, { replay })
      const error = yield* Effect.flip(Purity.check((n) => n > 5 ? n : [0, 0.5], Schema.Int, { replay }))
      assert.include(["DoesNotFit", "Malformed"], error.reason)
    }))

  it.effect("gives the world back", () =>
    Effect.gen(function*() {
      yield* Effect.flip(Purity.check((n) => [Math.random(), n], Schema.Int))
      assert.isBelow(Math.random(), 1)
      assert.isAbove(new Date().getTime(), 0)
      assert.isAbove(Date.now(), 0)
      assert.strictEqual(typeof crypto.randomUUID(), "string")
    }))
})
