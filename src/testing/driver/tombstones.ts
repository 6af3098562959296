/** Removal: the data goes, the revision stays for a while. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
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

export const tombstones: Rules = (it) =>
  describe("a tombstone", () => {
    it.effect("is read back as a record without data", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name)
        const gone = record(null)
        assert.deepStrictEqual(yield* commit(a, write(name, first, gone)), committed)
        for (const driver of [a, b]) assert.deepStrictEqual(yield* read(driver, name), gone)
      }))

    it.effect("is not the data null, nor an empty text", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [gone, nothing, empty] = [fresh(), fresh(), fresh()] as const
        const records = [record(null), record("null"), record("")] as const
        assert.deepStrictEqual(yield* commit(a, write(gone, null, records[0])), committed)
        assert.deepStrictEqual(yield* commit(a, write(nothing, null, records[1])), committed)
        assert.deepStrictEqual(yield* commit(a, write(empty, null, records[2])), committed)
        assert.deepStrictEqual(yield* b.read([gone, nothing, empty]), records)
      }))

    it.effect("must be expected by its revision", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name)
        const gone = record(null)
        assert.deepStrictEqual(yield* commit(a, write(name, first, gone)), committed)
        for (const driver of [a, b]) {
          assert.deepStrictEqual(yield* commit(driver, write(name, null, record())), refused(gone))
          assert.deepStrictEqual(yield* commit(driver, check(name, null)), refused(gone))
          assert.deepStrictEqual(yield* commit(driver, write(name, first, record())), refused(gone))
          assert.deepStrictEqual(yield* commit(driver, check(name, gone)), committed)
        }
        const again = record("again")
        assert.deepStrictEqual(yield* commit(b, write(name, gone, again)), committed)
        assert.deepStrictEqual(yield* read(a, name), again)
      }))

    it.effect("never makes an old revision valid again", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const history = [yield* create(a, name, "0")]
        for (let i = 1; i <= 6; i++) {
          const next = record(i % 2 === 1 ? null : "0")
          assert.deepStrictEqual(
            yield* commit(a, write(name, history.at(-1)!, next)),
            committed
          )
          for (const old of [null, ...history]) {
            assert.deepStrictEqual(yield* commit(b, write(name, old, record())), refused(next))
          }
          history.push(next)
        }
      }))

    it.effect("is not listed, until the scope is stored again", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const list = Stream.runCollect(b.names(name))
        const first = yield* create(a, name)
        assert.deepStrictEqual(yield* list, [name])
        const gone = record(null)
        assert.deepStrictEqual(yield* commit(a, write(name, first, gone)), committed)
        assert.deepStrictEqual(yield* list, [])
        assert.deepStrictEqual(yield* commit(a, write(name, gone, record())), committed)
        assert.deepStrictEqual(yield* list, [name])
      }))

    it.effect("is written together with other scopes or not at all", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two] = [fresh(), fresh()] as const
        const first = yield* create(a, one)
        const second = yield* create(a, two)
        const [gone, next] = [record(null), record("2")] as const
        const remove = write(one, first, gone)
        assert.deepStrictEqual(yield* commit(b, remove, write(two, null, next)), refused(first, second))
        assert.deepStrictEqual(yield* a.read([one, two]), [first, second])
        assert.deepStrictEqual(yield* commit(b, remove, write(two, second, next)), committed)
        assert.deepStrictEqual(yield* a.read([one, two]), [gone, next])
      }))
  })
