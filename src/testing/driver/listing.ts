/** What is stored, by the beginning of its name. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { commit, commitAll, committed, create, fresh, record, type Rules, soon, TestStore, write } from "./TestStore.ts"

export const listing: Rules = (it) =>
  describe("the list of names", () => {
    it.effect("has what begins with the prefix, byte for byte, and nothing else", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const root = fresh("")
        const ends = ["a", "ab", "abc", "A", "a*", "a*b", "a?", "a?b", "a[b]", "a[b", "a%", "a%b", "a_", "a_b", "a\\"]
        ends.push("a\\b", "a ", "a\n", "a.", "a.b", "a^", "\u00e9", "\u00e9x", "e\u0301", "e\u0301x", "é ", "😀", "😀x")
        ends.push("b", "ba", "xa", "'", "a'", "a\"", "a{b}", "a{", "*", "%", "[")
        yield* commitAll(a, ends.map((end) => [write(root + end, null, record())]))
        for (const beginning of ["x", "/", " "]) yield* create(a, `${beginning}${root}a`)
        for (const prefix of ["", ...ends, "abcd", "a[", "[a-b]", "a[^b]", "?", "_", "^a", "zzz"]) {
          const expected = ends.filter((end) => end.startsWith(prefix)).map((end) => root + end)
          const listed = yield* Stream.runCollect(b.names(root + prefix))
          assert.deepStrictEqual(listed.toSorted(), expected.toSorted(), JSON.stringify(prefix))
        }
      }))

    it.effect("has everything for the empty prefix", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const stored = [fresh(), `é${fresh()}`, `%${fresh()}`, `\n${fresh()}`]
        for (const name of stored) yield* create(a, name)
        const listed = yield* Stream.runCollect(b.names(""))
        assert.strictEqual(new Set(listed).size, listed.length)
        for (const name of stored) assert.include(listed, name)
      }))

    it.effect("has a name once, however often it was written", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        let last = yield* create(a, name)
        for (let i = 0; i < 5; i++) {
          const next = record(`${i}`)
          assert.deepStrictEqual(yield* commit(i % 2 === 0 ? a : b, write(name, last, next)), committed)
          last = next
        }
        for (const driver of [a, b]) assert.deepStrictEqual(yield* Stream.runCollect(driver.names(name)), [name])
      }))

    it.effect("has not what only a refused transaction wrote", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const root = fresh("")
        const first = yield* create(a, `${root}a`)
        assert.isFalse(
          (yield* commit(a, write(`${root}b`, null, record()), write(`${root}a`, record(), first))).committed
        )
        for (const driver of [a, b]) assert.deepStrictEqual(yield* Stream.runCollect(driver.names(root)), [`${root}a`])
      }))

    it.effect("has 6,000 names, each once, while others come and go", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const root = fresh("")
        const all = Array.from({ length: 6000 }, (_, i) => `${root}${i}`)
        const gone = new Set(all.filter((_, i) => i % 10 === 0))
        for (let i = 0; i < all.length; i += 1000) {
          const part = all.slice(i, i + 1000)
          const first = part.map(() => record())
          yield* commitAll(a, part.map((name, i) => [write(name, null, first[i]!)]))
          const removed = part.flatMap((name, i) => gone.has(name) ? [[write(name, first[i]!, record(null))]] : [])
          yield* commitAll(b, removed)
        }
        const others = yield* Effect.gen(function*() {
          for (let i = 0;; i++) {
            const name = `${root}other${i}`
            const first = yield* create(a, name)
            yield* commit(a, write(name, first, record(null)))
            yield* Effect.sleep("1 millis")
          }
        }).pipe(Effect.forkChild({ startImmediately: true }))
        const listed = yield* soon("listing", Stream.runCollect(b.names(root)))
        yield* Fiber.interrupt(others)
        const expected = new Set(all.filter((name) => !gone.has(name)))
        assert.strictEqual(new Set(listed).size, listed.length, "each once")
        assert.deepStrictEqual(new Set(listed.filter((name) => !name.includes("other"))), expected)
        assert.strictEqual(yield* Stream.runCount(Stream.take(b.names(root), 10)), 10)
      }))
  })
