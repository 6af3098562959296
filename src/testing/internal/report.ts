import { format } from "effect/Formatter"
import type { Run, Simulation } from "../Simulation.ts"
import { type Event, table } from "./lanes.ts"
import type { Plan } from "./plan.ts"
import { shrink } from "./shrink.ts"

/**
 * What was wrong with a seed: the shortest run that goes wrong in the same way, with a lane for each writer.
 *
 * `before`: how the seed went just before. Where it goes otherwise now, not only the seed decides, and no run can be
 * believed that was made shorter.
 */
export const report = <Operation, Output>(
  simulation: Simulation<Operation, Output>,
  seed: number,
  attempts: number,
  before?: Run<Operation, Output>
): { readonly seed: number; readonly kind: string; readonly report: string } => {
  const plan = simulation.plan(seed)
  const first = simulation.execute(plan, false)
  const judged = simulation.judge(first, seed)
  const { fault } = judged
  if (before?.fault !== undefined && went(before) !== went(judged)) return unsteady(seed, before.fault)
  if (fault === undefined) return { seed, kind: "none", report: `Seed ${seed} does not fail` }
  const fails = (plan: Plan<Operation>) =>
    simulation.judge(simulation.execute(plan, false), seed).fault?.kind === fault.kind
  // What nobody could decide would take as long again with each attempt, and a shorter run of it would say no more.
  const smallest = shrink({ ...plan, fates: first.fates }, fails, fault.kind === "undecided" ? 0 : attempts)
  const ran = simulation.execute(smallest, true)
  const shown = simulation.judge(ran, seed).fault
  if (shown?.kind !== fault.kind) return unsteady(seed, fault)
  const calls = smallest.steps.filter(({ _tag }) => _tag === "call").length
  return {
    seed,
    kind: fault.kind,
    report: [
      `Seed ${seed} fails (${fault.kind}). The shortest run found that does has ${calls} calls:`,
      "",
      table(withoutCalm(ran.events)),
      "",
      shown.message
    ].join("\n")
  }
}

const unsteady = (seed: number, { kind, message }: { readonly kind: string; readonly message: string }) => ({
  seed,
  kind,
  report:
    `Seed ${seed} fails (${kind}), but goes otherwise when it is run again, so it cannot be shrunk: something that ` +
    `it runs depends on more than the seed, such as a clock, chance, or what an earlier run left in a variable. ` +
    `Purity.check finds that in handlers.\n\n${message}`
})

const went = ({ fault, history }: Run<unknown, unknown>): string => format([fault?.kind, history])

// What those do who only look at the end is shown; that all is put away then, is not.
const withoutCalm = (events: ReadonlyArray<Event>): ReadonlyArray<Event> => {
  const last = events.findLastIndex(({ lane }) => lane === "end")
  return last === -1 ? events : events.slice(0, last + 1)
}
