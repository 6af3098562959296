/** What became of plain writes whose statement changed fewer rows than they are. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Mysql from "mysql2"
import * as Background from "../../src/internal/background.ts"
import { Deadlines } from "../../src/internal/deadlines.ts"
import * as Many from "../../src/internal/mysql/many.ts"
import type { Lender } from "../../src/internal/mysql/turns.ts"
import { committed, record, write } from "../../src/testing/driver/TestStore.ts"

const writes = ["a", "b", "c"].map((name) => write(name, record(), record()))
const [a, b, c] = writes.map(({ next }) => next!.revision) as [string, string, string]

/** A server that changed so many rows, and has these revisions at the look or an error. */
const commit = Effect.fnUntraced(function*(changed: number, found: { readonly [name: string]: string } | Error) {
  const clock = yield* Clock.Clock
  const deadlines = new Deadlines({
    now: () => clock.currentTimeMillisUnsafe(),
    fork: yield* Background.make,
    soon: yield* Background.soon
  })
  let good: boolean | undefined
  const connection = {
    prepare: (_: string, then: (error: null, statement: unknown) => void) =>
      then(null, {
        execute: (_: unknown, then: (error: null, result: unknown) => void) => then(null, { affectedRows: changed })
      }),
    query: (_: unknown, then: (error: Error | null, rows?: unknown) => void) =>
      found instanceof Error
        ? then(found)
        : then(null, Object.entries(found).map((row) => [...row.map((text) => Buffer.from(text)), null, null]))
  } as unknown as Mysql.PoolConnection
  const lender: Lender = {
    lend: (use) => use(connection),
    giveBack: (_, is) => {
      good = is
    }
  }
  const many = Many.make({ deadlines, table: "`effect_scopes`" })
  const outcome = yield* many(writes, clock.currentTimeMillisUnsafe() + 5_000, 1e6, lender)
  return [outcome, good] as const
})

describe("of plain writes of which not all had a row", () => {
  it.effect("those whose revision is found are applied, and the others are not, where as many are found as there were", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* commit(3, {}), [[committed, committed, committed], true])
      assert.deepStrictEqual(yield* commit(2, { a, b }), [[committed, committed, "again"], true])
      assert.deepStrictEqual(yield* commit(1, { a: "other", c }), [["again", "again", committed], true])
      assert.deepStrictEqual(yield* commit(1, { a: `${a} expired` }), [[committed, "again", "again"], true])
      assert.deepStrictEqual(yield* commit(0, {}), [["again", "again", "again"], true])
    }))

  it.effect("one that may have been followed by somebody else's is in doubt", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* commit(2, { a, b: "other" }), [[committed, "unknown", "unknown"], true])
      assert.deepStrictEqual(yield* commit(1, { a: "other", b: "other" }), [["unknown", "unknown", "unknown"], true])
    }))

  it.effect("all are in doubt where it cannot be seen, unless there was none", () =>
    Effect.gen(function*() {
      const refusal = Object.assign(new Error("no"), { errno: 1142, sqlState: "42000" })
      const [outcome, good] = yield* commit(2, refusal)
      assert.isTrue(outcome !== undefined && "reason" in outcome && outcome.inDoubt)
      assert.isFalse(good)
      assert.deepStrictEqual(yield* commit(0, refusal), [undefined, false])
    }))
})
