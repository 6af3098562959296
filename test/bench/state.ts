/**
 * What states cost between handlers and the store: nanoseconds an operation, the best of several rounds.
 *
 * ```sh
 * npm run bench:states
 * ```
 */
import { Result, Schema } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { differs } from "../../src/internal/state/same.ts"
import { sealed } from "../../src/internal/state/seal.ts"

const get = <A, E>(result: Result.Result<A, E>): A =>
  Result.getOrThrowWith(result, (fault) => new Error(JSON.stringify(fault)))

const measure = (what: string, run: (i: number) => unknown, millis = 200) => {
  let i = 0
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const start = performance.now()
    let times = 0
    let spent: number
    do {
      run(i++)
      times++
      spent = performance.now() - start
    } while (spent < millis)
    best = Math.min(best, spent * 1e6 / times)
  }
  console.log(`| ${what} | ${Math.round(best).toLocaleString("en")} |`)
}

/** So that asking for the time does not count. */
const batch = (what: string, run: (i: number) => unknown) => {
  let i = 0
  let best = Infinity
  for (let round = 0; round < 8; round++) {
    const start = performance.now()
    for (let n = 0; n < 100_000; n++) run(i++)
    best = Math.min(best, (performance.now() - start) * 1e6 / 100_000)
  }
  console.log(`| ${what} | ${Math.round(best).toLocaleString("en")} |`)
}

console.log("| what | ns |\n| --- | ---: |")

{
  const codec = Codec.of(Schema.Struct({ count: Schema.Int }))
  let held = get(codec.hold({ count: 0 }))
  batch("accept { count }", (i) => held = get(codec.accept({ count: i }, held)))
  batch("accept { count } and its text", (i) => {
    held = get(codec.accept({ count: i }, held))
    return get(held.text())
  })
  batch("read { count }", (i) => codec.read(`{"count":${i}}`))
}
{
  const Line = Schema.Struct({ id: Schema.String, amount: Schema.Int, note: Schema.NullOr(Schema.String) })
  const codec = Codec.of(Schema.Struct({ lines: Schema.Array(Line), total: Schema.Int }))
  const line = (i: number) => ({ id: `line ${i}`, amount: i % 100, note: null })
  let held = get(codec.hold({ lines: Array.from({ length: 50_000 }, (_, i) => line(i)), total: 0 }))
  type State = { readonly lines: ReadonlyArray<ReturnType<typeof line>>; readonly total: number }
  const text = get(held.text())
  measure("accept 50,000 objects, one changed by map", (i) => {
    const { lines, total } = held.view() as State
    const at = (i * 7919) % lines.length
    held = get(codec.accept({ lines: lines.map((it, n) => n === at ? { ...it, amount: i } : it), total }, held))
  })
  measure("accept 50,000 objects, all new", () => {
    const { lines, total } = held.view() as State
    held = get(codec.accept({ lines: lines.map((it) => ({ ...it, amount: it.amount + 1 })), total }, held))
  })
  measure("read 50,000 objects", () => codec.read(text))
  measure("text of 50,000 objects", () => {
    const { lines, total } = held.view() as State
    held = get(codec.accept({ lines, total: total + 1 }, held))
    return get(held.text())
  })
}
{
  const codec = Codec.of(Schema.Array(Schema.String))
  const start = Array.from({ length: 160_000 }, (_, i) => `${i}`.padEnd(102, "x"))
  const item = "y".repeat(100)
  const first = get(codec.hold(start))
  let held = first
  measure(`append 100 bytes to ${(first.bytes / 2 ** 20).toFixed(1)} MiB`, (i) => {
    if (i % 100 === 0) held = first
    held = get(codec.accept([...held.view() as ReadonlyArray<string>, item], held))
  })
  measure(
    "append to it what does not fit",
    () => codec.accept([...held.view() as ReadonlyArray<string>, 1 as unknown as string], held)
  )
  measure("the same array and nothing else", () => [...held.view() as ReadonlyArray<string>, item])
  const text = get(first.text())
  measure("read 16 MiB", () => codec.read(text))
}
{
  const codec = Codec.of(Schema.Struct({ at: Schema.Date, names: Schema.ReadonlyMap(Schema.String, Schema.Int) }))
  let held = get(codec.hold({ at: new Date(0), names: new Map([["a", 1]]) }))
  batch(
    "accept a date and a map",
    (i) => held = get(codec.accept({ at: new Date(i), names: new Map([["a", i]]) }, held))
  )
  const text = get(held.text())
  batch("read a date and a map", () => codec.read(text))
}
{
  const state = { a: [1, 2, { b: "c" }], d: 1 }
  batch("compare two small answers", () => differs([1, state], [1, { a: [1, 2, { b: "c" }], d: 1 }]))
  measure("an empty handler, sealed", () => sealed("scope", () => 1))
}
