/** A small campaign: the seeds that failed once, and some thousand others. `npm run campaign` runs as many as one likes. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Simulation } from "effect-scoped/testing"
import corpus from "./corpus.json" with { type: "json" }
import { simulations } from "./workload.ts"

const runs = { calls: 5_000, watchers: 800, forgetful: 2_500, crowds: 700 }

describe("the campaign", () => {
  for (const name of Object.keys(runs) as Array<keyof typeof runs>) {
    it.live(`finds nothing in ${runs[name]} simulated runs: ${name}`, () =>
      Effect.gen(function*() {
        const done = yield* Simulation.check(simulations[name], { runs: runs[name], seeds: corpus[name] })
        assert.strictEqual(done.runs, runs[name] + corpus[name].length)
        assert.isAbove(done.calls, runs[name])
      }), 240_000)
  }
})
