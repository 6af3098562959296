import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Size from "../../src/internal/state/size.ts"

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value))

it("every UTF-16 unit counts as JSON.stringify writes it", () => {
  for (let code = 0; code < 0x10000; code++) {
    const unit = String.fromCharCode(code)
    if (Size.ofString(unit) !== bytes(unit)) assert.fail(`U+${code.toString(16)}`)
    if (Size.ofString(`${unit}\udc00`) !== bytes(`${unit}\udc00`)) assert.fail(`U+${code.toString(16)} and a low half`)
  }
})

it("long strings count as short ones do", () => {
  for (const unit of ["x", "\u007f", "é", "€", "😀", "\ud800", "\"", "\n", "\u0001"]) {
    for (const length of [23, 24, 25, 26, 4_096, 4_097, 10_000]) {
      for (const text of [unit.repeat(length), "x".repeat(length) + unit, unit + "x".repeat(length)]) {
        assert.strictEqual(Size.ofString(text), bytes(text))
      }
    }
  }
})

it("numbers count by their digits", () => {
  for (
    const n of [
      0,
      -0,
      9,
      10,
      99,
      100,
      999,
      1_000,
      9_999,
      10_000,
      99_999,
      100_000,
      999_999,
      1e6,
      1e21,
      1e-7,
      -1,
      0.1,
      5e-324
    ]
  ) assert.strictEqual(Size.ofNumber(n), bytes(n))
})

it.effect.prop(
  "any JSON value",
  [Schema.Json],
  ([json]) => Effect.sync(() => assert.strictEqual(Size.ofJson(json), bytes(json))),
  { arbitrary: { runs: 1_000 } }
)
