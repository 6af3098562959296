import { format } from "effect/Formatter"
import type { Simulation } from "../Simulation.ts"
import { type Event, table } from "./lanes.ts"
import type { Plan } from "./plan.ts"
import { shrink } from "./shrink.ts"

/** What was wrong with a seed: the shortest run that goes wrong in the same way, with a lane for each writer. */
export const report = <Operation, Output>(
  simulation: Simulation<Operation, Output>,
  seed: number,
  attempts: number
): { readonly seed: number; readonly kind: string; readonly report: string } => {
  const plan = simulation.plan(seed)
  const first = simulation.execute(plan, false)
  const fault = simulation.judge(first, seed).fault
  if (fault === undefined) return { seed, kind: "none", report: `Seed ${seed} does not fail` }
  const fails = (plan: Plan<Operation>) =>
    simulation.judge(simulation.execute(plan, false), seed).fault?.kind === fault.kind
  const smallest = shrink({ ...plan, fates: first.fates }, fails, attempts)
  const ran = simulation.execute(smallest, true)
  const calls = smallest.steps.filter(({ _tag }) => _tag === "call").length
  return {
    seed,
    kind: fault.kind,
    report: [
      `Seed ${seed} fails (${fault.kind}). The shortest run found that does has ${calls} calls:`,
      "",
      table(withoutCalm(ran.events)),
      "",
      simulation.judge(ran, seed).fault?.message ?? format(fault)
    ].join("\n")
  }
}

// What those do who only look at the end is shown; that all is put away then, is not.
const withoutCalm = (events: ReadonlyArray<Event>): ReadonlyArray<Event> => {
  const last = events.findLastIndex(({ lane }) => lane === "end")
  return last === -1 ? events : events.slice(0, last + 1)
}
