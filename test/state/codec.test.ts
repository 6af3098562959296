import { assert, describe, it } from "@effect/vitest"
import { Chunk, HashMap, Option, Redacted, Schema, SchemaGetter } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import * as Schemas from "./schemas.ts"
import { fault, ok, text } from "./support.ts"

const hold = (schema: Schema.Codec<unknown, unknown>, state: unknown) => Codec.of(schema).hold(state)

describe("a state that would come back as something else is refused, with the path of what would", () => {
  const cases: ReadonlyArray<
    readonly [
      what: string,
      schema: Schema.Codec<unknown, unknown>,
      state: unknown,
      path: ReadonlyArray<string | number>
    ]
  > = [
    ["the text NaN beside numbers", Schema.Union([Schema.Number, Schema.String]), "NaN", []],
    ["digits beside bigints", Schema.Struct({ id: Schema.Union([Schema.BigInt, Schema.String]) }), { id: "123" }, [
      "id"
    ]],
    ["a date beside texts", Schema.Array(Schema.Union([Schema.String, Schema.Date])), ["a", new Date(0)], [1]],
    ["undefined beside null", Schema.Struct({ a: Schema.NullishOr(Schema.Int) }), { a: undefined }, ["a"]],
    [
      "a hole",
      Schema.Array(Schema.UndefinedOr(Schema.Int)),
      Array.from<number>({ length: 3 }).fill(1, 0, 1).concat(Array(1)),
      [3]
    ],
    ["a symbol", Schema.Struct({ a: Schema.Int }), { a: 1, [Symbol("b")]: 2 }, ["Symbol(b)"]],
    ["NaN under anything", Schema.Any, { a: [Number.NaN] }, ["a", 0]],
    ["undefined under anything", Schema.Any, { a: undefined }, ["a"]],
    ["undefined itself", Schema.Any, undefined, []],
    ["a function", Schema.Any, { a: () => 1 }, ["a"]],
    ["toJSON", Schema.Any, { a: new Date(0) }, ["a"]],
    ["a key nobody knows", Schema.Struct({ n: Schema.Int }), { n: 1, nmae: "ada" }, ["nmae"]],
    ["one further down", Schema.Array(Schema.Struct({ at: Schema.Date })), [{ at: new Date(0), now: 1 }], [0, "now"]],
    [
      "in a map",
      Schema.ReadonlyMap(Schema.String, Schema.Struct({ n: Schema.Int })),
      new Map([["k", { n: 1, m: 1 }]]),
      [
        "k",
        "m"
      ]
    ],
    ["in an option", Schema.Option(Schema.Struct({ n: Schema.Int })), Option.some({ n: 1, m: 1 }), ["value", "m"]],
    ["in a chunk", Schema.Chunk(Schema.Struct({ n: Schema.Int })), Chunk.of({ n: 1, m: 1 }), [0, "m"]],
    [
      "in a hash map",
      Schema.HashMap(Schema.String, Schema.Struct({ n: Schema.Int })),
      HashMap.make(["k", { n: 1, m: 1 }]),
      ["k", "m"]
    ],
    [
      "what a transformation drops",
      Schema.Struct({
        s: Schema.String.pipe(Schema.decodeTo(Schema.String, {
          decode: SchemaGetter.transform((s: string) => s),
          encode: SchemaGetter.transform((s: string) => s.trim())
        }))
      }),
      { s: " a" },
      ["s"]
    ]
  ]
  for (const [what, schema, state, path] of cases) {
    it(what, () => assert.deepStrictEqual(fault(hold(schema, state)).path, path))
  }

  it("and says so", () => {
    assert.strictEqual(
      fault(hold(Schema.Struct({ n: Schema.Int }), { n: 1, nmae: "ada" })).reason,
      `its schema does not know "nmae", which would be lost`
    )
    assert.match(fault(hold(Schema.Union([Schema.Number, Schema.String]), "NaN")).reason, /not be read back as it is/)
    assert.deepStrictEqual(fault(hold(Schema.Struct({ n: Schema.Int }), { n: 1.5 })), {
      path: ["n"],
      reason: "Expected an integer"
    })
  })
})

describe("what comes back as it is, is stored", () => {
  it("not-a-number where nothing else is written like it", () => {
    const held = ok(hold(Schema.Array(Schema.Number), [Number.NaN, Infinity, 1]))
    assert.strictEqual(text(held), `["NaN","Infinity",1]`)
    assert.deepStrictEqual(held.view(), [Number.NaN, Infinity, 1])
  })

  it("negative zero as zero, which the next handler sees", () => {
    for (const schema of [Schema.Array(Schema.Number), Schema.Unknown, Schema.Array(Schema.Finite)]) {
      const held = ok(hold(schema, [-0]))
      assert.strictEqual(text(held), "[0]")
      assert.isTrue(Object.is((held.view() as ReadonlyArray<number>)[0], 0))
    }
  })

  it("a member of a union that only just fits", () => {
    const schema = Schema.Union([Schema.Struct({ a: Schema.Int }), Schema.Struct({ a: Schema.Int, b: Schema.Int })])
    assert.strictEqual(text(ok(hold(schema, { a: 1, b: 2 }))), `{"a":1,"b":2}`)
  })

  it("half surrogates, control characters and what JSON escapes", () => {
    const state = { "\ud800\n": "\u0000\u001f\u007f\"\\/\b\f\t é€😀\udfff", "😀": "x".repeat(30) + "é\udc00" }
    const held = ok(hold(Schema.Record(Schema.String, Schema.String), state))
    assert.strictEqual(held.bytes, Buffer.byteLength(JSON.stringify(state)))
    assert.strictEqual(text(held), JSON.stringify(state))
  })

  it("__proto__, integer keys and objects without a prototype", () => {
    const Numbers = Schema.Record(Schema.String, Schema.Int)
    const state = JSON.parse(`{"b":1,"__proto__":2,"7":3,"constructor":4,"toString":5}`)
    const held = ok(hold(Numbers, state))
    assert.strictEqual(text(held), JSON.stringify(state))
    assert.deepStrictEqual(Object.keys(held.view() as object), ["7", "b", "__proto__", "constructor", "toString"])
    assert.strictEqual(Object.getPrototypeOf(held.view()), Object.prototype)
    const without = ok(hold(Numbers, Object.assign(Object.create(null), { a: 1 })))
    assert.strictEqual(text(without), `{"a":1}`)
    assert.strictEqual(Object.getPrototypeOf(without.view()), Object.prototype)
    const next = ok(Codec.of(Numbers).accept({ ...state, b: 9 }, held))
    assert.strictEqual(text(next), JSON.stringify({ ...state, b: 9 }))
  })

  it("instances as plain objects where the schema is a struct, and matches of a regular expression as arrays", () => {
    class Point {
      readonly x = 1
    }
    assert.deepStrictEqual(ok(hold(Schema.Struct({ x: Schema.Int }), new Point())).view(), { x: 1 })
    assert.strictEqual(text(ok(hold(Schema.Array(Schema.String), "ab".match(/(a)(b)/)))), `["ab","a","b"]`)
  })

  it("a Buffer as the bytes it is", () => {
    assert.deepStrictEqual(ok(hold(Schema.Uint8Array, Buffer.from("abc"))).view(), new Uint8Array([97, 98, 99]))
  })

  it("secrets", () => {
    const codec = Codec.of(Schema.Redacted(Schema.String))
    const held = ok(codec.hold(Redacted.make("a")))
    assert.strictEqual(Redacted.value(held.view() as Redacted.Redacted), "a")
    assert.strictEqual(text(ok(codec.accept(Redacted.make("b"), held))), `"b"`)
  })
})

it("a spread of a class instance is no instance", () => {
  const owner = new Schemas.Owner({ name: "Ada", tags: [] })
  const schema = Schema.Struct({ owner: Schemas.Owner })
  const { path, reason } = fault(hold(schema, { owner: { ...owner } }))
  assert.deepStrictEqual(path, ["owner"])
  assert.match(reason, /Owner/)
  assert.instanceOf((ok(hold(schema, { owner })).view() as { readonly owner: unknown }).owner, Schemas.Owner)
})

describe("what did not change", () => {
  it("is not looked at again", () => {
    let looked = 0
    const Item = Schema.Struct({ n: Schema.Int }).check(Schema.makeFilter(() => ++looked > 0))
    const State = Schema.Struct({ items: Schema.Array(Item), other: Schema.Record(Schema.String, Item) })
    const codec = Codec.of(State)
    const item = (n: number) => ({ n })
    const held = ok(codec.hold({ items: [1, 2, 3, 4].map(item), other: { a: item(5) } }))
    assert.strictEqual(looked, 5)
    const { items, other } = held.view() as typeof State.Type
    for (
      const [next, times] of [
        [{ items: [...items, item(9)], other }, 1],
        [{ items: [item(9), ...items], other }, 1],
        [{ items: items.filter(({ n }) => n !== 2), other }, 0],
        [{ items: items.with(2, item(9)), other: { ...other } }, 1],
        [{ items: items.map(({ n }) => ({ n })), other: { ...other, b: item(9) } }, 1]
      ] as const
    ) {
      looked = 0
      const now = ok(codec.accept(next, held))
      assert.strictEqual(looked, times)
      assert.strictEqual(text(now), JSON.stringify(next))
      assert.strictEqual(now.bytes, text(now).length)
    }
  })

  it("does not excuse a whole that no longer fits", () => {
    const Sum = Schema.Struct({ parts: Schema.Array(Schema.Struct({ n: Schema.Int })) }).check(
      Schema.makeFilter(({ parts }) => parts.reduce((sum, { n }) => sum + n, 0) <= 10)
    )
    const codec = Codec.of(Sum)
    const held = ok(codec.hold({ parts: [{ n: 1 }, { n: 2 }] }))
    const { parts } = held.view() as typeof Sum.Type
    ok(codec.accept({ parts: [...parts, { n: 7 }] }, held))
    fault(codec.accept({ parts: [...parts, { n: 8 }] }, held))
    fault(codec.accept({ parts: parts.with(0, { n: 9 }) }, held))
  })

  it("is believed only of the same schema", () => {
    const Loose = Codec.of(Schema.Struct({ n: Schema.Number, s: Schema.String }))
    const Strict = Codec.of(Schema.Struct({ n: Schema.Int, s: Schema.String }))
    const held = ok(Loose.hold({ n: 1.5, s: "a" }))
    assert.deepStrictEqual(fault(Strict.accept(held.view(), held)).path, ["n"])
    assert.deepStrictEqual(fault(Strict.accept({ ...held.view() as object, s: "b" }, held)).path, ["n"])
  })

  it("of a union is believed only of the same member", () => {
    const Shape = Schema.Union([
      Schema.TaggedStruct("text", { of: Schema.String }),
      Schema.TaggedStruct("count", { of: Schema.Int })
    ])
    const codec = Codec.of(Shape)
    const held = ok(codec.hold({ _tag: "text", of: "a" }))
    fault(codec.accept({ _tag: "count", of: "a" }, held))
    const count = ok(codec.accept({ _tag: "count", of: 1 }, held))
    assert.strictEqual(text(count), `{"_tag":"count","of":1}`)
    assert.strictEqual(count.bytes, text(count).length)
  })

  it("in a record counts its order", () => {
    const codec = Codec.of(Schema.Record(Schema.String, Schema.Int))
    const held = ok(codec.hold({ a: 1, b: 2 }))
    assert.strictEqual(ok(codec.accept({ a: 1, b: 2 }, held)), held)
    assert.strictEqual(text(ok(codec.accept({ b: 2, a: 1 }, held))), `{"b":2,"a":1}`)
  })
})

it("a record that others wrote in their own way is counted as it is, and as we write it once it changes", () => {
  const codec = Codec.of(Schema.Struct({ a: Schema.Int, b: Schema.Array(Schema.String) }))
  const record = `{ "b": ["\\u0061"],\n "a": 1e2 }`
  const held = ok(codec.read(record))
  assert.strictEqual(held.bytes, record.length)
  assert.strictEqual(text(held), record)
  const next = ok(codec.accept({ a: 101, b: ["a"] }, held))
  assert.strictEqual(text(next), `{"a":101,"b":["a"]}`)
  assert.strictEqual(next.bytes, text(next).length)
})

it("one codec serves a schema", () => {
  const schema = Schema.Struct({ n: Schema.Int })
  assert.strictEqual(Codec.of(schema), Codec.of(schema))
})
