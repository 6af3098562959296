/** Names are compared byte for byte, and every text is a name. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import {
  check,
  commit,
  commitAll,
  committed,
  create,
  fresh,
  record,
  refused,
  type Rules,
  TestStore,
  write
} from "./TestStore.ts"

const utf8 = new TextEncoder()
const bytes = (text: string): number => utf8.encode(text).length

/** Groups of names that some store, somewhere, takes for one. */
const lookalikes: ReadonlyArray<ReadonlyArray<string>> = [
  ["A", "a", "a ", " a", "a\0", "a\0\0", "a\t", "aa", "á", "à", "å", "A\u030a", "Å", "\u212b"],
  ["\u00e9", "e\u0301"],
  ["ß", "ss", "SS", "ẞ"],
  ["I", "i", "İ", "ı"],
  ["ﬁ", "fi"],
  ["Ω", "Ω", "ω"],
  ["\u200b", "\u200d", "\ufeff", "\u00ad", " ", "\u00a0", "\u3000"],
  ["１", "1", "01", "1.0", "+1", "1e0"],
  [".", "..", "../x", "./x", "x", "x/", "/x", "x/../x", "~", "x.", "x..", "x:y", "C:\\x"],
  ["CON", "con", "NUL", "nul", "COM1", "LPT1.txt", "AUX"],
  ["'", "''", "\"", "\\'", "`", "\\", "\\\\", "' OR '1'='1", "'; DROP TABLE scopes; --"],
  ["\n", "\r", "\r\n", "\\n", "\u2028", "\u2029", "\u0085", "\v", "\u001f", "\u007f"],
  ["__proto__", "constructor", "toString", "hasOwnProperty", "null", "undefined", "true", "0"],
  ["%", "%25", "%2F", "_", "*", "?", "[a]", "[", "]", "{a}", "{a}b", "{}", "^a", "$", "#", "|", ";", "&"],
  ["😀", "😁", "👩‍👩‍👧", "👩👩👧", "\u{1f468}\u{1f3fd}", "\u{1f468}", "\u{10ffff}", "\u{fffd}", "\u{ffff}", "\u{e000}"],
  ["a:b", "a", "b", "a:b:c", "a::b", ":", "::"]
]

export const names: Rules = (it) =>
  describe("a name", () => {
    for (const whole of [true, false]) {
      it.effect(`is compared byte for byte, ${whole ? "whole" : "after a common beginning"}`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const beginning = whole ? "" : fresh("")
          const all = [...new Set(lookalikes.flat())].map((name) => beginning + name)
          const stored = all.map((name) => record(JSON.stringify(name)))
          // One by one, so that a name which is taken for another is refused by name.
          for (const [i, name] of all.entries()) {
            assert.deepStrictEqual(yield* commit(a, write(name, null, stored[i]!)), committed, JSON.stringify(name))
          }
          assert.deepStrictEqual(yield* b.read(all), stored)
          assert.deepStrictEqual(yield* b.read(all.toReversed()), stored.toReversed())
          const changed = all.map((name) => record(`[${JSON.stringify(name)}]`))
          for (
            const [i, verdict] of (yield* commitAll(
              b,
              all.map((name, i) => [
                write(name, stored[i]!, changed[i]!)
              ])
            )).entries()
          ) {
            assert.deepStrictEqual(verdict, committed, JSON.stringify(all[i]))
          }
          assert.deepStrictEqual(yield* a.read(all), changed)
          const listed = new Set(yield* Stream.runCollect(a.names(beginning)))
          assert.deepStrictEqual(all.filter((name) => !listed.has(name)), [])
        }))
    }

    it.effect("does not stand for another in one transaction", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const beginning = fresh("")
        const group = ["A", "a", "a ", "a\0", "\u00e9", "e\u0301", "😀", "x", "./x", "%", "*"]
        const all = group.map((name) => beginning + name)
        const next = all.map((_, i) => record(`${i}`))
        assert.deepStrictEqual(yield* commit(a, ...all.map((name, i) => write(name, null, next[i]!))), committed)
        assert.deepStrictEqual(yield* b.read(all), next)
        const wrong = all.map((name, i) => check(name, next.at(i - 1)!))
        assert.deepStrictEqual(yield* commit(b, ...wrong), refused(...next))
        assert.deepStrictEqual(yield* commit(b, ...all.map((name, i) => check(name, next[i]!))), committed)
      }))

    it.effect("can be anything from one byte to the driver's limit", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const limit = Math.min(a.limits.nameBytes, 4096)
        const beginning = fresh("")
        const fill = (end: string) => {
          const room = limit - bytes(beginning) - bytes(end)
          return beginning + "é".repeat(room >> 1) + "x".repeat(room & 1) + end
        }
        const long = [fill("a"), fill("b"), fill("é"), fill("😀"), fill(" "), fill(".."), fill("\0"), fill("/x")]
        for (const name of long) assert.strictEqual(bytes(name), limit)
        // The same but for the end, which a store that cuts names would lose.
        const all = [...long, fill("a").slice(0, -1), fill("a").slice(0, -2), "\u0001", "\u0080", "\u0800", "\u{10000}"]
        const stored = all.map((_, i) => record(`${i}`))
        for (const [i, name] of all.entries()) {
          assert.deepStrictEqual(yield* commit(a, write(name, null, stored[i]!)), committed, JSON.stringify(name))
        }
        assert.deepStrictEqual(yield* b.read(all), stored)
        const listed = new Set(yield* Stream.runCollect(b.names(beginning)))
        assert.deepStrictEqual(listed, new Set(all.filter((name) => name.startsWith(beginning))))
      }))

    it.effect("can be that of a scope next to one it begins with", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh("cart")
        const all = [name, `${name}/`, `${name}/1`, `${name}:1`, `${name}.1`, `${name}.json`, `${name}.tmp`]
        const stored: Array<ReturnType<typeof record>> = []
        for (const one of all) stored.push(yield* create(a, one, JSON.stringify(one)))
        assert.deepStrictEqual(yield* b.read(all), stored)
      }))
  })
