import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type { Cell } from "./cell.ts"
import type { Step } from "./schedules.ts"
import { type Part, samePart, type Target } from "./target.ts"

/** What a retry schedule is stepped with after a refusal. */
export interface Refusal {
  readonly scope: string
  readonly attempts: number
}

export type Retry = Schedule.Schedule<unknown, Refusal>

export type Kind = "update" | "result" | "remove"

/**
 * A caller's update on its way through the engine.
 *
 * It waits in the line of each of its cells, is in flight while its outcome is being committed, may return to waiting
 * when the commit is refused, and is settled once.
 */
export interface Update {
  readonly target: Target
  cells: ReadonlyArray<Cell>
  /** `"result"`: the handler gives a `Result`, so that it can abort. `"remove"`: there is no handler to run. */
  readonly kind: Kind
  readonly handler: (state: unknown) => unknown
  readonly retry: Retry
  /** The tick at which the caller came: its answer must have been true at some moment after it. */
  readonly joinedAt: number
  readonly resume: (exit: Effect.Effect<unknown, unknown>) => void
  phase: "waiting" | "inFlight" | "settled"
  /** What the last run of the handler gave; not to be told before it is committed or validated. */
  outcome: Exit.Exit<unknown, unknown>
  /** The callers that were refused for the first time together step their schedule together. */
  cohort: Cohort | undefined
  /** Set by an interrupted caller whose update is in flight: it is waited for, but not run again. */
  abandoned: (() => void) | undefined
}

export interface Cohort {
  attempts: number
  /** The scopes that others changed meanwhile. */
  readonly changed: Set<string>
  step: Step<Refusal> | undefined
}

/** Whether two updates can be fused: the same scopes under the same schemas, retried in the same way. */
export const fusible = (a: Update, b: Update): boolean =>
  a.retry === b.retry && (a.target === b.target || sameParts(a.target.parts, b.target.parts))

const sameParts = (a: ReadonlyArray<Part>, b: ReadonlyArray<Part>): boolean =>
  a.length === b.length && a.every((part, i) => samePart(part, b[i]!))

/** Tells the caller, or whoever waits for it to end. */
export const settle = (update: Update, exit: Exit.Exit<unknown, unknown>): void => {
  update.phase = "settled"
  if (update.abandoned === undefined) {
    update.resume(exit)
  } else {
    update.abandoned()
  }
}

/** Tells those who still wait. */
export const settleWaiting = (updates: ReadonlyArray<Update>, exit: Exit.Exit<unknown, unknown>): void => {
  for (const update of updates) {
    if (update.phase === "waiting") settle(update, exit)
  }
}

/**
 * Sorts refused updates, which wait again, into their cohorts; those refused for the first time make a new one. Whoever
 * was interrupted meanwhile is let go.
 */
export const cohortsOf = (updates: ReadonlyArray<Update>): ReadonlyMap<Cohort, ReadonlyArray<Update>> => {
  const fresh: Cohort = { attempts: 0, changed: new Set(), step: undefined }
  const cohorts = new Map<Cohort, Array<Update>>()
  for (const update of updates) {
    if (update.abandoned !== undefined) {
      settle(update, update.outcome)
      continue
    }
    update.phase = "waiting"
    update.cohort ??= fresh
    const cohort = cohorts.get(update.cohort)
    if (cohort === undefined) {
      cohorts.set(update.cohort, [update])
    } else {
      cohort.push(update)
    }
  }
  return cohorts
}
