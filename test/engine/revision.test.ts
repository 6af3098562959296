import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { expired } from "../../src/Driver.ts"
import * as Revision from "../../src/internal/engine/revision.ts"

const retention = 60_000

describe("revision", () => {
  it("lists the latest mark of each writer, newest first", () => {
    const one = Revision.next(null, { writer: "a", sequence: 1000 }, 0)
    const two = Revision.next(one, { writer: "b", sequence: 1001 }, 0)
    const three = Revision.next(two, { writer: "a", sequence: 1002 }, 0)
    assert.deepStrictEqual([one, two, three], ["a:rs", "b:rt a:rs", "a:ru b:rt"])
    assert.strictEqual(Revision.latest(three), 1002)
    assert.strictEqual(Revision.latest(null), 0)
  })

  it("goes on from a tombstone", () => {
    const one = Revision.next(null, { writer: "a", sequence: 1000 }, 0)
    const two = Revision.next(expired(one), { writer: "b", sequence: 1001 }, 0)
    assert.strictEqual(two, "b:rt a:rs")
    assert.isTrue(Revision.contains(expired(two), { writer: "a", sequence: 1000 }))
    assert.strictEqual(Revision.latest(expired(two)), 1001)
  })

  it("lets old marks go, and says so", () => {
    const one = Revision.next(null, { writer: "a", sequence: 1000 }, 0)
    const two = Revision.next(one, { writer: "b", sequence: 1001 + retention }, 1001)
    assert.isUndefined(Revision.contains(two, { writer: "a", sequence: 1000 }))
    assert.isFalse(Revision.contains(two, { writer: "c", sequence: 1001 }))
    assert.isAtMost(two.length, 20)
  })

  // A history of commits by writers whose clocks differ by anything, some of which nobody but the writer knows of.
  const Commit = Schema.Struct({
    writer: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 50 })),
    pause: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 * retention }))
  })
  const Skew = Schema.Int.check(Schema.isBetween({ minimum: -10 * retention, maximum: 10 * retention }))
  const History = Schema.Array(Commit).check(Schema.isMinLength(1), Schema.isMaxLength(120))

  it.effect.prop("never says the wrong thing about a commit, whatever the clocks show", [
    History,
    Schema.Array(Skew).check(Schema.isMinLength(51), Schema.isMaxLength(51))
  ], ([history, skews]) =>
    Effect.sync(() => {
      let revision: string | null = null
      let now = 1_000_000_000
      const last = new Map<number, number>()
      const applied: Array<{ readonly mark: Revision.Mark; readonly at: number }> = []
      const missed: Array<Revision.Mark> = []
      for (const { pause, writer } of history) {
        now += pause
        const clock = now + skews[writer]!
        const sequence = Math.max((last.get(writer) ?? 0) + 1, Revision.latest(revision) + 1, clock)
        last.set(writer, sequence)
        const mark = { writer: `w${writer}`, sequence }
        if (pause % 3 === 0) {
          missed.push(mark)
          continue
        }
        revision = Revision.next(revision, mark, clock - retention)
        applied.push({ mark, at: now })
        assert.isAtMost(revision.split(" ").length, Revision.capacity + 1)
        // A writer asks for a commit before it makes another.
        for (const [i, { mark }] of applied.entries()) {
          const later = applied.slice(i + 1).some((other) => other.mark.writer === mark.writer)
          if (!later) assert.isNotFalse(Revision.contains(revision, mark), `${JSON.stringify(mark)} in ${revision}`)
        }
        for (const mark of missed) assert.isNotTrue(Revision.contains(revision, mark))
      }
    }), { arbitrary: { runs: 200 } })

  it.effect.prop("knows what was applied within the retention, where clocks agree and the writers are few", [
    Schema.Array(Commit).check(Schema.isMinLength(1), Schema.isMaxLength(60))
  ], ([history]) =>
    Effect.sync(() => {
      let revision: string | null = null
      let now = 1_000_000_000
      let applied: Array<{ readonly mark: Revision.Mark; readonly at: number }> = []
      for (const { pause, writer } of history) {
        now += pause
        const mark = { writer: `w${writer % 20}`, sequence: Math.max(Revision.latest(revision) + 1, now) }
        revision = Revision.next(revision, mark, now - retention)
        applied = [...applied.filter((other) => other.mark.writer !== mark.writer), { mark, at: now }]
        for (const { at, mark } of applied) {
          if (now - at < retention) assert.isTrue(Revision.contains(revision, mark))
        }
        assert.isFalse(Revision.contains(revision, { writer: "other", sequence: now + 100 }))
      }
    }), { arbitrary: { runs: 200 } })
})
