import type { Record, Verdict } from "../Driver.ts"
import { DriverError } from "../ScopedError.ts"
import * as Revision from "./revision.ts"
import type { Run } from "./run.ts"

/** What the store's answer, or the lack of one, means for a run. */
export type Decision =
  | {
    readonly _tag: "Applied"
    /** The records as they stand, where others may have committed since. */
    readonly current?: ReadonlyArray<Record | null>
    /** What is missing of the durability that was asked for. */
    readonly shortfall?: string
  }
  | { readonly _tag: "NotApplied"; readonly current: ReadonlyArray<Record | null> }
  /** Nothing is stored, and the same will happen again. */
  | { readonly _tag: "Failed"; readonly error: DriverError }
  /** Only sending the very same transaction again can tell. */
  | { readonly _tag: "InDoubt"; readonly error: DriverError }
  /** Not even that can tell any more. */
  | { readonly _tag: "Unknowable"; readonly reason: string }

export const decide = (run: Run, answer: Verdict | DriverError): Decision => {
  if (answer instanceof DriverError) {
    if (answer.reason === "NotReplicated") return { _tag: "Applied", shortfall: answer.description }
    return answer.inDoubt || run.doubtSince !== undefined
      ? { _tag: "InDoubt", error: answer }
      : { _tag: "Failed", error: answer }
  }
  if (answer.committed) return { _tag: "Applied" }

  // An earlier sending of it may be what it was refused for: ours, or one that the client library repeated unseen. All
  // parts were written together or not at all, so any one of them that knows is enough.
  let unknown = false
  for (let i = 0; i < run.transaction!.length; i++) {
    const write = run.transaction![i]!
    if (write.next === undefined) continue
    const applied = Revision.contains(answer.current[i]?.revision ?? null, write.expected, run.mark)
    if (applied === true) return { _tag: "Applied", current: answer.current }
    if (applied === false) return { _tag: "NotApplied", current: answer.current }
    unknown = true
  }
  return run.doubtSince !== undefined && unknown
    ? {
      _tag: "Unknowable",
      reason:
        "the answer to its commit was lost, and since then so many others committed, or the record was deleted, " +
        "that no trace of it would be left"
    }
    : { _tag: "NotApplied", current: answer.current }
}
