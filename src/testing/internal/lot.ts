import type { Fate } from "./fates.ts"
import type { Plan } from "./plan.ts"
import { Seeded } from "./random.ts"

/** The fates of calls to the store: those of the plan, or ones that are drawn. */
export class Lot {
  /** From here on nothing goes wrong any more. */
  calm = false
  private readonly plan: Plan<unknown>
  private readonly drawn = new Map<string, Fate>()

  constructor(plan: Plan<unknown>) {
    this.plan = plan
  }

  /** The fate of the `n`th call of a process. */
  of(process: number, n: number, choices: ReadonlyArray<Fate>): Fate {
    const { fates, network, seed } = this.plan
    if (this.calm) return "fine"
    if (fates !== undefined) return fates.get(`${process}:${n}`) ?? "fine"
    const draw = new Seeded(seed, 5, process, n)
    if (!draw.chance(network)) return "fine"
    const fate = draw.choice(choices)
    this.drawn.set(`${process}:${n}`, fate)
    return fate
  }

  /** Those that were not fine. */
  get fates(): ReadonlyMap<string, Fate> {
    return this.plan.fates ?? this.drawn
  }
}
