/**
 * The campaign against the engine: simulated runs, those seeds first that failed once.
 *
 * `npm run campaign -- --runs 10000 --minutes 60 --seed 1 --only calls --workers 2`
 *
 * Stops after so many runs of each simulation, or after so many minutes, whichever comes first. A seed that fails is
 * shown, shrunk, and belongs into `corpus.json`.
 */
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { Worker } from "node:worker_threads"
import corpus from "./corpus.json" with { type: "json" }
import type { Done, Slice } from "./worker.ts"
import { simulations } from "./workload.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10000" },
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 2 ** 40)) },
    only: { type: "string" },
    faults: { type: "string", default: "3" },
    attempts: { type: "string", default: "1000" },
    workers: { type: "string", default: String(availableParallelism()) }
  }
})
const [runs, seed, most] = [Number(values.runs), Number(values.seed), Number(values.faults)]
const attempts = Number(values.attempts)
const deadline = performance.now() + Number(values.minutes) * 60_000
const names = (Object.keys(simulations) as Array<keyof typeof simulations>).filter((name) =>
  values.only === undefined || values.only === name
)

/** Runs in slices, so that the time is looked at now and then. */
const size = 200

// Several threads that move next to nothing mostly wait for each other.
setFlagsFromString("--no-parallel-scavenge")

// A run leaves nothing behind: with room for many of them, what little was alive is all that has to be moved.
const workers = Array.from(
  { length: Number(values.workers) },
  () => new Worker(new URL("./worker.ts", import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 192 } })
)

const ask = (worker: Worker, slice: Slice): Promise<Done> =>
  new Promise((resolve, reject) => {
    worker.removeAllListeners("message").once("message", resolve)
    worker.removeAllListeners("error").once("error", reject)
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
    worker.postMessage(slice)
  })

let faults = 0
for (const name of names) {
  const share = performance.now() + (deadline - performance.now()) / (names.length - names.indexOf(name))
  let [done, calls, next] = [0, 0, seed]
  const began = performance.now()
  const run = async (worker: Worker, slice: Omit<Slice, "name" | "attempts">): Promise<void> => {
    const result = await ask(worker, { ...slice, name, attempts })
    done += result.runs
    calls += result.calls
    if (result.fault === undefined) return
    faults++
    console.log(`${name}: ${result.fault}\n`)
  }
  await run(workers[0]!, { runs: 0, seed, seeds: corpus[name] })
  await Promise.all(workers.map(async (worker) => {
    while (next < seed + runs && performance.now() < share && faults < most) {
      const from = next
      next += size
      await run(worker, { runs: Math.min(size, seed + runs - from), seed: from, seeds: [] })
    }
  }))
  const seconds = (performance.now() - began) / 1000
  console.log(
    `${name}: ${done} runs, ${calls} calls in ${seconds.toFixed(1)} s (${Math.round(done / seconds)} a second), ` +
      `seeds from ${seed}`
  )
}
await Promise.all(workers.map((worker) => worker.terminate()))
process.exitCode = faults === 0 ? 0 : 1
