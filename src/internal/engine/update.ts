import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Effectable from "effect/Effectable"
import * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type * as Tracer from "effect/Tracer"
import type { DriverError } from "../../ScopedError.ts"
import type { List } from "../list.ts"
import { about } from "./calls.ts"
import type { Cell } from "./cell.ts"
import { OtherPlace, type Place } from "./line.ts"
import type { Lines } from "./lines.ts"
import type { Step } from "./schedules.ts"
import { samePart, type Target } from "./target.ts"

/** What a retry schedule is stepped with after a refusal. */
export interface Refusal {
  readonly scope: string
  readonly attempts: number
}

export type Retry = Schedule.Schedule<unknown, Refusal>

/**
 * What an update does.
 *
 * - `update`: its handler gives a pair.
 * - `result`: its handler gives a `Result` of a pair, so that it can abort.
 * - `remove`: there is no handler; what it works on is removed.
 * - `look`: there is no handler; it tells what is there.
 */
export type Kind = "update" | "result" | "remove" | "look"

/**
 * A caller's update on its way through the engine.
 *
 * It waits in the line of each of its cells, is in flight while its outcome is being committed, may return to waiting
 * when the commit is refused, and is settled once.
 *
 * It is its place in the line of its first cell, and the effect that takes it out again when its caller is interrupted:
 * one object per update, which nothing keeps alive once it is settled.
 */
export class Update extends Effectable.Class<void> implements Place {
  readonly target: Target
  readonly kind: Kind
  readonly handler: (state: unknown, moment: unknown) => unknown
  readonly retry: Retry | undefined
  readonly context: Context.Context<never>
  readonly joinedAt: number
  /** Set when somebody traces. */
  readonly span: Tracer.Span | undefined
  cells: ReadonlyArray<Cell>
  phase: "waiting" | "inFlight" | "settled" = "waiting"
  /** What the last run of the handler gave; not to be told before it is committed or validated. */
  outcome: Exit.Exit<unknown, unknown> = Exit.void
  /** Whether the last run of the handler left another state than it found. */
  wrote = false
  /** What the callers that were refused for the first time together have behind them. */
  attempts: Attempts | undefined = undefined
  /** Set by an interrupted caller whose update is in flight: it is waited for, but not run again. */
  abandoned: (() => void) | undefined = undefined
  list: List<Place> | undefined = undefined
  before: Place | undefined = undefined
  after: Place | undefined = undefined
  private readonly lines: Lines
  private readonly resume: (exit: Effect.Effect<unknown, unknown>) => void
  /** Its places in the lines of its other cells. */
  private readonly others: ReadonlyArray<Place> | undefined

  /**
   * - `retry`: `undefined` for the default, see `schedules.ts`.
   * - `context`: the caller's, whose clock tells its handler the time.
   * - `joinedAt`: the tick at which the caller came: its answer must have been true at some moment after it.
   */
  constructor(
    target: Target,
    kind: Kind,
    handler: (state: unknown, moment: unknown) => unknown,
    retry: Retry | undefined,
    context: Context.Context<never>,
    joinedAt: number,
    cells: ReadonlyArray<Cell>,
    lines: Lines,
    resume: (exit: Effect.Effect<unknown, unknown>) => void,
    span: Tracer.Span | undefined
  ) {
    super()
    this.target = target
    this.kind = kind
    this.handler = handler
    this.retry = retry
    this.context = context
    this.joinedAt = joinedAt
    this.lines = lines
    this.resume = resume
    this.span = span
    this.cells = cells
    this.others = this.cells.length === 1 ? undefined : this.cells.slice(1).map(() => new OtherPlace(this))
  }

  get update(): this {
    return this
  }

  /** Its place in the line of a cell, by the cell's index. */
  place(index: number): Place {
    return index === 0 ? this : this.others![index - 1]!
  }

  override asEffect(): Effect.Effect<void> {
    return this.lines.leave(this)
  }

  /** Tells the caller, or whoever waits for it to end. */
  settle(exit: Exit.Exit<unknown, unknown>): void {
    if (this.phase === "settled") return
    this.phase = "settled"
    this.span?.attribute("effect-scoped.attempts", (this.attempts?.count ?? 0) + 1)
    if (this.abandoned === undefined) this.resume(exit)
    else this.abandoned()
  }
}

/** Attempts that updates made together: they step their schedule together, for as long as they are refused together. */
export interface Attempts {
  count: number
  /** How many updates these are. */
  size: number
  /** When the first was refused, in milliseconds. */
  readonly since: number
  /** The scopes that others changed meanwhile. */
  readonly changed: Set<string>
  step: Step<Refusal> | undefined
  /** How many steps a new schedule has to go first. */
  readonly behind: number
}

/**
 * Whether two updates can be fused: retried in the same way, and the one works on the same scopes as the other, under
 * the same schemas, or on some of them.
 */
export const fusible = (a: Update, b: Update): boolean => {
  if (a.retry !== b.retry || (a.kind === "look") !== (b.kind === "look")) return false
  if (a.target === b.target) return true
  const [some, all] = a.cells.length <= b.cells.length ? [a, b] : [b, a]
  for (let i = 0; i < some.cells.length; i++) {
    const j = all.cells.indexOf(some.cells[i]!)
    if (j === -1 || !samePart(some.target.parts[i]!, all.target.parts[j]!)) return false
  }
  return true
}

/** Fails updates that nothing of is stored. */
export const failAll = (updates: ReadonlyArray<Update>, error: DriverError): void => {
  for (const update of updates) update.settle(Exit.fail(about(update.target.scope, error)))
}
