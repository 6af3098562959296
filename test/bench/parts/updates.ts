/** Updates a second against how many are under way at once, on one scope and over ten thousand. */
import { Effect } from "effect"
import { type Panel, short } from "../chart.ts"
import { contenders, type Store } from "../contenders/contenders.ts"
import { type Contender, type Laps, median, race, ratio, warm } from "../harness.ts"
import { places } from "../places.ts"
import { digits, least, type Row } from "../report.ts"
import type { Part } from "./part.ts"

const many = 10_000
const levels = [1, 8, 64, 1_000]

/** `against` is the second contender of the store, unless it is named. */
const targets: ReadonlyArray<{
  readonly store: Store
  readonly keys: number
  readonly atOnce: number
  readonly least?: number
  readonly against?: string
}> = [
  { store: "memory", keys: 1, atOnce: 1, least: 0.25 },
  { store: "memory", keys: 1, atOnce: 64, least: 0.4 },
  { store: "memory", keys: many, atOnce: 1_000, least: 0.15 },
  { store: "file", keys: 1, atOnce: 1, least: 0.85 },
  { store: "file", keys: 1, atOnce: 1, against: "lock file + atomic rename" },
  { store: "file", keys: 1, atOnce: 64 },
  { store: "file", keys: many, atOnce: 1_000, least: 40 },
  { store: "redis", keys: 1, atOnce: 1, against: "bare EVALSHA", least: 0.85 },
  { store: "redis", keys: 1, atOnce: 1, against: "GET + compare-and-set" },
  { store: "redis", keys: 1, atOnce: 64, least: 4 },
  { store: "redis", keys: 1, atOnce: 64, against: "GET + compare-and-set" },
  { store: "redis", keys: 1, atOnce: 64, against: "WATCH / MULTI" },
  { store: "redis", keys: 1, atOnce: 64, against: "redlock + GET / SET" },
  { store: "redis", keys: 1, atOnce: 1_000, least: 4 },
  { store: "redis", keys: many, atOnce: 1_000, least: 1 },
  { store: "redis", keys: many, atOnce: 1_000, against: "GET + compare-and-set", least: 3 },
  { store: "mysql", keys: 1, atOnce: 1, least: 0.85 },
  { store: "mysql", keys: 1, atOnce: 64, least: 12 },
  { store: "mysql", keys: 1, atOnce: 64, against: "SELECT … FOR UPDATE" },
  { store: "mysql", keys: 1, atOnce: 64, against: "version column" },
  { store: "mysql", keys: many, atOnce: 1_000, least: 8 },
  { store: "mysql", keys: many, atOnce: 1_000, against: "SELECT … FOR UPDATE" }
]

const limit = ({ atMost = Infinity, atMostOnOneKey = Infinity }: Contender, keys: number): number =>
  keys === 1 ? Math.min(atMost, atMostOnOneKey) : atMost

export const updates: Part = Effect.fnUntraced(function*(effort, stores) {
  const rows: Array<Row> = []
  const panels: Array<Panel> = []
  for (const store of stores) {
    const lines = new Map<string, Array<readonly [number, number]>>()
    yield* Effect.scoped(Effect.gen(function*() {
      const all = yield* contenders[store](yield* places[store])
      const main = all[1]!.name
      yield* warm(all, effort)
      for (const [keys, what] of [[1, "one scope"], [many, "10 000 scopes"]] as const) {
        for (const concurrency of levels) {
          // What all ratios are against always runs, if need be with as many as it can.
          const able = all.filter((one, i) => i < 2 || concurrency <= limit(one, keys))
          const laps = yield* race(able, { concurrency, keys, effort })
          for (const [name, { cpuMicros, perSecond }] of laps) {
            console.log(
              `${store}, ${what}, ${concurrency} at once: ${name} ${digits(median(perSecond))}/s, ` +
                `${digits(median(cpuMicros))} µs of a processor each`
            )
            const one = all.find((one) => one.name === name)!
            if (concurrency > limit(one, keys) || (keys !== 1 && one !== all[0])) continue
            const line = keys === 1 ? name : `${name}, ${what}`
            lines.set(line, [...lines.get(line) ?? [], [concurrency, median(perSecond)]])
          }
          const ours = laps.get(all[0]!.name)!
          for (const target of targets) {
            if (target.store !== store || target.keys !== keys || target.atOnce !== concurrency) continue
            const against = target.against ?? main
            const theirs: Laps | undefined = laps.get(against)
            if (theirs === undefined) continue
            rows.push({
              store,
              work: what,
              atOnce: concurrency,
              perSecond: median(ours.perSecond),
              measured: ratio(ours.perSecond, theirs.perSecond),
              unit: `× ${against}${
                all[1]!.atMost === 1 && against === main && concurrency > 1 ? ", one at a time" : ""
              }`,
              target: target.least === undefined ? undefined : least(target.least)
            })
          }
        }
      }
    }))
    panels.push({
      title: store,
      x: { label: "updates at once", tick: short, ticks: levels },
      y: { label: "updates a second", tick: short },
      series: [...lines].map(([name, points], i) => ({
        name,
        points,
        ours: name.startsWith("effect-scoped"),
        dashed: i > 0 && name.startsWith("effect-scoped")
      }))
    })
  }
  return {
    rows,
    charts: [{ file: "updates.svg", title: "Updates a second against how many are under way at once", panels }]
  }
})
