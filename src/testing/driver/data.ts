/** Data is stored as the exact bytes given. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { commit, committed, create, fresh, read, record, type Rules, TestStore, write } from "./TestStore.ts"

const texts: ReadonlyArray<readonly [what: string, data: string]> = [
  ["a number", "0"],
  ["the order of keys", `{"b":1,"a":2,"10":3,"9":4}`],
  ["a key given twice", `{"a":1,"a":2}`],
  ["white space", ` {\t"a" : [ 1 ,\n2\r\n] } \n`],
  [
    "numbers that a number cannot hold",
    `[1e400,-0,1.0,10000000000000000000001,0.1000000000000000055511151231257827,1E5]`
  ],
  ["escapes", `["\\u0000","\\n","\\/","\\u2028","\\"","\\\\","\\\\u0041"]`],
  ["lone surrogates, escaped", `["\\ud800","\\udfff","\\ud83d"]`],
  ["separators, raw", `["\u2028","\u2029","\u0085","\u007f","\ufeff"]`],
  ["emoji and other planes", `{"😀":"👩‍👩‍👧","𝒳":"\u{10ffff}"}`],
  ["both forms of é", `["\u00e9","e\u0301"]`],
  ["prototypes", `{"__proto__":{"a":1},"constructor":null,"toString":"x"}`],
  ["quotes and SQL", `"'; DROP TABLE scopes; -- \\" \` %s $1 ? :a ${"${b}"}"`],
  ["what a driver might write itself", `{"crc":0,"tx":[["x",null,"r","d"]],"revision":"r","data":null}`],
  ["a long line of backslashes", `"${"\\\\".repeat(5000)}"`]
]

export const data: Rules = (it) =>
  describe("data", () => {
    for (const [what, data] of texts) {
      it.effect(`keeps ${what}`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const name = fresh()
          const first = yield* create(a, name, data)
          for (const driver of [a, b]) assert.deepStrictEqual(yield* read(driver, name), first)
          const verdict = yield* commit(b, write(name, null, record()))
          assert.deepStrictEqual(verdict, { committed: false, current: [first] })
        }))
    }

    it.effect("keeps each text of one transaction apart", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = texts.map(() => fresh())
        const stored = texts.map(([, data]) => record(data))
        assert.deepStrictEqual(yield* commit(a, ...names.map((name, i) => write(name, null, stored[i]!))), committed)
        assert.deepStrictEqual(yield* b.read(names), stored)
      }))

    const large: ReadonlyArray<readonly [what: string, text: (bytes: number) => string]> = [
      ["ASCII", (bytes) => `"${"abcdefghijklmnop".repeat(bytes / 16).slice(2)}"`],
      ["two-byte characters", (bytes) => `"${"é".repeat((bytes - 2) / 2)}"`],
      ["emoji", (bytes) => `"${"😀".repeat((bytes - 4) / 4)}xy"`],
      ["escapes", (bytes) => `"${"\\n".repeat((bytes - 2) / 2)}"`]
    ]
    for (const [what, text] of large) {
      it.effect(`keeps 1 MiB of ${what}`, () => keeps(text(1024 * 1024), 1024 * 1024))
    }

    it.effect("keeps as much as the driver's limit says, up to 16 MiB", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        const bytes = Math.min(a.limits.dataBytes, 16 * 1024 * 1024)
        yield* keeps(`"${"x".repeat(bytes - 2)}"`, bytes)
      }))

    it.effect("keeps many large states of one batch", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: 8 }, () => fresh())
        const stored = names.map((_, i) => record(`"${String(i).repeat(256 * 1024)}"`))
        for (const verdict of yield* a.commit(names.map((name, i) => [write(name, null, stored[i]!)]))) {
          assert.deepStrictEqual(verdict, committed)
        }
        const found = yield* b.read(names)
        assert.isTrue(found.every((record, i) => record?.data === stored[i]!.data))
      }))
  })

// Compared by hand: a failure should not print a megabyte.
const keeps = Effect.fnUntraced(function*(data: string, bytes: number) {
  assert.strictEqual(Buffer.byteLength(data), bytes)
  const { a, b } = yield* TestStore
  const name = fresh()
  const first = yield* create(a, name, data)
  for (const driver of [a, b]) {
    const found = yield* read(driver, name)
    assert.strictEqual(found?.revision, first.revision)
    assert.strictEqual(found?.data?.length, data.length)
    assert.isTrue(found?.data === data, "the same text")
  }
  assert.deepStrictEqual(yield* commit(b, write(name, first, record("0"))), committed)
})
