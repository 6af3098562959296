/**
 * The campaign against the engine: simulated runs, those seeds first that failed once.
 *
 * `npm run campaign -- --runs 10000 --minutes 60 --seed 1 --only calls`
 *
 * Stops after so many runs of each simulation, or after so many minutes, whichever comes first. A seed that fails is
 * shown, shrunk, and belongs into `corpus.json`.
 */
import { Effect, Exit } from "effect"
import { Simulation } from "effect-scoped/testing"
import { parseArgs } from "node:util"
import corpus from "./corpus.json" with { type: "json" }
import { simulations } from "./workload.ts"

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "10000" },
    minutes: { type: "string", default: "60" },
    seed: { type: "string", default: String(1 + Math.floor(Math.random() * 2 ** 40)) },
    only: { type: "string" },
    faults: { type: "string", default: "3" },
    attempts: { type: "string", default: "1000" }
  }
})
const [runs, seed, most] = [Number(values.runs), Number(values.seed), Number(values.faults)]
const attempts = Number(values.attempts)
const deadline = performance.now() + Number(values.minutes) * 60_000
const names = (Object.keys(simulations) as Array<keyof typeof simulations>).filter((name) =>
  values.only === undefined || values.only === name
)

/** Runs in slices, so that the time is looked at now and then. */
const slice = 200

const campaign = Effect.gen(function*() {
  let faults = 0
  for (const name of names) {
    const share = performance.now() + (deadline - performance.now()) / (names.length - names.indexOf(name))
    let [done, calls] = [0, 0]
    const began = performance.now()
    const attempt = Effect.fnUntraced(function*(options: Parameters<typeof Simulation.check>[1]) {
      const result = yield* Effect.exit(Simulation.check(simulations[name], { ...options, attempts }))
      if (Exit.isSuccess(result)) {
        done += result.value.runs
        calls += result.value.calls
        return
      }
      faults++
      console.log(
        `${name}: ${String(result.cause.reasons.map((reason) => "error" in reason ? reason.error : reason))}\n`
      )
    })
    yield* attempt({ runs: 0, seeds: corpus[name] })
    for (let next = seed; next < seed + runs && performance.now() < share && faults < most; next += slice) {
      yield* attempt({ runs: Math.min(slice, seed + runs - next), seed: next })
    }
    const seconds = (performance.now() - began) / 1000
    console.log(
      `${name}: ${done} runs, ${calls} calls in ${seconds.toFixed(1)} s (${Math.round(done / seconds)} a second), ` +
        `seeds from ${seed}`
    )
  }
  return faults
})

process.exitCode = (await Effect.runPromise(campaign)) === 0 ? 0 : 1
