/**
 * Random batches, one at a time, against a model: a map and the rule.
 *
 * The transactions of a batch may be applied in any order, so the verdicts and the records after it must be those of
 * some order.
 */
import { assert, describe } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Record, Transaction, Verdict } from "../../Driver.ts"
import { commitAll, fresh, record, type Rules, TestStore } from "./TestStore.ts"

const scopes = 4

const Write = Schema.Struct({
  scope: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: scopes - 1 })),
  expected: Schema.Literals(["current", "current", "older", "absent", "unknown", "sibling"]),
  next: Schema.Literals(["data", "data", "removal", "check"])
})

const Batch = Schema.Array(Schema.Array(Write).check(Schema.isMinLength(1), Schema.isMaxLength(3))).check(
  Schema.isMinLength(1),
  Schema.isMaxLength(3)
)

const Program = Schema.Array(Batch).check(Schema.isMinLength(4), Schema.isMaxLength(12))

type State = ReadonlyMap<string, Record>

const holds = (state: State, transaction: Transaction): boolean =>
  transaction.every(({ expected, name }) => (state.get(name)?.revision ?? null) === expected)

const apply = (state: State, transaction: Transaction): State => {
  const after = new Map(state)
  for (const { name, next } of transaction) {
    if (next !== undefined) after.set(name, next)
  }
  return after
}

const orders = (indices: ReadonlyArray<number>): ReadonlyArray<ReadonlyArray<number>> =>
  indices.length === 0
    ? [[]]
    : indices.flatMap((first) => orders(indices.filter((i) => i !== first)).map((rest) => [first, ...rest]))

/** The state after the batch, or `undefined` where no order of its transactions explains the verdicts. */
const explain = (before: State, batch: ReadonlyArray<Transaction>, verdicts: ReadonlyArray<Verdict>) => {
  for (const order of orders(batch.map((_, i) => i))) {
    const states = [before]
    for (const i of order) {
      const state = states.at(-1)!
      if (holds(state, batch[i]!) !== verdicts[i]!.committed) break
      states.push(verdicts[i]!.committed ? apply(state, batch[i]!) : state)
    }
    if (states.length <= batch.length) continue
    const shown = verdicts.every((verdict, i) =>
      verdict.committed || batch[i]!.length === verdict.current.length &&
        batch[i]!.every(({ name }, j) => states.some((state) => same(state.get(name) ?? null, verdict.current[j]!)))
    )
    if (shown) return states.at(-1)!
  }
  return undefined
}

const same = (one: Record | null, other: Record | null): boolean =>
  one?.revision === other?.revision && one?.data === other?.data

export const model: Rules = (it) =>
  describe("random batches", () => {
    it.effect.prop("have the verdicts of the model", [Program], ([program]) =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: scopes }, () => fresh())
        let state: State = new Map()
        const older = new Map<string, ReadonlyArray<string>>()
        for (const [step, drawn] of program.entries()) {
          const siblings = new Map<string, string>()
          const batch = drawn.map((writes): Transaction => {
            const distinct = [...new Map(writes.map((write) => [write.scope, write])).values()]
            return distinct.map(({ expected, next, scope }) => {
              const name = names[scope]!
              const current = state.get(name)?.revision ?? null
              const revision = {
                current,
                older: older.get(name)?.at(-1) ?? null,
                absent: null,
                unknown: "nobody:1",
                sibling: siblings.get(name) ?? current
              }[expected]
              const stored = record(next === "removal" ? null : `${step}`)
              if (next !== "check") siblings.set(name, stored.revision)
              return {
                name,
                expected: revision,
                next: next === "check" ? undefined : stored,
                retention: next === "removal" ? Duration.hours(1) : undefined
              }
            })
          })
          const verdicts = yield* commitAll(step % 2 === 0 ? a : b, batch)
          const after = explain(state, batch, verdicts)
          if (after === undefined) {
            assert.fail(`no order explains ${JSON.stringify({ before: [...state], batch, verdicts }, null, 2)}`)
          }
          for (const [i, verdict] of verdicts.entries()) {
            if (verdict.committed) continue
            const excused = batch[i]!.some(({ expected, name }) => expected === siblings.get(name))
            const shows = batch[i]!.some(({ expected }, j) => expected !== (verdict.current[j]?.revision ?? null))
            assert.isTrue(shows || excused, "a refusal shows what is not as expected")
          }
          for (const name of names) {
            const [before, now] = [state.get(name), after.get(name)]
            if (before !== undefined && before !== now) {
              older.set(name, [...older.get(name) ?? [], before.revision])
            }
          }
          state = after
          for (const driver of [a, b]) {
            assert.deepStrictEqual(yield* driver.read(names), names.map((name) => state.get(name) ?? null))
          }
        }
      }), { arbitrary: { runs: 25 } })
  })
