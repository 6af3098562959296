/** Runs slices of a campaign in a thread of its own. */
import { Effect, Exit } from "effect"
import { Simulation } from "effect-scoped/testing"
import { parentPort } from "node:worker_threads"
import { simulations } from "./workload.ts"

/** Seeds to run: so many from one on, or those that are listed. */
export interface Slice {
  readonly name: keyof typeof simulations
  readonly seed: number
  readonly runs: number
  readonly seeds: ReadonlyArray<number>
  readonly attempts: number
}

export interface Done {
  readonly runs: number
  readonly calls: number
  readonly fault: string | undefined
}

const work = ({ name, ...options }: Slice): Effect.Effect<Done> =>
  Effect.map(
    Effect.exit(Simulation.check<unknown, unknown>(simulations[name] as never, options)),
    (exit) =>
      Exit.isSuccess(exit)
        ? { ...exit.value, fault: undefined }
        : {
          runs: 0,
          calls: 0,
          fault: String(exit.cause.reasons.map((reason) => "error" in reason ? reason.error : reason))
        }
  )

parentPort?.on("message", (slice: Slice) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is no window
  void Effect.runPromise(work(slice)).then((done) => parentPort!.postMessage(done))
})
