import type { Effect, Scope } from "effect"
import type { Store } from "../contenders/contenders.ts"
import type { Effort } from "../harness.ts"
import type { Findings } from "../report.ts"

/** A part of the benchmark, which can be run by itself. */
export type Part = (effort: Effort, stores: ReadonlyArray<Store>) => Effect.Effect<Findings, unknown, Scope.Scope>
