import type * as Result from "effect/Result"
import type { Codec, Fault, Snapshot } from "./codec.ts"

/** One scope inside what an update works on. */
export interface Part {
  /** As the user named it. */
  readonly scope: string
  /** As it is stored, without the namespace. */
  readonly name: string
  readonly codec: Codec
  /** The state where nothing is stored. */
  readonly initial: () => Result.Result<Snapshot, Fault>
}

/**
 * What an update works on: one scope, or several as one.
 *
 * `join` makes the state that handlers see from the states of the parts, `split` takes a next state apart again.
 */
export interface Target {
  readonly scope: string
  readonly parts: ReadonlyArray<Part>
  readonly join: (states: ReadonlyArray<unknown>) => unknown
  readonly split: (state: unknown) => ReadonlyArray<unknown>
}
