/** Processor time of an update in memory: against the number of scopes, and against the size of a state. */
import { Effect, Layer, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"
import { short } from "../chart.ts"
import * as Ours from "../contenders/ours.ts"
import { type Effort, lap, median, warm } from "../harness.ts"
import { most, type Row } from "../report.ts"
import * as Counting from "./counting.ts"
import type { Part } from "./part.ts"

type Line = ReadonlyArray<readonly [x: number, y: number]>

const micros = Effect.fnUntraced(function*<E, R>(
  operation: (i: number) => Effect.Effect<unknown, E, R>,
  concurrency: number,
  { millis, rounds }: Effort
) {
  yield* lap(operation, concurrency, millis)
  const found: Array<number> = []
  for (let round = 0; round < rounds; round++) found.push((yield* lap(operation, concurrency, millis)).cpuMicros)
  return median(found)
})

const scopes = Effect.fnUntraced(function*(effort: Effort) {
  const line: Array<readonly [number, number]> = []
  const ours = yield* Ours.make(MemoryDriver.layer())
  yield* warm([ours], effort)
  const { add, context } = ours
  for (const keys of [1, 10, 100, 1_000, 10_000, 100_000, ...effort.quick ? [] : [1_000_000]]) {
    // All of them are there before anything counts.
    let next = 0
    const fill = Effect.whileLoop({ while: () => next < keys, body: () => add(next++), step: () => {} })
    yield* Effect.all(Array.from({ length: 1_000 }, () => fill), { concurrency: "unbounded", discard: true })
      .pipe(Effect.provideContext(context))
    line.push([keys, yield* micros((i) => add((i * 7_919) % keys), 64, effort).pipe(Effect.provideContext(context))])
  }
  return line
})

const Page = Schema.Struct({ count: Schema.Int, words: Schema.Array(Schema.String) })

/** A state of so many bytes. */
const page = (bytes: number): typeof Page.Type => ({
  count: 0,
  words: Array.from({ length: Math.round(bytes / 50) }, (_, i) => `${i}`.padEnd(47, "x"))
})

const sizes = Effect.fnUntraced(function*(effort: Effort) {
  const one: Array<readonly [number, number]> = []
  const many: Array<readonly [number, number]> = []
  const json: Array<readonly [number, number]> = []
  const context = yield* Layer.build(MemoryDriver.layer())
  yield* warm([{
    name: "",
    add: () =>
      Scoped.update(Scoped.make("warm", { schema: Page, initial: page(1_000) }), (page) => [0, { ...page, count: 1 }]),
    context
  }], effort)
  for (const bytes of [100, 1_000, 10_000, 100_000, 1_000_000]) {
    const scope = Scoped.make(`page ${bytes}`, { schema: Page, initial: page(bytes) })
    const update = Scoped.update(scope, (page) => [undefined, { ...page, count: page.count + 1 }])
    one.push([bytes, yield* micros(() => update, 1, effort).pipe(Effect.provideContext(context))])
    many.push([bytes, yield* micros(() => update, 64, effort).pipe(Effect.provideContext(context))])
    let text = JSON.stringify(page(bytes))
    const byHand = Effect.sync(() => {
      const state = JSON.parse(text) as typeof Page.Type
      text = JSON.stringify({ ...state, count: state.count + 1 })
    })
    json.push([bytes, yield* micros(() => byHand, 1, effort)])
  }
  return { one, many, json }
})

const cost = { label: "µs of a processor an update", tick: short }

export const costs: Part = Effect.fnUntraced(function*(effort, stores) {
  if (!stores.includes("memory")) return { rows: [] }
  const many = yield* scopes(effort)
  const { json, many: fused, one } = yield* sizes(effort)
  const counted = yield* Counting.count(100_000, 64, "transformed")
  const plain = yield* Counting.count(100_000, 64, "plain")
  const of100kB = (line: Line) => line.find(([bytes]) => bytes === 100_000)![1]
  const row = (work: string, atOnce: number, measured: number, unit: string, target?: Row["target"]): Row => ({
    store: "memory",
    work,
    atOnce,
    measured,
    unit,
    target
  })
  return {
    rows: [
      row(
        `${short(many.at(-1)![0])} scopes`,
        64,
        many.at(-1)![1] / many[0]![1],
        "× the processor time of an update of one scope"
      ),
      row("a state of 100 kB", 64, counted.encodes / counted.updates, "encodes an update of what it changed", most(1)),
      row("a state of 100 kB", 64, counted.decodes / counted.updates, "decodes an update of what it changed", most(1)),
      row("a state of 100 kB", 64, counted.walked, "looks a commit at what did not change", most(0)),
      row("a state of 100 kB, plain schema", 64, plain.walked, "looks a commit at what did not change", most(0)),
      row("a state of 100 kB, plain schema", 64, plain.updates, "updates a commit"),
      row("a state of 100 kB", 1, of100kB(one) / of100kB(json), "× the processor time of JSON there and back"),
      row("a state of 100 kB", 64, of100kB(fused) / of100kB(json), "× the processor time of JSON there and back")
    ],
    charts: [{
      file: "cost.svg",
      title: "Processor time of an update against the number of scopes and the size of a state",
      panels: [
        {
          title: "memory, 64 updates at once",
          x: { label: "scopes", tick: short },
          y: cost,
          series: [{ name: Ours.name, points: many, ours: true }]
        },
        {
          title: "memory, one scope with a large state",
          x: { label: "bytes of the state", tick: short },
          y: cost,
          series: [
            { name: "64 at once", points: fused, ours: true },
            { name: "one at a time", points: one, ours: true, dashed: true },
            { name: "JSON.parse + stringify", points: json }
          ]
        }
      ]
    }]
  }
})
