import type { Record, Verdict } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"
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
    return answer.inDoubt || run.doubt ? { _tag: "InDoubt", error: answer } : { _tag: "Failed", error: answer }
  }
  if (answer.committed) return applied
  const { current, shortfall } = answer
  const { mark, transaction } = run
  if (mark === undefined) return { _tag: "NotApplied", current }

  // An earlier sending of it may be what it was refused for: ours, or one that the client library repeated unseen. All
  // parts were written together or not at all, so those that know must agree.
  let found = 0
  let missed = 0
  for (let i = 0; i < transaction.length; i++) {
    if (transaction[i]!.next === undefined) continue
    const applied = Revision.contains(current[i]?.revision ?? null, mark)
    if (applied === true) found++
    else if (applied === false) missed++
  }
  if (found > 0) {
    if (missed > 0) {
      return {
        _tag: "Unknowable",
        reason:
          "of the scopes that its commit wrote together, some hold what it wrote and others do not: the store has " +
          "lost a part of it, or has gone back to an older state"
      }
    }
    if (shortfall === undefined) return { _tag: "Applied", current }
    return shortfall.reason === "NotReplicated"
      ? { _tag: "Applied", current, shortfall: shortfall.description }
      : { _tag: "InDoubt", error: shortfall }
  }
  return missed > 0 ? { _tag: "NotApplied", current } : {
    _tag: "Unknowable",
    reason:
      "the answer to its commit was lost, and since then so many others committed that no trace of it would be left"
  }
}

const applied: Decision = { _tag: "Applied" }
