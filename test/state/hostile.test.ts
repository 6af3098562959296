import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, SchemaGetter, type SchemaIssue } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { fault, ok, text } from "./support.ts"

interface Nest {
  readonly in: Nest | null
}
const Nest: Schema.Codec<Nest> = Schema.Struct({ in: Schema.NullOr(Schema.suspend(() => Nest)) })
const Checked: Schema.Codec<Nest> = Schema.Struct({
  in: Schema.NullOr(Schema.suspend((): Schema.Codec<Nest> => Checked))
}).check(Schema.makeFilter(() => true))
interface Dated {
  readonly at: Date
  readonly in: Dated | null
}
const Dated: Schema.Codec<Dated, unknown> = Schema.Struct({
  at: Schema.Date,
  in: Schema.NullOr(Schema.suspend((): Schema.Codec<Dated, unknown> => Dated))
})
type List = ReadonlyArray<List>
const List: Schema.Codec<List> = Schema.Array(Schema.suspend(() => List))
// Makes new parts for ever as it is looked at.
const endless = (): Schema.Codec<Nest> => Schema.Struct({ in: Schema.NullOr(Schema.suspend(endless)) })

const nested = (depth: number): unknown => {
  let state: Nest | null = null
  for (let i = 0; i < depth; i++) state = { in: state }
  return state
}
const brackets = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
const braces = (depth: number, more = "") => `{${more}"in":`.repeat(depth) + "null" + "}".repeat(depth)

describe("depth", () => {
  it("of a few thousand levels works under JSON", () => {
    for (const schema of [Schema.Json, Schema.Unknown]) {
      const codec = Codec.of(schema)
      const state: unknown = JSON.parse(brackets(2_500))
      const held = ok(codec.hold(state))
      assert.strictEqual(held.bytes, 5_000)
      assert.strictEqual(text(held), brackets(2_500))
      assert.strictEqual(ok(codec.accept(JSON.parse(brackets(2_500)), held)).bytes, 5_000)
    }
  })

  for (const depth of [500, 3_000, 20_000]) {
    it(`of ${depth} levels is read and written or refused, never thrown`, () => {
      const states: ReadonlyArray<readonly [Schema.Codec<unknown, unknown>, unknown, string]> = [
        [Schema.Json, JSON.parse(brackets(depth)), brackets(depth)],
        [Schema.Unknown, nested(depth), braces(depth)],
        [Schema.Any, nested(depth), braces(depth)],
        [Nest, nested(depth), braces(depth)],
        [Checked, nested(depth), braces(depth, `"zz":1,`)],
        [endless(), nested(depth), braces(depth)],
        [List, [], brackets(depth)],
        [Dated, nested(depth), braces(depth, `"at":"2020-01-01T00:00:00.000Z",`)]
      ]
      for (const [schema, state, stored] of states) {
        const codec = Codec.of(schema)
        for (const result of [codec.hold(state), codec.read(stored)]) {
          if (result instanceof Codec.Fault) assert.isString(result.reason)
          else {
            const again = codec.accept(result.view(), result)
            if (again instanceof Codec.Fault) assert.isString(again.reason)
            result.text()
          }
        }
      }
    })
  }

  it("without end has a reason of its own", () => {
    assert.match(fault(Codec.of(Nest).read(braces(1_000_000))).reason, /nested too deeply/)
    assert.match(fault(Codec.of(Schema.Any).hold(nested(1_000_000))).reason, /nested too deeply/)
  })
})

describe("states that refer to themselves", () => {
  it("are refused", () => {
    const loop: { in: unknown } = { in: null }
    loop.in = loop
    for (const schema of [Schema.Json, Schema.Unknown, Schema.Any, Nest, Checked]) {
      assert.isString(fault(Codec.of(schema as Schema.Codec<unknown>).hold(loop)).reason)
    }
  })

  it("are refused where one object is there too often for any text", () => {
    let wide: unknown = "x"
    for (let i = 0; i < 40; i++) wide = [wide, wide]
    assert.match(fault(Codec.of(Schema.Json).hold(wide)).reason, /too long/)
  }, 60_000)
})

it("a state longer than a string can be is refused when its text is asked for", () => {
  const codec = Codec.of(Schema.Array(Schema.String))
  const long = "x".repeat(2 ** 28)
  const held = ok(codec.hold([long, long]))
  assert.strictEqual(held.bytes, 2 ** 29 + 7)
  assert.match(fault(held.text()).reason, /too long/)
  assert.match(fault(held.text()).reason, /too long/)
})

describe("user code that throws", () => {
  const thrown: ReadonlyArray<unknown> = [
    new Error("boom"),
    "boom",
    undefined,
    null,
    Object.create(null),
    {
      toString: () => {
        throw new Error("again")
      }
    },
    new RangeError("boom"),
    new Proxy({}, {
      get: () => {
        throw new Error("again")
      }
    })
  ]
  for (const [i, error] of thrown.entries()) {
    const boom = (): never => {
      throw error
    }
    const schemas: ReadonlyArray<Schema.Codec<unknown, unknown>> = [
      Schema.Struct({ n: Schema.Int.check(Schema.makeFilter(boom)) }),
      Schema.Struct({ n: Schema.Int }).check(Schema.makeFilter(boom)),
      Schema.Struct({
        n: Schema.Int.pipe(
          Schema.decodeTo(Schema.Int, {
            decode: SchemaGetter.transform(boom),
            encode: SchemaGetter.transform((n: number) => n)
          })
        )
      }),
      Schema.Struct({
        n: Schema.Int.pipe(Schema.decodeTo(Schema.Int, {
          decode: SchemaGetter.transform((n: number) => n),
          encode: SchemaGetter.transform(boom)
        }))
      }),
      Schema.Struct({ n: Schema.suspend(boom) }),
      Schema.Struct({ n: Schema.declare((_): _ is number => boom()) }),
      Schema.Struct({
        n: Schema.Int.pipe(Schema.decodeTo(Schema.Int, {
          decode: SchemaGetter.transformEffect(() => Effect.die(error)),
          encode: SchemaGetter.transformEffect(() => Effect.callback<number, SchemaIssue.Issue>(() => {}))
        }))
      })
    ]
    it(`in a schema is a fault of that state (${i})`, () => {
      for (const schema of schemas) {
        const codec = Codec.of(schema)
        assert.isString(fault(codec.hold({ n: 1 })).reason)
        const read = codec.read(`{"n":1}`)
        if (read instanceof Codec.Fault) assert.isString(read.reason)
        else assert.isString(fault(codec.accept({ n: 2 }, read)).reason)
      }
    })
    it(`in a state is a fault of that state (${i})`, () => {
      const handler = { get: boom, ownKeys: boom, has: boom, getOwnPropertyDescriptor: boom, getPrototypeOf: boom }
      const states = [
        {
          get n() {
            return boom()
          }
        },
        new Proxy({ n: 1 }, handler),
        { n: new Proxy({}, handler) },
        { n: { toJSON: boom } },
        { n: { valueOf: boom, toString: boom } }
      ]
      for (
        const schema of [
          Schema.Struct({ n: Schema.Int }),
          Schema.Unknown,
          Schema.Any,
          Schema.Struct({ n: Schema.Date }),
          Schema.Record(Schema.String, Schema.Unknown)
        ]
      ) {
        const codec = Codec.of(schema as Schema.Codec<unknown, unknown>)
        const before = codec.read(`{"n":1}`)
        for (const state of states) {
          const results = [
            codec.hold(state),
            ...(before instanceof Codec.Fault ? [] : [codec.accept(state, before)])
          ]
          for (const result of results) if (result instanceof Codec.Fault) assert.isString(result.reason)
        }
      }
    })
  }

  it("only at times does not spoil what is held", () => {
    let mood = true
    const Moody = Schema.Struct({
      at: Schema.String.pipe(Schema.decodeTo(Schema.Date, {
        decode: SchemaGetter.transform((text: string) => {
          if (!mood) throw new Error("not now")
          return new Date(text)
        }),
        encode: SchemaGetter.transform((date: Date) => date.toISOString())
      }))
    })
    const codec = Codec.of(Moody)
    const held = ok(codec.hold({ at: new Date(0) }))
    held.view()
    mood = false
    const view = held.view() as typeof Moody.Type
    assert.deepStrictEqual(view, { at: new Date(0) })
    Date.prototype.setTime.call(view.at, 5)
    assert.strictEqual(text(held), `{"at":"1970-01-01T00:00:00.000Z"}`)
    assert.match(fault(codec.accept({ at: new Date(1) }, held)).reason, /not now/)
    mood = true
    assert.strictEqual(text(ok(codec.accept({ at: new Date(5) }, held))), `{"at":"1970-01-01T00:00:00.005Z"}`)
  })
})

it("what is stored and no JSON is a fault", () => {
  for (const stored of ["", "{", "nul", "[1,]", "\ud800", "{\"a\":1}x"]) {
    assert.match(fault(Codec.of(Schema.Json).read(stored)).reason, /not JSON/)
  }
})
