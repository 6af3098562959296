/** Several processes on one scope: how fast they are together, how fair, how often they try and how long each waits. */
import { Effect } from "effect"
import { type Panel, short } from "../chart.ts"
import type { Store } from "../contenders/contenders.ts"
import * as Ours from "../contenders/ours.ts"
import { crew, type Group, type Heat } from "../crowd/crew.ts"
import { merge, quantile } from "../crowd/job.ts"
import { median, ratio } from "../harness.ts"
import { durableRedis, places } from "../places.ts"
import { digits, least, most, type Row } from "../report.ts"
import type { Part } from "./part.ts"

const crowd: Group = { contender: Ours.name, processes: 8, concurrency: 1 }
const alone: Group = { contender: Ours.name, processes: 1, concurrency: 1 }
const wide: Group = { contender: Ours.name, processes: 4, concurrency: 64 }
const one: Group = { contender: Ours.name, processes: 1, concurrency: 256 }

const peers: { readonly [store in Store]: ReadonlyArray<string> } = {
  memory: [],
  file: ["lock file + atomic rename"],
  redis: ["GET + compare-and-set", "WATCH / MULTI", "redlock + GET / SET"],
  mysql: ["UPDATE n = n + 1", "SELECT … FOR UPDATE", "version column"]
}

/** Of what everybody waited for, the part of which the picture shows the time: from one in 100 up to all but one in 10 000. */
const parts = Array.from({ length: 41 }, (_, i) => 1 - 10 ** (-i / 10))
const fastest = 0.01

/** All groups in turns. */
const measure = Effect.fnUntraced(
  function*(store: Store, groups: ReadonlyArray<Group>, rounds: number, millis: number) {
    const together = yield* crew(store, yield* store === "redis" ? durableRedis : places[store], 8)
    const heats = new Map<Group, Array<Heat>>(groups.map((group) => [group, []]))
    for (let round = 0; round <= rounds; round++) {
      for (const group of groups) {
        const heat = yield* together(group, round === 0 ? millis / 2 : millis)
        if (round > 0) heats.get(group)!.push(heat)
      }
    }
    return heats
  }
)

const speeds = (heats: ReadonlyArray<Heat>) => heats.map(({ perSecond }) => perSecond)
const fairness = (heats: ReadonlyArray<Heat>) => median(heats.map(({ fairness }) => fairness))
const attempts = (heats: ReadonlyArray<Heat>) =>
  heats.reduce((sum, { attempts }) => sum + attempts, 0) / heats.reduce((sum, { updates }) => sum + updates, 0)
const slowest = (heats: ReadonlyArray<Heat>, part: number) =>
  quantile(merge(heats.map(({ latencies }) => latencies)), part)

const label = ({ concurrency, processes }: Group) => `${processes} × ${concurrency}`

export const crowds: Part = Effect.fnUntraced(function*({ quick }, stores) {
  const rows: Array<Row> = []
  const panels: Array<Panel> = []
  for (const store of stores) {
    // Its scopes are those of one process.
    if (store === "memory") continue
    const others = peers[store].map((contender) => ({ ...crowd, contender }))
    const groups = [crowd, alone, ...others, ...store === "redis" ? [wide, one] : []]
    const heats = yield* Effect.scoped(
      quick ? measure(store, groups, 1, 700) : measure(store, groups, 3, 1_500)
    )
    const of = (group: Group) => heats.get(group)!
    for (const [group, each] of heats) {
      console.log(
        `${store}, ${label(group)}: ${group.contender} ${digits(median(speeds(each)))}/s, ` +
          `slowest/fastest ${digits(fairness(each))}, ${digits(attempts(each))} attempts an update, ` +
          `half within ${digits(slowest(each, 0.5))} ms, 99 % within ${digits(slowest(each, 0.99))} ms`
      )
    }
    const row = (group: Group, measured: number, unit: string, target?: Row["target"]) =>
      rows.push({
        store,
        work: "one scope, processes × updates",
        atOnce: label(group),
        perSecond: median(speeds(of(group))),
        measured,
        unit,
        target
      })
    const durable = store === "redis"
    row(crowd, ratio(speeds(of(crowd)), speeds(of(alone))), "× one process alone", least(durable ? 0.75 : 0.8))
    others.forEach((other, i) =>
      row(
        crowd,
        ratio(speeds(of(crowd)), speeds(of(other))),
        `× ${other.contender}`,
        durable && i === 0 ? least(1.2) : undefined
      )
    )
    row(crowd, fairness(of(crowd)), "slowest / fastest process", least(durable ? 0.9 : 0.7))
    row(crowd, attempts(of(crowd)), "attempts an update", durable ? most(1.1) : undefined)
    row(crowd, slowest(of(crowd), 0.99), "ms for 99 %", durable ? most(40) : undefined)
    if (durable) {
      row(wide, ratio(speeds(of(wide)), speeds(of(one))), `× ${label(one)}`, least(0.9))
      row(wide, fairness(of(wide)), "slowest / fastest process", least(0.8))
    }
    panels.push({
      title: `${store}, 8 processes on one scope`,
      x: {
        label: "of 100 updates so many take",
        // The picture counts those that take longer.
        ticks: [1, 10, 100, 1_000, 10_000],
        tick: (value) => value === 1 ? "99" : `${Number((100 / value).toPrecision(3))}`
      },
      y: { label: "at least so many ms", tick: short },
      series: [crowd, ...others].map((group, i) => ({
        name: group.contender,
        points: parts.map((part) => [1 / (1 - part), slowest(of(group), Math.max(part, fastest))] as const),
        ours: i === 0
      }))
    })
  }
  return {
    rows,
    charts: panels.length === 0 ? [] : [{ file: "crowd.svg", title: "How long updates of a crowd take", panels }]
  }
})
