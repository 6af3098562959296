import * as Duration from "effect/Duration"
import type { Options, Simulation } from "../Simulation.ts"
import { drawing } from "./drawn.ts"
import { judge } from "./judge.ts"
import * as Plan from "./plan.ts"
import { execute } from "./runner.ts"
import type { Spec } from "./spec.ts"

/** What a simulation is described by, with the defaults for what is left out, as what can be run. */
export const prepare = <State, Operation, Output>(
  options: Options<State, Operation, Output>
): Pick<Simulation<Operation, Output>, "plan" | "execute" | "judge"> => {
  const { calls = 12, failover, faults = {}, observe = [], storage = {}, store = {}, watch = [], writers = 3 } = options
  const skew = Duration.toMillis(Duration.fromInputUnsafe(options.skew ?? "1 hour"))
  const spec: Spec<Operation, Output> = {
    run: options.run,
    watch,
    observe,
    expiry: options.expiry,
    failover,
    options: (random) => {
      const drawn = drawing(random)
      return { storage: drawn(storage), store: drawn(store) }
    },
    skew
  }
  return {
    plan: (seed) =>
      Plan.draw(seed, {
        operation: (random) => {
          const drawn = drawing(random)
          return () => drawn(options.operation)
        },
        writers,
        calls,
        skew,
        faults: {
          network: faults.network ?? 0.2,
          writers: faults.writers ?? 0.15,
          store: faults.store ?? 0.05,
          clocks: faults.clocks ?? 0,
          failover: faults.failover ?? false
        }
      }),
    execute: (plan, traced) => execute(spec, plan, traced),
    judge: (ran, seed) => judge(ran, seed, options.model, options.check)
  }
}
