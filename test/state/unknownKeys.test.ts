import { assert, describe, it } from "@effect/vitest"
import { Effect, HashMap, Option, Schema, SchemaGetter } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { differs } from "../../src/internal/state/same.ts"
import * as Schemas from "./schemas.ts"
import { blend, fault, ok, oracle, random, text } from "./support.ts"

type Json = { readonly [key: string]: unknown }

/** Reads a record, lets handlers change it one after another, and gives the record as it is then. */
const through = <S extends Schema.Codec<unknown, unknown>>(
  schema: S,
  record: unknown,
  ...handlers: ReadonlyArray<(state: S["Type"]) => S["Type"]>
): unknown => {
  const codec = Codec.of(schema)
  let held = ok(codec.read(JSON.stringify(record)))
  for (const handler of handlers) {
    held = ok(codec.accept(handler(held.view()), held))
    assert.strictEqual(held.bytes, Buffer.byteLength(text(held)))
  }
  return JSON.parse(text(held))
}

const Line = Schema.Struct({ id: Schema.String, n: Schema.Int })
const Cart = Schema.Struct({
  lines: Schema.Array(Line),
  note: Schema.optionalKey(Schema.Struct({ text: Schema.String }))
})

class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String }) {}

describe("keys that the schema does not know", () => {
  it("are invisible to handlers, count in the bytes and stay at every depth", () => {
    const codec = Codec.of(Cart)
    const record = {
      lines: [{ id: "a", n: 1, colour: "red" }],
      note: { text: "t", by: { id: 1 } },
      later: [1, { x: 2 }]
    }
    const held = ok(codec.read(JSON.stringify(record)))
    assert.deepStrictEqual(held.view(), { lines: [{ id: "a", n: 1 }], note: { text: "t" } })
    assert.strictEqual(held.bytes, JSON.stringify(record).length)
    assert.deepStrictEqual(
      through(Cart, record, (cart) => ({ ...cart, lines: cart.lines.map((line) => ({ ...line, n: line.n + 1 })) })),
      { ...record, lines: [{ id: "a", n: 2, colour: "red" }] }
    )
  })

  it("leave a record alone that does not change", () => {
    const codec = Codec.of(Cart)
    const held = ok(codec.read(`{ "later": 1, "lines": [] }`))
    assert.strictEqual(ok(codec.accept({ lines: [] }, held)), held)
    assert.strictEqual(text(held), `{ "later": 1, "lines": [] }`)
  })

  it("go with the part they belong to, and do not come back", () => {
    const record = { lines: [], note: { text: "t", by: 1 } }
    assert.deepStrictEqual(through(Cart, record, () => ({ lines: [] })), { lines: [] })
    assert.deepStrictEqual(
      through(Cart, record, () => ({ lines: [] }), () => ({ lines: [], note: { text: "u" } })),
      { lines: [], note: { text: "u" } }
    )
  })

  it("are not there after a removal and a new beginning", () => {
    assert.strictEqual(text(ok(Codec.of(Cart).hold({ lines: [] }))), `{"lines":[]}`)
  })

  const elements = { lines: [{ id: "a", n: 1, x: "A" }, { id: "b", n: 2 }, { id: "c", n: 3, x: "C" }] }
  const lines = (handler: (lines: ReadonlyArray<typeof Line.Type>) => ReadonlyArray<typeof Line.Type>) =>
    (through(Cart, elements, (cart) => ({ lines: handler(cart.lines) })) as typeof elements).lines.map(({ id, x }) =>
      `${id}${x ?? ""}`
    ).join()

  it("follow the elements of arrays that stay equal, and else the place", () => {
    assert.strictEqual(lines((lines) => lines.toReversed()), "cC,b,aA")
    assert.strictEqual(lines((lines) => lines.slice(1)), "b,cC")
    assert.strictEqual(lines((lines) => [{ id: "z", n: 0 }, ...lines]), "z,aA,b,cC")
    assert.strictEqual(lines((lines) => lines.with(0, { id: "a", n: 9 })), "aA,b,cC")
    assert.strictEqual(lines((lines) => lines.toSpliced(1, 1).with(1, { id: "c", n: 9 })), "aA,c")
  })

  it("stay inside the values of maps, classes and options", () => {
    const State = Schema.Struct({
      map: Schema.ReadonlyMap(Schema.String, Line),
      table: Schema.HashMap(Schema.String, Line),
      owner: Owner,
      option: Schema.Option(Line)
    })
    const line = (id: string) => ({ id, n: 1, x: id.toUpperCase() })
    const record = {
      map: [["a", line("a")], ["b", line("b")]],
      table: ["p", "q", "r", "s"].map((key) => [key, line(key)]),
      owner: { name: "Ada", born: 1815 },
      option: { _tag: "Some", value: line("o") },
      more: true
    }
    const changed = through(State, record, (state) => ({
      map: new Map([["z", { id: "z", n: 1 }], ["b", { id: "b", n: 2 }], ["a", { id: "a", n: 2 }]]),
      table: HashMap.set(HashMap.remove(state.table, "q"), "r", { id: "r", n: 7 }),
      owner: new Owner({ name: "Ada L." }),
      option: Option.map(state.option, (line) => ({ ...line, n: 5 }))
    })) as Json
    assert.deepStrictEqual(changed["map"], [["z", { id: "z", n: 1 }], ["b", { ...line("b"), n: 2 }], ["a", {
      ...line("a"),
      n: 2
    }]])
    assert.deepStrictEqual(
      new Map(changed["table"] as ReadonlyArray<[string, unknown]>),
      new Map([["p", line("p")], ["r", { ...line("r"), n: 7 }], ["s", line("s")]])
    )
    assert.deepStrictEqual(changed["owner"], { name: "Ada L.", born: 1815 })
    assert.deepStrictEqual(changed["option"], { _tag: "Some", value: { ...line("o"), n: 5 } })
    assert.strictEqual(changed["more"], true)
  })

  it("called __proto__ stay data", () => {
    const codec = Codec.of(Schema.Struct({ n: Schema.Int }))
    const held = ok(codec.read(`{"n":1,"__proto__":{"admin":true}}`))
    assert.isFalse("admin" in (held.view() as object))
    assert.strictEqual(text(ok(codec.accept({ n: 2 }, held))), `{"n":2,"__proto__":{"admin":true}}`)
  })

  it("that are known to an older form of the state are not kept beside its new form", () => {
    const Old = Schema.Struct({ name: Schema.String })
    const New = Schema.Struct({ first: Schema.String })
    const Either = Schema.Union([
      Old.pipe(Schema.decodeTo(New, {
        decode: SchemaGetter.transform(({ name }) => ({ first: name })),
        encode: SchemaGetter.forbidden(() => "The old form is not written any more")
      })),
      New
    ])
    const rename = (state: { readonly first: string }) => ({ first: `${state.first}!` })
    assert.deepStrictEqual(through(Either, { name: "Ada" }, rename, rename), { first: "Ada!!" })
    assert.deepStrictEqual(through(Either, { name: "Ada", later: 1 }, rename, rename), { first: "Ada!!", later: 1 })
  })

  it("do not change which member of a union is read", () => {
    const schema = Schema.Union([Schema.Struct({ a: Schema.Int }), Schema.Struct({ a: Schema.Int, b: Schema.Int })])
    assert.deepStrictEqual(ok(Codec.of(schema).read(`{"a":1,"b":2}`)).view(), { a: 1, b: 2 })
    assert.deepStrictEqual(through(schema, { a: 1, b: 2 }, (state) => ({ ...state, a: 3 })), { a: 3, b: 2 })
  })

  it("that would turn a state into another one keep it from being stored", () => {
    const Small = Schema.Struct({ a: Schema.Int })
    const Large = Schema.Struct({ a: Schema.Int.check(Schema.isGreaterThan(10)), b: Schema.Int })
    const codec = Codec.of(Schema.Struct({ either: Schema.Union([Small, Large]) }))
    const held = ok(codec.read(`{"either":{"a":1,"b":2}}`))
    assert.deepStrictEqual(held.view(), { either: { a: 1 } })
    assert.strictEqual(text(ok(codec.accept({ either: { a: 2 } }, held))), `{"either":{"a":2,"b":2}}`)
    const { path, reason } = fault(codec.accept({ either: { a: 20 } }, held))
    assert.deepStrictEqual(path, ["either", "b"])
    assert.match(reason, /beside the keys/)
    assert.strictEqual(text(ok(codec.accept({ either: { a: 20, b: 3 } }, held))), `{"either":{"a":20,"b":3}}`)
  })

  it("do not hide what is wrong with a record", () => {
    assert.deepStrictEqual(fault(Codec.of(Cart).read(`{"later":1,"lines":[{"id":"a","n":"x"}]}`)).path, [
      "lines",
      0,
      "n"
    ])
  })
})

/** Adds keys that no schema knows to a JSON value, wherever there is an object. */
const decorate = (json: unknown, random: (below: number) => number): unknown => {
  if (Array.isArray(json)) return json.map((item) => decorate(item, random))
  if (typeof json !== "object" || json === null) return json
  const out = Object.fromEntries(Object.entries(json).map(([key, value]) => [key, decorate(value, random)]))
  return random(2) === 0 ? { ...out, "from later": random(1_000) } : out
}

/** Everything that `decorate` has added that still has its place. */
const added = (json: unknown): number =>
  typeof json !== "object" || json === null
    ? 0
    : Object.entries(json).reduce((sum, [key, value]) => sum + (key === "from later" ? 1 : added(value)), 0)

const closed = Object.entries(Schemas.all).filter(([name]) =>
  // Everything is known to these.
  !["json", "unknown", "records", "rest", "numbers"].includes(name)
)

for (const [name, schema] of closed) {
  const codec = Codec.of(schema)
  it.effect.prop(`unknown keys survive any sequence of updates under ${name}`, [
    Schema.Array(schema).check(Schema.isMinLength(2), Schema.isMaxLength(6)),
    Schema.Int
  ], ([states, seed]) =>
    Effect.sync(() => {
      const next = random(seed)
      const first = oracle(schema, states[0])
      if (first === undefined) return
      const record = JSON.stringify(decorate(JSON.parse(first.text), next))
      let held = ok(codec.read(record))
      assert.isUndefined(differs(held.view(), first.back), "they are invisible")
      assert.strictEqual(text(held), record)
      for (const state of states.slice(1)) {
        const before = JSON.parse(text(held))
        const left = blend(held.view(), state, next)
        const accepted = codec.accept(left, held)
        const expected = oracle(schema, left)
        if (expected === undefined) {
          fault(accepted)
          continue
        }
        held = ok(accepted)
        const after = JSON.parse(text(held))
        assert.strictEqual(held.bytes, Buffer.byteLength(text(held)))
        assert.isUndefined(differs(held.view(), expected.back))
        assert.isUndefined(differs(ok(codec.read(text(held))).view(), expected.back))
        // What did not change kept all of them; nothing has more than before.
        if (differs(left, first.back) === undefined) assert.isAtMost(added(after), added(before))
        if ("from later" in Object(before) && !Array.isArray(after) && typeof after === "object") {
          assert.strictEqual((after as Json)["from later"], before["from later"])
        }
        assert.isAtMost(added(after), added(before))
      }
      const untouched = ok(codec.accept(held.view(), held))
      assert.strictEqual(added(JSON.parse(text(untouched))), added(JSON.parse(text(held))))
    }), { arbitrary: { runs: 150 }, timeout: 60_000 })
}
