/** Many writers at once: every commit takes effect at one moment between its call and its answer. */
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import type { Driver, Record, Transaction } from "../../Driver.ts"
import { check as checkHistory, History } from "./history.ts"
import {
  check,
  commit,
  commitAll,
  committed,
  fresh,
  read,
  record,
  type Rules,
  soon,
  TestStore,
  write
} from "./TestStore.ts"

/** Adds one, as often as it takes; the refusals are all it knows. */
const increment = Effect.fnUntraced(function*(driver: Driver, names: ReadonlyArray<string>) {
  let current: ReadonlyArray<Record | null> = names.map(() => null)
  while (true) {
    const transaction = names.map((name, i) => {
      const last = current[i] ?? null
      return write(name, last, record(String(Number(last?.data ?? 0) + 1)))
    })
    const verdict = yield* commit(driver, ...transaction)
    if (verdict.committed) return
    current = verdict.current
    yield* Effect.yieldNow
  }
})

export const races: Rules = (it) =>
  describe("writers at once", () => {
    it.effect("count exactly", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        yield* Effect.forEach(
          [a, b, a, b, a, b],
          (driver) => Effect.repeat(increment(driver, [name]), { times: 19 }),
          { concurrency: "unbounded" }
        )
        for (const driver of [a, b]) assert.strictEqual((yield* read(driver, name))?.data, "120")
      }))

    it.effect("a refusal's records are of one moment", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh(), fresh(), fresh(), fresh()]
        const writing = { done: false }
        const writers = yield* Effect.forkChild(
          Effect.forEach(
            [a, b, a],
            (driver) => Effect.repeat(increment(driver, names), { times: 39 }),
            { concurrency: "unbounded" }
          ).pipe(Effect.ensuring(Effect.sync(() => writing.done = true)))
        )
        const stale = record()
        while (!writing.done) {
          for (const driver of [a, b]) {
            const verdict = yield* commit(driver, ...names.map((name) => check(name, stale)))
            const seen = verdict.committed ? assert.fail() : verdict.current.map((record) => record?.data)
            assert.deepStrictEqual(seen, seen.map(() => seen[0]))
          }
          yield* Effect.yieldNow
        }
        yield* Fiber.join(writers)
      }))

    it.effect("count exactly over several scopes, named in any order", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two, three] = [fresh(), fresh(), fresh()] as const
        yield* Effect.forEach(
          [[a, one, two], [b, two, one], [a, two, three], [b, three, two, one], [a, one], [b, three]] as const,
          ([driver, ...names]) => Effect.repeat(increment(driver, names), { times: 9 }),
          { concurrency: "unbounded" }
        )
        const counts = (yield* b.read([one, two, three])).map((record) => record?.data)
        assert.deepStrictEqual(counts, ["40", "40", "30"])
      }))

    it.effect("create a scope once", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        for (let round = 0; round < 10; round++) {
          const name = fresh()
          const rivals = Array.from({ length: 8 }, (_, i) => record(`${i}`))
          const verdicts = yield* Effect.forEach(
            rivals,
            (next, i) => commit(i % 2 === 0 ? a : b, write(name, null, next)),
            { concurrency: "unbounded" }
          )
          const winners = rivals.filter((_, i) => verdicts[i]!.committed)
          assert.strictEqual(winners.length, 1)
          assert.deepStrictEqual(yield* read(a, name), winners[0])
          for (const verdict of verdicts) {
            if (!verdict.committed) assert.deepStrictEqual(verdict.current, [winners[0]!])
          }
        }
      }))

    it.effect("do not each miss what the other writes", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        for (let round = 0; round < 20; round++) {
          const [one, two] = [fresh(), fresh()] as const
          const [first, second] = yield* Effect.all([
            commit(a, check(one, null), write(two, null, record())),
            commit(b, check(two, null), write(one, null, record()))
          ], { concurrency: "unbounded" })
          assert.isFalse(first.committed && second.committed, "both held what they checked for true")
          assert.isTrue(first.committed || second.committed, "one of them came first")
        }
      }))

    it.effect("see a commit in every read that begins after its answer, whatever else is being read", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [name, other] = [fresh(), fresh()] as const
        const readers = yield* Effect.forEach(
          [a, a, b, b],
          (driver, i) => Effect.forkChild(Effect.forever(driver.read(i % 2 === 0 ? [name] : [name, other])))
        )
        let last: Record | null = null
        for (let i = 0; i < 60; i++) {
          const [writer, driver] = [i % 2 === 0 ? a : b, i % 3 === 0 ? b : a]
          const next = record(`${i}`)
          assert.deepStrictEqual(yield* commit(writer, write(name, last, next)), committed)
          const [alone, [together]] = yield* Effect.all([read(driver, name), driver.read([name, other])], {
            concurrency: "unbounded"
          })
          assert.deepStrictEqual([alone, together], [next, next])
          last = next
        }
        yield* soon("the interruption of the readers", Fiber.interruptAll(readers))
      }))

    for (const seed of ["one", "two", "three"]) {
      it.effect(`leave a linearizable history (seed ${seed})`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const history = new History()
          const names = [fresh(), fresh(), fresh()]
          yield* soon(
            "the history",
            Effect.forEach(
              [a, b, a, b, a, b],
              (driver, client) =>
                Effect.repeat(step(driver, names, history), { times: 24 }).pipe(
                  Random.withSeed(`${seed} ${client}`)
                ),
              { concurrency: "unbounded" }
            )
          )
          yield* look(a, names, history)
          yield* look(b, names, history)
          const commits = history.operations.filter(({ outcome }) => outcome === "committed")
          assert.isAbove(commits.length, 10, "a history in which something happened")
          assert.deepStrictEqual(checkHistory(history.operations), [])
        }))
    }
  })

const look = Effect.fnUntraced(function*(driver: Driver, names: ReadonlyArray<string>, history: History) {
  const called = history.call()
  const records = yield* driver.read(names)
  history.read(called, names, records)
  return records
})

/** One client's next operation: a read, or a batch of commits over what it has just read. */
const step = Effect.fnUntraced(function*(driver: Driver, names: ReadonlyArray<string>, history: History) {
  const some = names.slice(yield* Random.nextIntBetween(0, names.length))
  const records = yield* look(driver, some, history)
  if (yield* Random.nextBoolean) yield* Effect.yieldNow
  const batch: Array<Transaction> = []
  for (let i = yield* Random.nextIntBetween(0, 3); i > 0; i--) {
    const transaction = []
    for (const [j, name] of some.entries()) {
      const current = records[j] ?? null
      const kind = yield* Random.nextIntBetween(0, 8)
      transaction.push(
        kind === 0
          ? check(name, current)
          : kind === 1
          ? write(name, current, record(null))
          : write(name, current, record())
      )
    }
    batch.push(yield* Random.shuffle(transaction))
  }
  const called = history.call()
  const verdicts = yield* commitAll(driver, batch)
  for (const [i, verdict] of verdicts.entries()) history.committed(called, batch[i]!, verdict)
  yield* Effect.yieldNow
})
