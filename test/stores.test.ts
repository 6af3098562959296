/** A small campaign on each real store: `npm run campaign:stores` runs as long as one likes, with all that may go wrong. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Campaign from "./campaign/real/campaign.ts"
import { stores } from "./campaign/real/stores.ts"

const faults = {
  redis: ["answerLost", "serverKilled", "workerKilled"],
  mysql: ["answerLost", "serverKilled", "workerKilled"],
  file: ["workersKilled", "workerStopped", "clockMoved"]
}

describe("processes on a real store, while things go wrong", () => {
  for (const [name, only] of Object.entries(faults)) {
    it.live(`explain each other: ${name} with ${only.join(", ")}`, () =>
      Effect.gen(function*() {
        const { tallies, violations } = yield* Campaign.run(yield* stores[name]!, {
          seed: 1,
          workers: 2,
          fibers: 3,
          faults: only.length,
          only,
          millis: Infinity,
          rounds: 1,
          patience: 60_000,
          log: () => {}
        })
        assert.deepStrictEqual(violations, [])
        for (const fault of only) assert.strictEqual(tallies.get(fault)?.injections, 1)
      }), 240_000)
  }
})
