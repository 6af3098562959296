import type { Plan } from "./plan.ts"

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
