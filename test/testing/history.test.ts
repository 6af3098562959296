import { assert, describe, it } from "@effect/vitest"
import { check, type Operation } from "../../src/testing/driver/history.ts"

type Moments = readonly [called: number, returned: number]

const commit = (
  [called, returned]: Moments,
  writes: ReadonlyArray<readonly [name: string, expected: string | null, next?: string]>,
  outcome: "committed" | "unknown" = "committed"
): Operation => ({
  called,
  returned,
  outcome,
  transaction: writes.map(([name, expected, next]) => ({
    name,
    expected,
    next: next === undefined ? undefined : { revision: next, data: "" }
  }))
})

const look = ([called, returned]: Moments, ...saw: NonNullable<Operation["saw"]>): Operation => ({
  called,
  returned,
  saw
})

const first = commit([0, 1], [["x", null, "1"]])
const second = commit([2, 5], [["x", "1", "2"]])

describe("the check of histories", () => {
  const right: ReadonlyArray<readonly [what: string, history: ReadonlyArray<Operation>]> = [
    ["nothing", []],
    ["a chain of commits", [first, second]],
    ["a read of the old record while a commit runs", [first, second, look([3, 4], ["x", "1"])]],
    ["a read of the new record while a commit runs", [first, second, look([3, 4], ["x", "2"])]],
    ["a read of nothing, before", [look([-2, -1], ["x", null]), first]],
    ["a read of nothing, elsewhere", [first, look([2, 3], ["y", null])]],
    ["a check between two commits", [first, second, commit([3, 4], [["x", "1"], ["y", null, "a"]])]],
    ["a commit without an answer that nobody saw", [
      first,
      commit([2, Infinity], [["x", "1", "9"]], "unknown"),
      second
    ]],
    ["a commit without an answer that came late", [
      first,
      commit([2, Infinity], [["x", "1", "9"]], "unknown"),
      look([8, 9], ["x", "1"]),
      look([10, 11], ["x", "9"])
    ]]
  ]
  for (const [what, history] of right) {
    it(`accepts ${what}`, () => assert.deepStrictEqual(check(history), []))
  }

  const wrong: ReadonlyArray<readonly [what: string, history: ReadonlyArray<Operation>]> = [
    ["two commits over one revision", [first, second, commit([3, 4], [["x", "1", "3"]])]],
    ["a commit over a revision that never was", [first, commit([2, 3], [["x", "0", "2"]])]],
    ["commits against the order of time", [second, commit([6, 7], [["x", null, "1"]])]],
    ["a stale read", [first, second, look([6, 7], ["x", "1"])]],
    ["a read from the future", [first, look([1.2, 1.5], ["x", "2"]), second]],
    ["a read of nothing where something is", [first, look([2, 3], ["x", null])]],
    ["a read of what nobody wrote", [first, look([2, 3], ["x", "7"])]],
    ["reads that go back", [first, second, look([3, 3.2], ["x", "2"]), look([3.5, 4], ["x", "1"])]],
    ["a stale check", [first, second, commit([6, 7], [["x", "1"], ["y", null, "a"]])]],
    ["checks that cross (write skew)", [
      commit([0, 9], [["x", null], ["y", null, "1"]]),
      commit([0.5, 8], [["y", null], ["x", null, "1"]])
    ]],
    ["half of a commit without an answer", [
      commit([0, Infinity], [["x", null, "1"], ["y", null, "1"]], "unknown"),
      look([2, 3], ["x", "1"]),
      look([4, 5], ["y", null])
    ]],
    ["a circle of revisions", [first, second, commit([6, 7], [["x", "2", "1"]])]]
  ]
  for (const [what, history] of wrong) {
    it(`refuses ${what}`, () => assert.isNotEmpty(check(history)))
  }
})
