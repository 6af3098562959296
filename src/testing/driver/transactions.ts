/** What one transaction does, and what its verdict says. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  check,
  commit,
  committed,
  create,
  fresh,
  read,
  record,
  refused,
  type Rules,
  TestStore,
  write
} from "./TestStore.ts"

export const transactions: Rules = (it) =>
  describe("a transaction", () => {
    it.effect("reads null where nothing was stored", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        assert.deepStrictEqual(yield* a.read([fresh(), fresh()]), [null, null])
      }))

    it.effect("reads in the order of the names, the same name as often as asked", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two, none] = [fresh(), fresh(), fresh()] as const
        const first = yield* create(a, one, "1")
        const second = yield* create(a, two, "2")
        assert.deepStrictEqual(yield* b.read([two, none, one, two]), [second, null, first, second])
        assert.deepStrictEqual(yield* b.read([one, two, none]), [first, second, null])
      }))

    it.effect("reads nothing when asked for nothing", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        assert.deepStrictEqual(yield* a.read([]), [])
      }))

    it.effect("creates a scope only where there is none", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name, "1")
        for (const driver of [a, b]) {
          assert.deepStrictEqual(yield* commit(driver, write(name, null, record("2"))), refused(first))
          assert.deepStrictEqual(yield* read(driver, name), first)
        }
      }))

    it.effect("replaces the record it expects, and no other", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name, "1")
        const second = record("2")
        assert.deepStrictEqual(yield* commit(b, write(name, first, second)), committed)
        for (const driver of [a, b]) {
          assert.deepStrictEqual(yield* read(driver, name), second)
          assert.deepStrictEqual(yield* commit(driver, write(name, first, record("3"))), refused(second))
          assert.deepStrictEqual(yield* commit(driver, write(name, record(), record("3"))), refused(second))
          assert.deepStrictEqual(yield* read(driver, name), second)
        }
      }))

    it.effect("does not create what it expects at a revision", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        const name = fresh()
        assert.deepStrictEqual(yield* commit(a, write(name, record(), record())), refused(null))
        assert.isNull(yield* read(a, name))
      }))

    it.effect("compares revisions byte for byte", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const { revision } = record()
        const first = { revision: `${revision}k`, data: "1" }
        assert.deepStrictEqual(yield* commit(a, write(name, null, first)), committed)
        for (const other of [`${revision}K`, `${revision}k `, ` ${revision}k`, revision, `${revision}k\0`, ""]) {
          const verdict = yield* commit(b, write(name, { revision: other, data: null }, record()))
          assert.deepStrictEqual(verdict, refused(first), JSON.stringify(other))
        }
      }))

    it.effect("keeps a revision of 32 marks", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const marks = Array.from({ length: 32 }, (_, i) => `writer_${i}-xyz:${(2 ** 53 - 1 - i).toString(36)}`)
        const first = { revision: marks.join(" "), data: "1" }
        const almost = { revision: marks.with(31, "writer_31-xyz:0").join(" "), data: "2" }
        assert.deepStrictEqual(yield* commit(a, write(name, null, first)), committed)
        assert.deepStrictEqual(yield* commit(b, write(name, almost, record())), refused(first))
        assert.deepStrictEqual(yield* commit(b, write(name, first, record())), committed)
      }))

    it.effect("refuses itself when it is sent again, and shows its own revision", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two] = [fresh(), fresh()] as const
        const first = yield* create(a, one)
        const next = record("2")
        const other = record("3")
        const transaction = [write(one, first, next), write(two, null, other)] as const
        assert.deepStrictEqual(yield* commit(a, ...transaction), committed)
        assert.deepStrictEqual(yield* commit(a, ...transaction), refused(next, other))
        assert.deepStrictEqual(yield* commit(b, ...transaction), refused(next, other))
        const later = record("4")
        assert.deepStrictEqual(yield* commit(b, write(two, other, later)), committed)
        assert.deepStrictEqual(yield* commit(a, ...transaction), refused(next, later))
      }))

    it.effect("applies all of its writes together", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two, three] = [fresh(), fresh(), fresh()] as const
        const before = yield* create(a, two)
        const next = [record("1"), record("2"), record("3")] as const
        const verdict = yield* commit(
          a,
          write(three, null, next[2]),
          write(one, null, next[0]),
          write(two, before, next[1])
        )
        assert.deepStrictEqual(verdict, committed)
        assert.deepStrictEqual(yield* b.read([one, two, three]), next)
      }))

    it.effect("applies none of its writes when one of them is stale", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh(), fresh(), fresh()] as const
        const first = yield* create(a, names[0], "1")
        const second = yield* create(a, names[1], "2")
        const stored = [first, second, null]
        for (const stale of [0, 1, 2]) {
          const transaction = names.map((name, i) => write(name, i === stale ? record() : stored[i] ?? null, record()))
          for (const order of [transaction, transaction.toReversed()]) {
            const current = order === transaction ? stored : stored.toReversed()
            assert.deepStrictEqual(yield* commit(b, ...order), refused(...current))
            assert.deepStrictEqual(yield* a.read(names), stored)
          }
        }
      }))

    it.effect("only checks where it writes nothing", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two, none] = [fresh(), fresh(), fresh()] as const
        const first = yield* create(a, one, "1")
        const second = yield* create(a, two, "2")
        assert.deepStrictEqual(yield* commit(a, check(one, first), check(none, null)), committed)
        assert.deepStrictEqual(yield* commit(a, check(none, first), check(one, first)), refused(null, first))
        assert.deepStrictEqual(yield* commit(b, check(one, null)), refused(first))
        const next = record("3")
        assert.deepStrictEqual(yield* commit(b, check(one, second), write(two, second, next)), refused(first, second))
        assert.deepStrictEqual(yield* commit(b, check(one, first), write(two, second, next)), committed)
        assert.deepStrictEqual(yield* a.read([one, two, none]), [first, next, null])
      }))

    it.effect("takes as many scopes as the driver's limit says, up to 200", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: Math.min(a.limits.scopesPerTransaction, 200) }, () => fresh())
        const first = names.map(() => record("1"))
        const second = names.map(() => record("2"))
        const step = (from: ReadonlyArray<ReturnType<typeof record> | null>, to: typeof first) =>
          names.map((name, i) => write(name, from[i] ?? null, to[i]!))
        assert.deepStrictEqual(yield* commit(a, ...step([], first)), committed)
        assert.deepStrictEqual(
          yield* commit(b, ...step(first.with(names.length - 1, record()), second)),
          refused(...first)
        )
        assert.deepStrictEqual(yield* commit(b, ...step(first, second)), committed)
        assert.deepStrictEqual(yield* a.read(names), second)
      }))

    it.effect("states sensible limits", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        assert.isAtLeast(a.limits.nameBytes, 255)
        assert.isAtLeast(a.limits.dataBytes, 1024 * 1024)
        assert.isAtLeast(a.limits.scopesPerTransaction, 2)
        assert.isTrue(Number.isInteger(a.parallelism) && a.parallelism >= 1)
        assert.isNotEmpty(a.name)
      }))
  })
