import type { Fate } from "./fates.ts"
import { Seeded } from "./random.ts"

/** Something that is done to a writer or to the store, `at` milliseconds after the beginning. */
export type Step<Operation> =
  & { readonly at: number }
  & (
    | { readonly _tag: "call"; readonly writer: number; readonly operation: Operation }
    | { readonly _tag: "interrupt" | "crash" | "close"; readonly writer: number }
    /** Nothing arrives, everything arrives and nothing is answered, or its clock is set. */
    | { readonly _tag: "partition" | "silence" | "jump"; readonly writer: number; readonly millis: number }
    /** Nobody is answered. */
    | { readonly _tag: "silence"; readonly writer: undefined; readonly millis: number }
    | { readonly _tag: "restart"; readonly millis: number; readonly lost: number }
  )

/** All that a run does, as a value: the same plan makes the same run. What it does not say is drawn from the seed. */
export interface Plan<Operation> {
  readonly seed: number
  readonly writers: number
  /** The probability of a fault of a call to the store. */
  readonly network: number
  /** The fates of calls, where they are not to be drawn: those that are not named are fine. */
  readonly fates: ReadonlyMap<string, Fate> | undefined
  readonly steps: ReadonlyArray<Step<Operation>>
}

export interface Faults {
  readonly network: number
  readonly writers: number
  readonly store: number
  readonly clocks: number
  readonly failover: boolean
}

/** How long the store is away, in milliseconds: minutes are dear, for all go on asking. */
const outages = [1, 50, 50, 3_000, 3_000, 25_000, 25_000, 150_000]

/** Draws a plan. Most runs meet a few of the faults only, so that these are not lost among others. */
export const draw = <Operation>(seed: number, options: {
  readonly operation: (random: Seeded) => () => Operation
  readonly writers: number
  readonly calls: number
  /** How far clocks are set at the most, in milliseconds. */
  readonly skew: number
  readonly faults: Faults
}): Plan<Operation> => {
  const random = new Seeded(seed, 0)
  const operation = options.operation(random)
  const writers = 1 + random.below(options.writers)
  const calls = 1 + random.below(options.calls)
  const weather = (most: number) => random.choice([0, 0.3, 1]) * most
  const network = weather(options.faults.network)
  const processes = weather(options.faults.writers)
  const store = weather(options.faults.store)
  const clocks = weather(options.faults.clocks)
  const bursts = random.chance(0.25)
  const steps: Array<Step<Operation>> = []
  let at = 0
  let writer = 0
  for (let i = 0; i < calls; i++) {
    const gap = bursts && random.chance(0.8) ? 0 : random.next()
    // At once, a little later, or so much later that things have expired or are forgotten.
    at += gap < 0.5 ? 0 : gap < 0.9 ? random.below(20) : gap < 0.97 ? random.below(10_000) : random.below(20) * 60_000
    if (!bursts || random.chance(0.3)) writer = random.below(writers)
    steps.push({ at, _tag: "call", writer, operation: operation() })
    // While the call is on its way, more often than not.
    const soon = at + random.below(6 * 1024) / 1024
    if (random.chance(processes)) {
      const _tag = random.choice(["interrupt", "interrupt", "crash", "close", "partition", "silence"] as const)
      steps.push(
        _tag === "partition" || _tag === "silence"
          ? { at: soon, _tag, writer, millis: random.choice(outages) }
          : { at: soon, _tag, writer }
      )
    }
    if (random.chance(store)) {
      const lost = options.faults.failover && random.chance(0.5) ? 1 + random.below(3) : 0
      steps.push(
        lost === 0 && random.chance(0.3)
          ? { at: soon, _tag: "silence", writer: undefined, millis: random.choice(outages) }
          : { at: soon, _tag: "restart", millis: random.choice(outages), lost }
      )
    }
    if (random.chance(clocks)) {
      const millis = random.choice([0.01, 0.1, 1]) * (2 * random.next() - 1) * options.skew
      steps.push({ at: soon, _tag: "jump", writer, millis })
    }
  }
  steps.sort((one, other) => one.at - other.at)
  return { seed, writers, network, fates: undefined, steps }
}
