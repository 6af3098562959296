import { assert, describe, it } from "@effect/vitest"
import { DateTime, Equal, Option } from "effect"
import { equal } from "../../src/testing/internal/equal.ts"

const round: { self?: unknown } = {}
round.self = round

const values: ReadonlyArray<unknown> = [
  undefined,
  null,
  0,
  -0,
  NaN,
  "",
  "0",
  [],
  [undefined],
  [1, [2, 3]],
  [1, [2, 4]],
  {},
  { a: undefined },
  { b: undefined },
  { a: 1, b: { c: [1] } },
  { b: { c: [1] }, a: 1 },
  { a: 1, b: { c: [1, 2] } },
  { length: 0 },
  { [Symbol.for("a")]: 1 },
  { [Symbol.for("a")]: 2 },
  new Date(0),
  new Date(1),
  new Map([["a", 1]]),
  Option.some([1]),
  Option.none(),
  DateTime.makeUnsafe(0),
  round
]

/** The same, but another object where it is one of these. */
const copy = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(copy)
    : typeof value === "object" && value !== null && value !== round &&
        Object.getPrototypeOf(value) === Object.prototype
    ? Object.fromEntries(Reflect.ownKeys(value).map((key) => [key, copy((value as never)[key])]))
    : value

describe("what the simulation takes for equal", () => {
  it("is what Effect does", () => {
    for (const one of values) {
      assert.isTrue(equal(one, copy(one)))
      for (const other of values) {
        assert.strictEqual(equal(one, copy(other)), Equal.equals(one, copy(other)), `${String(one)} ${String(other)}`)
      }
    }
  })
})
