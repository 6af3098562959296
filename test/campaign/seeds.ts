import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Simulation } from "effect-scoped/testing"
import corpus from "./corpus.json" with { type: "json" }
import { simulations } from "./workload.ts"

type Name = keyof typeof simulations

/** Tests that so many runs of each simulation find nothing: the seeds that failed once, and then others. */
export const seeds = (runs: { readonly [name in Name]?: number }): void => {
  describe("the campaign", () => {
    for (const [name, count] of Object.entries(runs) as ReadonlyArray<readonly [Name, number]>) {
      it.live(`finds nothing in ${count} simulated runs: ${name}`, () =>
        Effect.gen(function*() {
          const done = yield* Simulation.check<unknown, unknown>(simulations[name] as never, {
            runs: count,
            seeds: corpus[name]
          })
          assert.strictEqual(done.runs, count + corpus[name].length)
          assert.isAbove(done.calls, count)
        }), 600_000)
    }
  })
}
