/** Rounds of random programs on a real store while things go wrong, and what came of them. */
import { Effect, Exit, Scope } from "effect"
import { Seeded } from "../../../src/testing/internal/random.ts"
import { check, ofGroup, show } from "./check.ts"
import { type Fault, ofWorkers } from "./fault.ts"
import { now } from "./protocol.ts"
import type { Store } from "./store.ts"
import * as Workers from "./workers.ts"

export interface Options {
  readonly seed: number
  readonly workers: number
  readonly fibers: number
  /** How many faults in each round. */
  readonly faults: number
  /** Only these kinds of faults. Default: all that there are. */
  readonly only?: ReadonlyArray<string> | undefined
  /** How many rounds at the most. Default: as many as there is time for. */
  readonly rounds?: number | undefined
  /** No new round, and no new fault, begins after so many milliseconds. */
  readonly millis: number
  /** Within how many milliseconds everybody must come through once nothing goes wrong any more. */
  readonly patience: number
  readonly log: (line: string) => void
}

/** What was counted while something went wrong, and until the next thing did. */
export interface Tally {
  injections: number
  calls: number
  acknowledged: number
  unknown: number
  /** Applied on too few replicas. */
  short: number
  readonly failed: Map<string, number>
  violations: number
}

export interface Result {
  readonly rounds: number
  /** Histories that were not checked to the end, for the time it would have taken. */
  readonly undecided: number
  readonly tallies: ReadonlyMap<string, Tally>
  readonly violations: ReadonlyArray<string>
}

const emptyTally = (): Tally => ({
  injections: 0,
  calls: 0,
  acknowledged: 0,
  unknown: 0,
  short: 0,
  failed: new Map(),
  violations: 0
})

interface Spell {
  readonly fault: string
  readonly from: number
}

export const run = Effect.fnUntraced(function*(store: Store, options: Options) {
  const random = new Seeded(options.seed)
  const workers = yield* Effect.forEach(Array.from({ length: options.workers }), (_, i) =>
    Workers.make({
      number: i,
      place: store.place,
      under: store.under,
      fibers: options.fibers,
      // Whether a removal found anything is not told, and may have been seen on a server that was replaced.
      removes: store.survives === "all",
      random: new Seeded(options.seed, i)
    }))
  const all: { readonly [name: string]: Fault } = { ...ofWorkers(workers), ...store.faults(workers) }
  const kinds = Object.keys(all).filter((name) => options.only === undefined || options.only.includes(name))
  const tallies = new Map<string, Tally>()
  const violations: Array<string> = []
  const deadline = now() + options.millis
  let rounds = 0
  let undecided = 0
  let bag: Array<string> = []

  /** Each kind comes as often as the others. */
  const nextKind = (): string => {
    if (bag.length === 0) bag = [...kinds]
    return bag.splice(random.below(bag.length), 1)[0]!
  }
  const until = Effect.fnUntraced(function*(condition: () => boolean) {
    let end = now() + options.patience
    const latest = now() + 10 * options.patience
    while (!condition()) {
      if (now() > end || complaints().length > 0) return condition()
      // How long a process takes to start is not the store's fault.
      if (!workers.every((worker) => worker.isUp())) end = Math.min(now() + options.patience, latest)
      yield* Effect.sleep(20)
    }
    return true
  })
  const complaints = () => workers.flatMap((worker) => worker.complaints())
  const acknowledgedBy = (worker: Workers.Worker, since: number) =>
    worker.events().some((event) => event.called > since && event.end?.is === "answered")

  const most = options.rounds ?? Infinity
  while (violations.length === 0 && rounds < most && (rounds === 0 || now() < deadline)) {
    const round = rounds++
    const groups = [`${options.seed}.${round}.a`, `${options.seed}.${round}.b`]
    const spells: Array<Spell> = [{ fault: "none", from: now() }]
    const found: Array<string> = []
    for (const worker of workers) worker.start(groups)
    yield* until(() => workers.every((worker) => acknowledgedBy(worker, 0)))
    for (let i = 0; i < options.faults && found.length === 0 && (i === 0 || now() < deadline); i++) {
      const fault = nextKind()
      const { begin, millis: [least, most] } = all[fault]!
      spells.push({ fault, from: now() })
      const scope = yield* Scope.make()
      const began = yield* Effect.exit(Scope.provide(begin(random), scope))
      yield* Effect.sleep(least + random.below(most - least))
      const ended = yield* Effect.exit(Scope.close(scope, Exit.void))
      for (const exit of [began, ended]) {
        if (Exit.isFailure(exit)) found.push(`The fault ${fault} itself failed: ${String(exit.cause)}`)
      }
      // Nobody starves: each of them gets an answer again.
      const calm = now()
      if (!(yield* until(() => workers.every((worker) => acknowledgedBy(worker, calm))))) {
        for (const worker of workers) {
          if (!acknowledgedBy(worker, calm)) {
            found.push(
              `${worker.name} got no answer within ${options.patience} ms after ${fault}; its last calls:`,
              show(worker.events().slice(-10))
            )
          }
        }
      }
    }
    const calmSince = now()
    spells.push({ fault: "none", from: calmSince })
    for (const worker of workers) worker.tell({ do: "look" })
    if (!(yield* until(() => workers.every((worker) => worker.looked())))) {
      for (const worker of workers) {
        if (!worker.looked()) {
          found.push(
            `${worker.name} did not come through within ${options.patience} ms; its last calls:`,
            show(worker.events().slice(-10))
          )
        }
      }
    }
    const events = workers.flatMap((worker) => worker.events())
    found.push(...complaints())
    for (const group of groups) {
      const history = ofGroup(events, group)
      const { decided, faults } = check(history, { survives: store.survives, calmSince })
      if (!decided) undecided++
      if (faults.length > 0) found.push(...faults, show(history))
    }
    tally(tallies, spells, events, found.length)
    options.log(
      `round ${round}: ${events.length} calls; ${spells.slice(1, -1).map(({ fault }) => fault).join(", ")}` +
        `${found.length === 0 ? "" : ": VIOLATION"}`
    )
    if (found.length > 0) {
      violations.push(
        [
          `seed ${options.seed}, round ${round}`,
          ...spells.map(({ fault, from }) => `  ${(from - spells[0]!.from).toFixed(1)} ms: ${fault}`),
          ...found
        ].join("\n")
      )
    }
  }
  const result: Result = { rounds, undecided, tallies, violations }
  return result
})

/** Counts each call with the fault that began last before it. */
const tally = (
  tallies: Map<string, Tally>,
  spells: ReadonlyArray<Spell>,
  events: ReadonlyArray<Workers.Event>,
  violations: number
): void => {
  const of = (fault: string): Tally => {
    const tally = tallies.get(fault) ?? emptyTally()
    tallies.set(fault, tally)
    return tally
  }
  for (const { fault } of spells) of(fault).injections++
  // It is not known which of them is to blame.
  if (violations > 0) of(spells.at(-2)!.fault).violations++
  for (const { called, end } of events) {
    const counted = of(spells.findLast(({ from }) => from <= called)?.fault ?? "none")
    counted.calls++
    if (end === undefined || end.is === "unknown") counted.unknown++
    else if (end.is === "answered") counted.acknowledged++
    else if (end.is === "short") counted.short++
    else counted.failed.set(end.error, (counted.failed.get(end.error) ?? 0) + 1)
  }
}
