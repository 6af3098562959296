import { assert, describe, it } from "@effect/vitest"
import { expired } from "../../src/Driver.ts"
import type { Part } from "../../src/internal/file/line.ts"
import { Records } from "../../src/internal/file/records.ts"
import type { Segment } from "../../src/internal/file/segment.ts"

const segment = { number: 1 } as Segment

const put = (records: Records, at: number, ...tx: ReadonlyArray<Part>): boolean =>
  records.apply({ id: "x:1", at, synced: 0, tx }, segment, 0, 100 * tx.length)

const session = (name: string): Part => [name, null, name, 50, 0, 1000, 500]

describe("records", () => {
  it("gives back what has expired, and forgets what nobody may ask for, while others are written", () => {
    const records = new Records(() => {})
    const count = 1000
    for (let i = 0; i < count; i++) assert.isTrue(put(records, 0, session(`${i}`)))
    for (let i = 0; i < count; i++) put(records, 1000, [`${i} more`, null, "r", 50, 0])
    assert.strictEqual(records.entries.size, 2 * count)
    assert.strictEqual(records.bytes, count * 100 + count * 50, "the data is garbage")
    for (let i = 0; i < count; i++) put(records, 1500, [`${i} more`, "r", "s", 50, 0])
    assert.strictEqual(records.entries.size, count)
    assert.strictEqual(records.bytes, count * 100)
  })

  it("goes by the time of the lines alone, and answers for later times too", () => {
    const records = new Records(() => {})
    assert.isTrue(put(records, 0, session("a")))
    for (
      const [now, revision] of [
        [999, "a"],
        [1000, expired("a")],
        [1499, expired("a")],
        [1500, undefined],
        [999, "a"]
      ] as const
    ) {
      assert.strictEqual(records.view("a", now)?.revision, revision)
    }
    assert.isFalse(put(records, 999, ["a", expired("a"), "b", 50, 0]))
    assert.isTrue(put(records, 1000, ["a", expired("a"), "b", 50, 0, 1000, 500]))
    // The line of one who is behind does not turn back time.
    assert.isFalse(put(records, 500, ["a", "a", "c", 50, 0]))
    assert.strictEqual(records.moment.at, 1000)
  })

  it("keeps what was frozen, once, whatever becomes of it", () => {
    const records = new Records(() => {})
    put(records, 0, session("changes"), session("expires"), session("stays"))
    const frozen = records.freeze(1)
    const later = { number: 2 } as Segment
    const apply = (at: number, part: Part) => records.apply({ id: "x:1", at, synced: 0, tx: [part] }, later, 0, 100)
    assert.isTrue(apply(0, ["changes", "changes", "second", 50, 0]))
    assert.isTrue(apply(0, ["changes", "second", "third", 50, 0]))
    assert.isTrue(apply(0, ["new", null, "new", 50, 0]))
    assert.isTrue(apply(0, ["new", "new", "newer", 50, 0]))
    assert.isTrue(apply(1000, ["expires", expired("expires"), "again", 50, 0]))
    assert.deepStrictEqual(
      [...frozen.changed].map(([name, { revision }]) => [name, revision]),
      [
        ["changes", "changes"],
        ["expires", "expires"]
      ].concat(frozen.changed.has("stays") ? [["stays", "stays"]] : [])
    )
    records.thaw()
    assert.isTrue(apply(1000, ["new", "newer", "newest", 50, 0]))
    assert.isFalse(frozen.changed.has("new"))
  })
})
