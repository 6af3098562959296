import { assert, describe, it } from "@effect/vitest"
import { BigDecimal, DateTime, Duration, Effect, Equal, Schema } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { differs } from "../../src/internal/state/same.ts"
import * as Schemas from "./schemas.ts"
import { ok, text } from "./support.ts"

const attempt = (run: () => unknown) => {
  try {
    run()
  } catch {
    // It is frozen: good
  }
}

/** Writes to everything that can be reached, with all means. */
const vandalize = (value: unknown, seen = new Set<unknown>()): void => {
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return
  // Not what belongs to a class and not to the state.
  if (typeof value === "function" || Object.hasOwn(value, "constructor")) return
  seen.add(value)
  // Their insides are shared by everybody who uses Effect, and theirs to guard.
  if (Equal.isEqual(value) && Symbol.iterator in value) {
    for (const item of value as Iterable<unknown>) vandalize(item, seen)
    return
  }
  if (Duration.isDuration(value) || BigDecimal.isBigDecimal(value) || DateTime.isDateTime(value)) return
  attempt(() => Map.prototype.forEach.call(value, (item, key) => [item, key].forEach((it) => vandalize(it, seen))))
  attempt(() => Set.prototype.forEach.call(value, (item) => vandalize(item, seen)))
  for (const key of Reflect.ownKeys(value)) attempt(() => vandalize(Reflect.get(value, key), seen))
  attempt(() => Map.prototype.set.call(value, "vandal", 1))
  attempt(() => Map.prototype.clear.call(value))
  attempt(() => Set.prototype.add.call(value, "vandal"))
  attempt(() => Date.prototype.setTime.call(value, 666))
  attempt(() => Array.prototype.push.call(value, "vandal"))
  attempt(() => Array.prototype.reverse.call(value))
  attempt(() => (value as Uint8Array).fill?.(66))
  attempt(() => (value as URL).pathname = "/vandal")
  for (const key of Reflect.ownKeys(value)) {
    const was: unknown = Reflect.get(value, key)
    attempt(() =>
      Reflect.set(value, key, typeof was === "number" ? was + 1 : typeof was === "bigint" ? was + 1n : "vandal")
    )
    attempt(() => Reflect.deleteProperty(value, key))
  }
  attempt(() => Object.defineProperty(value, "vandal", { value: 1 }))
  attempt(() => Object.setPrototypeOf(value, null))
}

for (const [name, schema] of Object.entries(Schemas.plain)) {
  it.effect.prop(
    `a plain state under ${name} is handed out itself, for it cannot be changed`,
    [schema],
    ([state]) =>
      Effect.sync(() => {
        const held = Codec.of(schema).hold(state)
        if (held instanceof Codec.Held && held.plain) assert.isTrue(held.shared)
      })
  )
}

for (const [name, schema] of Object.entries(Schemas.all)) {
  const codec = Codec.of(schema)
  it.effect.prop(
    `what is handed out under ${name} cannot be used to change what is held`,
    [schema],
    ([state]) =>
      Effect.sync(() => {
        const made = codec.hold(state)
        if (made instanceof Codec.Fault) return
        const written = text(made)
        for (const held of [made, ok(codec.read(written))]) {
          const pristine = ok(codec.read(written)).view()
          for (let i = 0; i < 3; i++) {
            const view = held.view()
            assert.isUndefined(differs(view, pristine))
            if (held.shared) assert.isTrue(Object.is(view, held.view()))
            vandalize(view)
            assert.strictEqual(text(held), written)
          }
          assert.isUndefined(differs(held.view(), pristine))
        }
      }),
    { arbitrary: { runs: 60 }, timeout: 60_000 }
  )
}

describe("what a handler hands over", () => {
  it("may go on changing: it was copied", () => {
    for (const schema of [Schema.Struct({ items: Schema.Array(Schema.Int) }), Schema.Unknown]) {
      const mine = { items: [1, 2] }
      const held = ok(Codec.of(schema).hold(mine))
      mine.items.push(3)
      assert.deepStrictEqual(mine, { items: [1, 2, 3] })
      assert.deepStrictEqual(held.view(), { items: [1, 2] })
      assert.strictEqual(text(held), `{"items":[1,2]}`)
    }
  })

  it("is read once: getters and proxies cannot answer twice", () => {
    let reads = 0
    const sly = {
      get count() {
        return reads++
      }
    }
    const codec = Codec.of(Schema.Struct({ count: Schema.Int }))
    const held = ok(codec.accept(sly, ok(codec.hold({ count: 9 }))))
    assert.strictEqual(text(held), `{"count":${(held.view() as { readonly count: number }).count}}`)
    assert.isUndefined(Object.getOwnPropertyDescriptor(held.view(), "count")?.get)
    const proxied = ok(codec.hold(new Proxy({ count: 3 }, {})))
    assert.deepStrictEqual(held.view(), JSON.parse(text(held)))
    assert.deepStrictEqual(proxied.view(), { count: 3 })
  })

  it("fails and is named where it is mutated and frozen", () => {
    const State = Schema.Struct({
      at: Schema.Date,
      tags: Schema.ReadonlySet(Schema.String),
      of: Schema.ReadonlyMap(Schema.String, Schema.Struct({ n: Schema.Int }))
    })
    const held = ok(Codec.of(State).hold({ at: new Date(0), tags: new Set(["a"]), of: new Map([["a", { n: 1 }]]) }))
    // oxlint-disable-next-line typescript/no-explicit-any
    const view = held.view() as any
    assert.throws(() => view.at.setTime(1), /Cannot setTime on a frozen state/)
    assert.throws(() => view.tags.add("b"), /Cannot add on a frozen state/)
    assert.throws(() => view.of.clear(), /Cannot clear on a frozen state/)
    assert.throws(() => view.of.get("a").n++, TypeError)
    assert.throws(() => view.more = 1, TypeError)
  })
})
