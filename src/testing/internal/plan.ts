import type { Fate } from "./fates.ts"
import { Seeded } from "./random.ts"

/** Something that is done to a writer or to the store, `at` milliseconds after the beginning. */
export type Step<Operation> =
  & { readonly at: number }
  & (
    | { readonly _tag: "call"; readonly writer: number; readonly operation: Operation }
    | { readonly _tag: "interrupt" | "crash" | "close"; readonly writer: number }
    | { readonly _tag: "partition"; readonly writer: number; readonly millis: number }
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
  readonly failover: boolean
}

/** How long the store is away, in milliseconds. */
const outages = [1, 50, 3_000, 25_000]

/** Draws a plan. Most runs meet a few of the faults only, so that these are not lost among others. */
export const draw = <Operation>(seed: number, options: {
  readonly operation: (random: Seeded) => Operation
  readonly writers: number
  readonly calls: number
  readonly faults: Faults
}): Plan<Operation> => {
  const random = new Seeded(seed, 0)
  const writers = 1 + random.below(options.writers)
  const calls = 1 + random.below(options.calls)
  const weather = (most: number) => random.choice([0, 0.3, 1]) * most
  const network = weather(options.faults.network)
  const processes = weather(options.faults.writers)
  const store = weather(options.faults.store)
  const steps: Array<Step<Operation>> = []
  let at = 0
  for (let i = 0; i < calls; i++) {
    const gap = random.next()
    // At once, a little later, or so much later that things have expired or are forgotten.
    at += gap < 0.5 ? 0 : gap < 0.9 ? random.below(20) : gap < 0.97 ? random.below(10_000) : random.below(20) * 60_000
    const writer = random.below(writers)
    steps.push({ at, _tag: "call", writer, operation: options.operation(random) })
    // While the call is on its way, more often than not.
    const soon = at + random.below(6 * 1024) / 1024
    if (random.chance(processes)) {
      const _tag = random.choice(["interrupt", "interrupt", "crash", "close", "partition"] as const)
      steps.push(
        _tag === "partition"
          ? { at: soon, _tag, writer, millis: random.choice(outages) }
          : { at: soon, _tag, writer }
      )
    }
    if (random.chance(store)) {
      const lost = options.faults.failover && random.chance(0.5) ? 1 + random.below(3) : 0
      steps.push({ at: soon, _tag: "restart", millis: random.choice(outages), lost })
    }
  }
  steps.sort((one, other) => one.at - other.at)
  return { seed, writers, network, fates: undefined, steps }
}

/**
 * The smallest plan that `fails`, as far as leaving out steps and faults one after another finds it, in at most so many
 * attempts.
 */
export const shrink = <Operation>(
  plan: Plan<Operation>,
  fails: (plan: Plan<Operation>) => boolean,
  attempts: number
): Plan<Operation> => {
  let best = plan
  let left = attempts
  const accept = (candidate: Plan<Operation>): boolean => {
    if (left-- <= 0 || !fails(candidate)) return false
    best = candidate
    return true
  }
  for (;;) {
    const before = best
    for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
      for (let from = best.steps.length - size; from >= 0; from -= size) {
        accept({ ...best, steps: [...best.steps.slice(0, from), ...best.steps.slice(from + size)] })
      }
    }
    if (best.fates !== undefined) {
      accept({ ...best, fates: new Map() })
      for (const name of [...best.fates.keys()].toReversed()) {
        const fates = new Map(best.fates)
        if (fates.delete(name)) accept({ ...best, fates })
      }
    }
    // All at once, and by as few writers as possible.
    for (let i = 0; i < best.steps.length; i++) {
      const step = best.steps[i]!
      const earliest = i === 0 ? 0 : best.steps[i - 1]!.at
      if (step.at === earliest) continue
      const gap = step.at - earliest
      accept({ ...best, steps: best.steps.map((other, j) => j < i ? other : { ...other, at: other.at - gap }) })
    }
    for (let i = 0; i < best.steps.length; i++) {
      const step = best.steps[i]!
      if (step._tag === "call" && step.writer > 0) {
        accept({ ...best, steps: best.steps.with(i, { ...step, writer: 0 }) })
      }
    }
    if (best === before || left <= 0) return best
  }
}
