import * as Linearizability from "../Linearizability.ts"
import type { Run } from "../Simulation.ts"
import type { Ran } from "./spec.ts"

/** Looks for what is wrong with a run that seemed to go well: with its order first, and then with what else must hold. */
export const judge = <State, Operation, Output>(
  { errors, fault, history, lost }: Ran<Operation, Output>,
  seed: number,
  model: Linearizability.Model<State, Operation, Output>,
  check: ((run: Run<Operation, Output>) => string | undefined) | undefined
): Run<Operation, Output> => {
  const run = { seed, history, errors, fault }
  if (fault !== undefined) return run
  if (!lost) {
    const verdict = Linearizability.check(history, model, { steps: 1_000_000 })
    switch (verdict._tag) {
      case "Violation":
        return { ...run, fault: { kind: "order", message: verdict.message } }
      case "Undecided":
        return { ...run, fault: { kind: "undecided", message: verdict.message } }
    }
  }
  const message = check?.(run)
  return message === undefined ? run : { ...run, fault: { kind: "check", message } }
}
