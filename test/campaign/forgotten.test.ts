/** A commit whose writer is cut off for longer than the store remembers it: too rare for chance to find it. */
import { assert, describe, it } from "@effect/vitest"
import type { Operation } from "./workload.ts"
import { simulations } from "./workload.ts"

const plain = (kind: "append" | "get" | "remove"): Operation => ({ do: kind, to: "plain", id: 7 })

const fates = (seed: number) => {
  const simulation = simulations.forgetful
  const plan: ReturnType<typeof simulation.plan> = {
    seed,
    writers: 2,
    network: 0,
    fates: new Map(),
    steps: [
      { at: 0, _tag: "call", writer: 0, operation: plain("append") },
      { at: 1 + (seed % 16) / 4, _tag: "partition", writer: 0, millis: 25_000 },
      { at: 100, _tag: "call", writer: 1, operation: plain("get") },
      { at: 200, _tag: "call", writer: 1, operation: plain("remove") }
    ]
  }
  const ran = simulation.execute(plan, false)
  return { run: simulation.judge(ran, seed), errors: ran.errors.map(({ error }) => error._tag) }
}

describe("a commit that the store has forgotten", () => {
  it("is not applied again when its writer is back", () => {
    const errors = new Set<string>()
    for (let seed = 1; seed <= 200; seed++) {
      const found = fates(seed)
      assert.isTrue(found.run.fault === undefined, `seed ${seed}: ${found.run.fault?.message}`)
      for (const error of found.errors) errors.add(error)
    }
    // The cut came before and after the commit, and at the right moment.
    assert.isTrue(errors.has("AmbiguousCommitError"))
  })
})
