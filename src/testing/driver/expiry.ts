/**
 * Data that expires, and the tombstones that stay for a while.
 *
 * The tests wait on the store's real clock, a moment each, and so never expect anything to be gone at a certain time:
 * only that it goes, and not early. They wait side by side.
 */
import { assert, describe } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Driver, Record } from "../../Driver.ts"
import {
  check,
  commit,
  committed,
  create,
  fresh,
  read,
  readAll,
  record,
  refused,
  type Rules,
  soon,
  TestStore,
  tombstoneOf,
  write
} from "./TestStore.ts"

const moment = Duration.seconds(1)
const long = Duration.hours(1)

// A store's clock may run in steps, and need not be ours.
const tolerance = 50

const becomes = (driver: Driver, name: string, goal: Record | null) =>
  soon(
    `${name} becomes ${JSON.stringify(goal)}`,
    Effect.gen(function*() {
      while ((yield* read(driver, name))?.revision !== goal?.revision) yield* Effect.sleep("10 millis")
      assert.deepStrictEqual(yield* read(driver, name), goal)
    })
  )

const aLittleLater = Effect.sleep(Duration.toMillis(moment) + 200)

export const expiry: Rules = (it) =>
  describe("expiry", { concurrent: true }, () => {
    it.effect("turns data into a tombstone in its time, looked at or not", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const [stays, unread, unlisted] = [fresh(), fresh(), fresh()] as const
        const first = yield* create(a, name)
        const [last, lasting] = [record("1"), record("1")] as const
        const gone = tombstoneOf(last)
        const before = performance.now()
        const verdict = yield* commit(
          a,
          write(name, first, last, { expiresIn: moment }),
          write(stays, null, lasting, { expiresIn: long }),
          write(unread, null, last, { expiresIn: moment }),
          write(unlisted, null, last, { expiresIn: moment })
        )
        assert.deepStrictEqual(verdict, committed)
        yield* becomes(b, name, gone)
        assert.isAtLeast(performance.now() - before, Duration.toMillis(moment) - tolerance)
        assert.deepStrictEqual(yield* Stream.runCollect(a.names(unlisted)), [])
        assert.deepStrictEqual(yield* Stream.runCollect(a.names(name)), [])
        // What was made on the data, or on nothing, must not be accepted.
        for (const old of [null, first, last]) {
          assert.deepStrictEqual(yield* commit(b, write(name, old, record())), refused(gone))
          assert.deepStrictEqual(yield* commit(a, check(name, old)), refused(gone))
        }
        assert.deepStrictEqual(yield* commit(b, write(unread, last, record())), refused(gone))
        assert.deepStrictEqual(yield* commit(a, check(name, gone), write(unread, gone, lasting)), committed)
        const again = record("again")
        assert.deepStrictEqual(yield* commit(b, write(name, gone, again)), committed)
        for (const old of [null, first, last, gone]) {
          assert.deepStrictEqual(yield* commit(a, write(name, old, record())), refused(again))
        }
        assert.deepStrictEqual(yield* readAll(b, [name, stays, unread, unlisted]), [again, lasting, lasting, gone])
      }))

    it.effect("tells how long data has left", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [stays, goes, gone] = [fresh(), fresh(), fresh()] as const
        yield* create(a, stays)
        const next = record("1")
        assert.deepStrictEqual(
          yield* commit(a, write(goes, null, next, { expiresIn: long }), write(gone, null, record(null))),
          committed
        )
        const told = yield* b.commit([[check(goes, null), check(stays, null), check(gone, null)]])
        const refusal = told[0]!
        assert.isTrue("committed" in refusal && !refusal.committed)
        for (
          const [left, ...others] of [
            yield* b.read([goes, stays, gone]),
            "current" in refusal ? refusal.current : []
          ]
        ) {
          const millis = Duration.toMillis(left!.expiresIn!)
          assert.isAtMost(millis, Duration.toMillis(long) + tolerance)
          assert.isAtLeast(millis, Duration.toMillis(long) - 60_000)
          for (const other of others) assert.isUndefined(other?.expiresIn)
        }
      }))

    for (
      const [what, data, expiresIn] of [
        ["a removal", null, undefined],
        ["an expiry", "1", Duration.millis(300)]
      ] as const
    ) {
      it.effect(`keeps the tombstone of ${what} for its retention, and then the name is free`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const [name, unread] = [fresh(), fresh()] as const
          const first = yield* create(a, name)
          const last = record(data)
          const gone = data === null ? last : tombstoneOf(last)
          const options = { retention: moment, ...expiresIn && { expiresIn } }
          const before = performance.now()
          assert.deepStrictEqual(
            yield* commit(a, write(name, first, last, options), write(unread, null, last, options)),
            committed
          )
          yield* becomes(b, name, gone)
          const since = performance.now()
          yield* becomes(b, name, null)
          const least = Duration.toMillis(moment) + (expiresIn === undefined ? 0 : Duration.toMillis(expiresIn))
          assert.isAtLeast(performance.now() - before, least - tolerance)
          if (expiresIn !== undefined) {
            // From when it was seen to expire: what a commit wrote is found for as long.
            assert.isAtLeast(performance.now() - since, Duration.toMillis(moment) - 200)
          }
          for (const old of [first, last, gone]) {
            assert.deepStrictEqual(yield* commit(b, write(name, old, record())), refused(null))
            assert.deepStrictEqual(yield* commit(a, check(name, old)), refused(null))
          }
          assert.deepStrictEqual(yield* commit(b, check(name, null), check(unread, null)), committed)
          const again = yield* create(b, name, "again")
          yield* create(a, unread)
          for (const old of [null, first, last, gone]) {
            assert.deepStrictEqual(yield* commit(a, write(name, old, record())), refused(again))
          }
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
            write(kept, null, first[0], { expiresIn: moment }),
            write(prolonged, null, first[1], { expiresIn: moment }),
            write(shortened, null, first[2], { expiresIn: long })
          ),
          committed
        )
        assert.deepStrictEqual(
          yield* commit(
            b,
            write(kept, first[0], second),
            write(prolonged, first[1], second, { expiresIn: long }),
            write(shortened, first[2], second, { expiresIn: moment })
          ),
          committed
        )
        yield* becomes(a, shortened, tombstoneOf(second))
        yield* aLittleLater
        for (const driver of [a, b]) {
          assert.deepStrictEqual(yield* readAll(driver, names), [second, second, tombstoneOf(second)])
        }
      }))

    it.effect("is left as it is by a check and by what is refused", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [stays, goes] = [fresh("stays"), fresh("goes")] as const
        const first = yield* create(a, stays)
        const second = record()
        assert.deepStrictEqual(yield* commit(a, write(goes, null, second, { expiresIn: moment })), committed)
        assert.deepStrictEqual(yield* commit(b, check(stays, first), check(goes, second)), committed)
        assert.deepStrictEqual(
          yield* commit(
            b,
            write(stays, null, record(), { expiresIn: moment }),
            write(goes, second, record())
          ),
          refused(first, second)
        )
        yield* becomes(b, goes, tombstoneOf(second))
        yield* aLittleLater
        assert.deepStrictEqual(yield* readAll(a, [stays, goes]), [first, tombstoneOf(second)])
      }))

    it.effect("lets one of many follow an expired record, and one of many take a free name", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [followed, free] = [fresh(), fresh()] as const
        const first = record("1")
        const gone = record(null)
        assert.deepStrictEqual(
          yield* commit(
            a,
            write(followed, null, first, { expiresIn: moment }),
            write(free, null, gone, { retention: moment })
          ),
          committed
        )
        yield* becomes(a, followed, tombstoneOf(first))
        yield* becomes(a, free, null)
        for (const [name, expected] of [[followed, tombstoneOf(first)], [free, null]] as const) {
          const rivals = Array.from({ length: 10 }, (_, i) => record(`${i}`))
          const verdicts = yield* Effect.forEach(
            rivals,
            (next, i) => commit(i % 2 === 0 ? a : b, write(name, expected, next)),
            { concurrency: "unbounded" }
          )
          const winners = rivals.filter((_, i) => verdicts[i]!.committed)
          assert.strictEqual(winners.length, 1)
          assert.deepStrictEqual(yield* read(b, name), winners[0])
        }
      }))
  })
