/** Transactions that travel together. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import {
  check,
  commit,
  commitAll,
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

export const batches: Rules = (it) =>
  describe("a batch", () => {
    it.effect("of nothing has no verdicts", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        assert.deepStrictEqual(yield* a.commit([]), [])
      }))

    it.effect("has a verdict for each transaction, in order, whatever became of the others", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh(), fresh(), fresh(), fresh(), fresh(), fresh()] as const
        const [one, two, three, four, five, six] = names
        const first = yield* create(a, one, "1")
        const second = yield* create(a, two, "2")
        const next = Array.from({ length: 6 }, (_, i) => record(`1${i}`))
        const verdicts = yield* commitAll(b, [
          [write(six, null, next[5]!)],
          [write(one, null, next[0]!)],
          [write(two, second, next[1]!)],
          [check(one, first)],
          [write(three, null, next[2]!), write(one, record(), next[0]!)],
          [check(two, record()), write(four, null, next[3]!)],
          [write(five, null, next[4]!), check(one, first)]
        ])
        assert.deepStrictEqual(verdicts[0], committed)
        assert.deepStrictEqual(verdicts[1], refused(first))
        assert.deepStrictEqual(verdicts[2], committed)
        assert.deepStrictEqual(verdicts[3], committed)
        assert.deepStrictEqual(verdicts[4], refused(null, first))
        assert.isTrue(
          [second, next[1]!].some((current) => JSON.stringify(verdicts[5]) === JSON.stringify(refused(current, null))),
          "shows the record as it stood after the call began"
        )
        assert.deepStrictEqual(verdicts[6], committed)
        assert.deepStrictEqual(yield* a.read(names), [first, next[1]!, null, null, next[4]!, next[5]!])
      }))

    it.effect("lets one of two rivals win", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name)
        const rivals = Array.from({ length: 5 }, (_, i) => record(`${i}`))
        const verdicts = yield* commitAll(b, rivals.map((next) => [write(name, first, next)]))
        const winners = rivals.filter((_, i) => verdicts[i]!.committed)
        assert.strictEqual(winners.length, 1)
        assert.deepStrictEqual(yield* read(a, name), winners[0]!)
        for (const verdict of verdicts) {
          if (!verdict.committed) assert.deepStrictEqual(verdict, refused(winners[0]!))
        }
      }))

    it.effect("lets one of two equal transactions win", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two] = [fresh(), fresh()] as const
        const [first, second] = [record("1"), record("2")] as const
        const transaction = [write(one, null, first), write(two, null, second)]
        const verdicts = yield* commitAll(a, [transaction, transaction])
        assert.deepStrictEqual(verdicts.toSorted((x, y) => Number(y.committed) - Number(x.committed)), [
          committed,
          refused(first, second)
        ])
        assert.deepStrictEqual(yield* b.read([one, two]), [first, second])
      }))

    it.effect("tells the truth about a chain over one scope", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        for (const order of ["forwards", "backwards"]) {
          const name = fresh()
          const chain = [record("1"), record("2"), record("3")] as const
          const batch = chain.map((next, i) => [write(name, chain[i - 1] ?? null, next)])
          const verdicts = order === "forwards"
            ? yield* commitAll(a, batch)
            : (yield* commitAll(a, batch.toReversed())).toReversed()
          // A link can only hold when the one before it does, and the last that holds is what is stored.
          const links = verdicts.findIndex((verdict) => !verdict.committed)
          const holds = links === -1 ? chain.length : links
          assert.isAbove(holds, 0)
          assert.deepStrictEqual(verdicts.map((verdict) => verdict.committed), chain.map((_, i) => i < holds))
          assert.deepStrictEqual(yield* read(b, name), chain[holds - 1])
        }
      }))

    it.effect("tells the truth where transactions overlap", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [left, middle, right] = [fresh("l"), fresh("m"), fresh("r")] as const
        const [one, two] = [record("1"), record("2")] as const
        const verdicts = yield* commitAll(a, [
          [write(left, null, one), write(middle, null, one)],
          [write(middle, null, two), write(right, null, two)]
        ])
        const stored = yield* b.read([left, middle, right])
        if (verdicts[0]!.committed) {
          assert.isFalse(verdicts[1]!.committed)
          assert.deepStrictEqual(stored, [one, one, null])
        } else {
          assert.deepStrictEqual(verdicts[1], committed)
          assert.deepStrictEqual(stored, [null, two, two])
        }
      }))

    it.effect("carries 1,000 scopes", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: 1000 }, () => fresh())
        const first = names.map((_, i) => record(`${i}`))
        assert.deepStrictEqual(
          yield* commitAll(a, names.map((name, i) => [write(name, null, first[i]!)])),
          names.map(() => committed)
        )
        assert.deepStrictEqual(yield* b.read(names), first)
        const second = names.map((_, i) => record(`${-i}`))
        const odd = (i: number) => i % 2 === 1
        assert.deepStrictEqual(
          yield* commitAll(b, names.map((name, i) => [write(name, odd(i) ? null : first[i]!, second[i]!)])),
          first.map((current, i) => odd(i) ? refused(current) : committed)
        )
        assert.deepStrictEqual(yield* a.read(names), names.map((_, i) => (odd(i) ? first : second)[i]!))
      }))

    it.effect("is seen by the other driver as soon as it has answered", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        let last = yield* create(a, name)
        for (let i = 0; i < 20; i++) {
          const [writer, reader] = i % 2 === 0 ? [a, b] as const : [b, a] as const
          const next = record(`${i}`)
          assert.deepStrictEqual(yield* commit(writer, write(name, last, next)), committed)
          assert.deepStrictEqual(yield* read(reader, name), next)
          last = next
        }
      }))
  })
