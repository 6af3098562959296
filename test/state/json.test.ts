import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { parse } from "../../src/internal/state/json.ts"
import { ok } from "./support.ts"

it("keys are read as they were written, whatever keys were read before", () => {
  const before = [`{"z":0,"a\\\\":0}`, `{"z":0,"a\\\\n":0}`, `{"z":0,"\\\\":0}`, `{"z":0,"a\\\\u":0}`]
  const texts = [
    `{"z":0,"a\\n":0}`,
    `{"z":0,"a\\nb":0}`,
    `{"z":0,"\\u0000":0}`,
    `{"z":0,"a\\u0001":0}`,
    `{"z":0,"\\"":0}`
  ]
  for (const text of before) assert.strictEqual(JSON.stringify(JSON.parse(text)), text)
  for (const text of texts) assert.strictEqual(JSON.stringify(parse(text)), text)
  for (const text of before) assert.strictEqual(JSON.stringify(parse(text)), text)
  const codec = Codec.of(Schema.Record(Schema.String, Schema.Int))
  for (const text of texts) assert.strictEqual(JSON.stringify(ok(codec.read(text)).view()), text)
})

it("what is no JSON is none", () => {
  for (
    const text of [`{"a\\`, `"\\"`, `{"a\\n":}`, `["a\\" :]`, `{"a\\n" "b":1}`, `{"a\\x":1}`, `\\`, `{"\\\\":1`]
  ) assert.throws(() => parse(text), SyntaxError)
})

const Key = Schema.Array(
  Schema.Literals(["\\", "\n", "\"", "n", "u0001", "\u0001", ":", "\ue000", "a", "__proto__", " "])
)
const Pieces = Schema.Array(Schema.Struct({ key: Key, value: Key }))

it.effect.prop(
  "is JSON.parse, in any layout",
  [Schema.Array(Pieces), Schema.Literals([0, 1])],
  ([objects, indent]) =>
    Effect.sync(() => {
      const entries = objects.map((pieces) =>
        new Map(pieces.map(({ key, value }) => [key.join(""), [value.join("")]] as const))
      )
      const text = JSON.stringify(entries.map((map) => [...map]), undefined, indent)
      assert.strictEqual(JSON.stringify(parse(text), undefined, indent), text)
      const written = `[${
        entries.map((map) =>
          `{${[...map].map(([key, value]) => `${JSON.stringify(key)} :${JSON.stringify(value)}`).join()}}`
        ).join()
      }]`
      const read = parse(written) as ReadonlyArray<object>
      assert.deepStrictEqual(
        read.map((object) => new Map(Reflect.ownKeys(object).map((key) => [key, Reflect.get(object, key)]))),
        entries
      )
    }),
  { arbitrary: { runs: 1_000 }, timeout: 60_000 }
)
