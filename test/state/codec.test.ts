import { assert, describe, it } from "@effect/vitest"
import { Chunk, Effect, HashMap, Option, Redacted, Schema, SchemaAST, SchemaGetter, SchemaTransformation } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import * as Schemas from "./schemas.ts"
import { fault, ok, text } from "./support.ts"

const hold = (schema: Schema.Codec<unknown, unknown>, state: unknown) => Codec.of(schema).hold(state)

class Secretive {
  readonly #n = 1
  get n() {
    return this.#n
  }
}

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
    ["a map where records are wanted", Schema.Record(Schema.String, Schema.Int), new Map([["a", 1]]), []],
    ["a date among them", Schema.Record(Schema.String, Schema.Struct({ n: Schema.optionalKey(Schema.Int) })), {
      a: new Date(0)
    }, ["a"]],
    ["what keeps its fields to itself", Schema.Record(Schema.String, Schema.Int), new Secretive(), []],
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

  it("also where it would be read back as what is there already", () => {
    const Trimmed = Schema.String.pipe(Schema.decodeTo(Schema.String, {
      decode: SchemaGetter.transform((s: string) => s),
      encode: SchemaGetter.transform((s: string) => s.trim())
    }))
    const codec = Codec.of(Schema.Struct({ at: Schema.Date, name: Schema.Struct({ first: Trimmed }) }))
    const held = ok(codec.hold({ at: new Date(0), name: { first: "a" } }))
    assert.deepStrictEqual(fault(codec.accept({ at: new Date(0), name: { first: " a" } }, held)).path, [
      "name",
      "first"
    ])
    assert.strictEqual(ok(codec.accept({ at: new Date(0), name: { first: "a" } }, held)), held)
  })

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

describe("what keeps its contents to itself", () => {
  class Money {
    readonly #cents: number
    constructor(cents: number) {
      this.#cents = cents
    }
    get cents() {
      return this.#cents
    }
  }
  const Price = Schema.declare((u): u is Money => u instanceof Money, {
    toCodecJson: () =>
      new SchemaAST.Link(
        Schema.Struct({ cents: Schema.Int }).ast,
        SchemaTransformation.transform<Money, { readonly cents: number }>({
          decode: ({ cents }) => new Money(cents),
          encode: ({ cents }) => ({ cents })
        })
      )
  })

  it("is seen to change by what is written of it", () => {
    for (
      const schema of [
        Schema.Struct({ price: Price, n: Schema.Int }),
        Schema.Struct({ price: Price, n: Schema.BigInt })
      ]
    ) {
      const codec = Codec.of(schema)
      const n = schema.fields.n === Schema.Int ? 1 : 1n
      const held = ok(codec.hold({ price: new Money(1), n }))
      const next = ok(codec.accept({ price: new Money(250), n }, held))
      assert.strictEqual((next.view() as { readonly price: Money }).price.cents, 250)
      assert.strictEqual(next.bytes, text(next).length)
      assert.strictEqual(ok(codec.accept({ price: new Money(250), n }, next)), next)
    }
  })
})

describe("a part with a default", () => {
  const State = Schema.Struct({
    lines: Schema.Array(Schema.String),
    tags: Schema.Array(Schema.String).pipe(Schema.withDecodingDefaultKey(Effect.succeed(["new"]))),
    at: Schema.Date.pipe(Schema.withDecodingDefaultKey(Effect.sync(() => new Date(0)))),
    omitted: Schema.Array(Schema.String).pipe(
      Schema.withDecodingDefaultKey(Effect.succeed([]), { encodingStrategy: "omit" })
    )
  })

  it("is there once it was read, and stored with the next change", () => {
    const codec = Codec.of(State)
    const held = ok(codec.read(`{"lines":["a"],"later":1}`))
    const state = held.view() as typeof State.Type
    assert.deepStrictEqual(state, { lines: ["a"], tags: ["new"], at: new Date(0), omitted: [] })
    assert.deepStrictEqual(JSON.parse(text(ok(codec.accept({ ...state, lines: [] }, held)))), {
      lines: [],
      tags: ["new"],
      at: "1970-01-01T00:00:00.000Z",
      later: 1
    })
    fault(codec.accept({ ...state, omitted: ["lost"] }, held))
  })
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

  it("is not looked at beside what is written as something else, and that only where it has changed", () => {
    let looked = 0
    let written = 0
    const Word = Schema.String.check(Schema.makeFilter(() => ++looked > 0))
    const Count = Schema.Int.pipe(Schema.decodeTo(
      Schema.Int,
      SchemaTransformation.transform({ decode: (n) => n, encode: (n) => (written++, n) })
    ))
    const State = Schema.Struct({ words: Schema.Array(Word), count: Count, total: Schema.BigInt })
    const codec = Codec.of(State)
    let held = ok(codec.hold({ words: ["a", "b"], count: 1, total: 1n }))
    for (const step of [0, 1, 3]) {
      looked = written = 0
      const before = held.view() as typeof State.Type
      held = ok(codec.accept({ ...before, count: before.count + step, total: before.total + 20n }, held))
      assert.strictEqual(
        text(held),
        JSON.stringify({ ...before, count: before.count + step, total: `${before.total + 20n}` })
      )
      assert.strictEqual(held.bytes, text(held).length)
      assert.strictEqual(written, step === 0 ? 0 : 1)
      assert.strictEqual(looked, 0)
    }
  })

  it("is told from what is equal and written otherwise", () => {
    const Signed = Schema.String.pipe(Schema.decodeTo(
      Schema.Number,
      SchemaTransformation.transform({ decode: Number, encode: (n) => Object.is(n, -0) ? "-0" : String(n) })
    ))
    const codec = Codec.of(Schema.Struct({ all: Schema.Array(Signed), one: Signed }))
    const held = ok(codec.hold({ all: [0, 0, 1], one: 0 }))
    const { all, one } = held.view() as { all: ReadonlyArray<number>; one: number }
    assert.strictEqual(text(ok(codec.accept({ all: [0, -0, 1], one }, held))), `{"all":["0","-0","1"],"one":"0"}`)
    assert.strictEqual(text(ok(codec.accept({ all, one: -0 }, held))), `{"all":["0","0","1"],"one":"-0"}`)
  })

  it("is measured as it is written where it goes", () => {
    const Item = Schema.Struct({ n: Schema.BigInt })
    const State = Schema.Struct({
      list: Schema.Array(Item),
      byKey: Schema.Record(Schema.String, Schema.BigInt),
      either: Schema.Union([Schema.Boolean, Item]),
      maybe: Schema.optionalKey(Item)
    })
    const codec = Codec.of(State)
    let held = ok(codec.hold({
      list: [{ n: 100n }, { n: 2_000n }, { n: 3n }],
      byKey: { a: 10n, b: 123_456n },
      either: { n: 12n },
      maybe: { n: 1_234n }
    }))
    for (
      const change of [
        ({ list, ...rest }: typeof State.Type) => ({ ...rest, list: list.slice(1, 2) }),
        ({ byKey, ...rest }: typeof State.Type) => ({ ...rest, byKey: { a: byKey.a! } }),
        (state: typeof State.Type) => ({ ...state, either: true }),
        ({ maybe: _, ...state }: typeof State.Type) => state
      ]
    ) {
      held = ok(codec.accept(change(held.view() as typeof State.Type), held))
      assert.strictEqual(held.bytes, text(held).length)
    }
    assert.strictEqual(text(held), `{"list":[{"n":"2000"}],"byKey":{"a":"10"},"either":true}`)
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

describe("a member of a union that another one would take, too, less some of its keys", () => {
  const loose = (b: Schema.Codec<unknown, unknown>): Schema.Codec<unknown, unknown> =>
    Schema.Union([Schema.Struct({ a: Schema.optionalKey(b) }), Schema.Struct({ b })])

  it("is still the same when something beside it changes after it was read", () => {
    for (const [type, value] of [[Schema.Int, 1], [Schema.BigInt, 1n], [Schema.Date, new Date(1)]] as const) {
      const schema = Schema.Struct({ n: Schema.Int, part: loose(type) })
      const written = text(ok(hold(schema, { n: 1, part: { b: value } })))
      const read = ok(Codec.of(schema).read(written))
      assert.deepStrictEqual(read.view(), { n: 1, part: { b: value } })
      const next = ok(Codec.of(schema).accept({ ...read.view() as object, n: 2 }, read))
      assert.strictEqual(text(next), written.replace(`"n":1`, `"n":2`))
      assert.strictEqual(next.bytes, Buffer.byteLength(text(next)))
      assert.deepStrictEqual(next.view(), { n: 2, part: { b: value } })
    }
  })

  it("is read as the one that has all of the keys", () => {
    const schema = Schema.Chunk(Schema.Union([
      Schema.Struct({ a: Schema.optionalKey(Schema.Int) }),
      Schema.Chunk(Schema.Int)
    ]))
    const held = ok(hold(schema, Chunk.of(Chunk.of(1))))
    assert.strictEqual(text(held), "[[1]]")
    assert.deepStrictEqual(ok(Codec.of(schema).read("[[1]]")).view(), Chunk.of(Chunk.of(1)))
  })
})

it("not-a-number that is written as something else is not taken for a change", () => {
  const schema = Schema.Struct({
    n: Schema.Int,
    x: Schema.String.pipe(Schema.decodeTo(Schema.Number, {
      decode: SchemaGetter.transform((text: string) => Number(text)),
      encode: SchemaGetter.transform((n: number) => String(n))
    }))
  })
  const held = ok(hold(schema, { n: 1, x: Number.NaN }))
  assert.strictEqual(ok(Codec.of(schema).accept({ n: 1, x: Number.NaN }, held)), held)
})
