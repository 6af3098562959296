/**
 * Records that are dropped some time after their commit.
 *
 * The tests wait on the store's real clock, a moment each, and so never expect a record to be gone at a certain time:
 * only that it goes, and not early. They wait side by side.
 */
import { assert, describe } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import type { Driver } from "../../../src/Driver.ts"
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
  soon,
  TestStore,
  write
} from "./TestStore.ts"

const moment = Duration.seconds(1)
const long = Duration.hours(1)

// A store's clock may run in steps, and need not be ours.
const tolerance = 50

const gone = (driver: Driver, name: string) =>
  soon(
    `${name} expires`,
    Effect.gen(function*() {
      while ((yield* read(driver, name)) !== null) yield* Effect.sleep("10 millis")
    })
  )

const aLittleLater = Effect.sleep(Duration.toMillis(moment) + 200)

export const expiry: Rules = (it) =>
  describe("expiry", { concurrent: true }, () => {
    for (const [what, data] of [["a tombstone", null], ["data", "1"]] as const) {
      it.effect(`drops ${what} in its time, and the name is free again`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const name = fresh()
          // What nobody looks at goes as well.
          const [stays, unread, unlisted] = [fresh(), fresh(), fresh()] as const
          const first = yield* create(a, name)
          const last = record(data)
          const lasting = record(data)
          const before = performance.now()
          const verdict = yield* commit(
            a,
            write(name, first, last, moment),
            write(stays, null, lasting, long),
            write(unread, null, last, moment),
            write(unlisted, null, last, moment)
          )
          assert.deepStrictEqual(verdict, committed)
          yield* gone(b, name)
          assert.deepStrictEqual(yield* Stream.runCollect(a.names(unlisted)), [])
          assert.deepStrictEqual(yield* commit(b, write(unread, last, record())), refused(null))
          assert.deepStrictEqual(yield* commit(a, write(unread, null, lasting)), committed)
          assert.isAtLeast(performance.now() - before, Duration.toMillis(moment) - tolerance)
          assert.isNull(yield* read(a, name))
          assert.deepStrictEqual(yield* Stream.runCollect(a.names(name)), [])
          for (const old of [first, last]) {
            assert.deepStrictEqual(yield* commit(b, write(name, old, record())), refused(null))
            assert.deepStrictEqual(yield* commit(a, check(name, old)), refused(null))
          }
          assert.deepStrictEqual(yield* commit(b, check(name, null)), committed)
          const again = yield* create(b, name, "again")
          for (const old of [null, first, last]) {
            assert.deepStrictEqual(yield* commit(a, write(name, old, record())), refused(again))
          }
          assert.deepStrictEqual(yield* b.read([name, stays, unread, unlisted]), [again, lasting, lasting, null])
        }))
    }

    it.effect("counts from the last write", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh("kept"), fresh("prolonged"), fresh("shortened")] as const
        const [kept, prolonged, shortened] = names
        const first = [record("1"), record("1"), record("1")] as const
        const second = record("2")
        assert.deepStrictEqual(
          yield* commit(
            a,
            write(kept, null, first[0], moment),
            write(prolonged, null, first[1], moment),
            write(shortened, null, first[2], long)
          ),
          committed
        )
        assert.deepStrictEqual(
          yield* commit(
            b,
            write(kept, first[0], second),
            write(prolonged, first[1], second, long),
            write(shortened, first[2], second, moment)
          ),
          committed
        )
        yield* gone(a, shortened)
        yield* aLittleLater
        for (const driver of [a, b]) assert.deepStrictEqual(yield* driver.read(names), [second, second, null])
      }))

    it.effect("is left as it is by a check and by what is refused", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [stays, goes] = [fresh("stays"), fresh("goes")] as const
        const first = yield* create(a, stays)
        const second = record()
        assert.deepStrictEqual(yield* commit(a, write(goes, null, second, moment)), committed)
        assert.deepStrictEqual(yield* commit(b, check(stays, first), check(goes, second)), committed)
        assert.deepStrictEqual(
          yield* commit(b, write(stays, null, record(), moment), write(goes, second, record())),
          refused(first, second)
        )
        yield* gone(b, goes)
        yield* aLittleLater
        assert.deepStrictEqual(yield* a.read([stays, goes]), [first, null])
      }))

    it.effect("lets one of many take the free name", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = record(null)
        assert.deepStrictEqual(yield* commit(a, write(name, null, first, moment)), committed)
        yield* gone(a, name)
        const rivals = Array.from({ length: 10 }, (_, i) => record(`${i}`))
        const verdicts = yield* Effect.forEach(
          rivals,
          (next, i) => commit(i % 2 === 0 ? a : b, write(name, null, next)),
          { concurrency: "unbounded" }
        )
        const winners = rivals.filter((_, i) => verdicts[i]!.committed)
        assert.strictEqual(winners.length, 1)
        assert.deepStrictEqual(yield* read(b, name), winners[0])
      }))
  })
