/** A real store that a campaign runs on. */
import type { Faults } from "./fault.ts"
import type { Place } from "./protocol.ts"
import type { Worker } from "./workers.ts"

export interface Store {
  readonly place: Place
  readonly under?: ReadonlyArray<string> | undefined
  /** What survives the faults: see `check.ts`. */
  readonly survives: "all" | "replicated"
  /** What may go wrong with it, besides what goes wrong with any. */
  readonly faults: (workers: ReadonlyArray<Worker>) => Faults
}
