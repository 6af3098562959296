/** How everything here is measured: contenders take turns in short rounds of one run, and medians are compared. */
import { type Context, Effect } from "effect"
import type { Storage } from "effect-scoped"

/** Something that can add one to a count: ours, or what a program would do without us. */
export interface Contender {
  readonly name: string
  /** Adds one to the count of a key. */
  readonly add: (key: number) => Effect.Effect<unknown, unknown, Storage.Storage>
  /** What `add` runs in. Nothing that is not ours needs any. */
  readonly context: Context.Context<Storage.Storage>
  /** More than so many at once make no sense. Default: any number. */
  readonly atMost?: number | undefined
  /** The same for one key, which all of them then get into each other's way on. */
  readonly atMostOnOneKey?: number | undefined
  /** How often it has tried so far, where a try may be in vain. */
  readonly attempts?: Effect.Effect<number> | undefined
}

/** How long to measure. */
export interface Effort {
  readonly rounds: number
  readonly millis: number
  /** Smaller worlds, too: fewer scopes, less data. */
  readonly quick: boolean
}

/** What one contender did in each round. */
export interface Laps {
  readonly perSecond: ReadonlyArray<number>
  readonly cpuMicros: ReadonlyArray<number>
}

export interface Lap {
  readonly count: number
  readonly seconds: number
  /** Processor time of this process for each operation. */
  readonly cpuMicros: number
}

/** So many loops, each of which does one operation after another until the time is up. */
export const lap = <E, R>(
  operation: (i: number) => Effect.Effect<unknown, E, R>,
  concurrency: number,
  millis: number
): Effect.Effect<Lap, E, R> =>
  Effect.gen(function*() {
    const cpu = process.cpuUsage()
    const started = performance.now()
    const until = started + millis
    let count = 0
    const loop = Effect.gen(function*() {
      while (performance.now() < until) yield* operation(count++)
    })
    yield* Effect.forEach(Array.from({ length: concurrency }), () => loop, { concurrency: "unbounded", discard: true })
    const { system, user } = process.cpuUsage(cpu)
    return { count, seconds: (performance.now() - started) / 1_000, cpuMicros: (user + system) / count }
  })

/** Before anything counts: until everything is compiled. */
export const warm = (contenders: ReadonlyArray<Contender>, effort: Effort) =>
  Effect.forEach(contenders, ({ add, atMost = Infinity, context }) =>
    Effect.forEach(
      [1, 64],
      (concurrency) => lap((i) => add(i % 100), Math.min(concurrency, atMost), effort.quick ? 250 : 500),
      { discard: true }
    ).pipe(Effect.provideContext(context)), { discard: true })

/** Lets all take turns, after a short round that does not count; each on keys below `keys`. */
export const race = Effect.fnUntraced(function*(
  contenders: ReadonlyArray<Contender>,
  options: { readonly concurrency: number; readonly keys: number; readonly effort: Effort }
) {
  const { concurrency, effort, keys } = options
  const laps = new Map<string, { perSecond: Array<number>; cpuMicros: Array<number> }>()
  for (let round = 0; round <= effort.rounds; round++) {
    for (const { add, atMost = Infinity, context, name } of contenders) {
      const { count, cpuMicros, seconds } = yield* lap(
        (i) => add(i % keys),
        Math.min(concurrency, atMost),
        round === 0 ? effort.millis / 2 : effort.millis
      ).pipe(Effect.provideContext(context))
      if (round === 0) laps.set(name, { perSecond: [], cpuMicros: [] })
      else {
        laps.get(name)!.perSecond.push(count / seconds)
        laps.get(name)!.cpuMicros.push(cpuMicros)
      }
    }
  }
  return laps as ReadonlyMap<string, Laps>
})

export const median = (numbers: ReadonlyArray<number>): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!

/** The median of the ratios of the rounds: what slows the machine down for a while slows both. */
export const ratio = (ours: ReadonlyArray<number>, theirs: ReadonlyArray<number>): number =>
  median(ours.map((one, round) => one / theirs[round]!))
