import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { differs } from "../state/same.ts"
import { sealed } from "../state/seal.ts"
import type { Update } from "./update.ts"

/** What a handler is told besides the state: the time of the run whose outcome is committed, read when it is asked for. */
class Moment {
  private readonly context: Context.Context<never>
  private time: DateTime.Utc | undefined = undefined

  constructor(context: Context.Context<never>) {
    this.context = context
  }

  get now(): DateTime.Utc {
    return this.time ??= DateTime.makeUnsafe(Context.get(this.context, Clock.Clock).currentTimeMillisUnsafe())
  }
}

/** What a handler gave for the state that it was given, or the exit that its caller gets instead. */
export type Answer =
  | { readonly result: unknown; readonly next: unknown; readonly given: unknown; readonly exit: undefined }
  | { readonly exit: Exit.Exit<never, unknown> }

/** Runs a handler. It never throws: what the handler throws is a defect of its caller. */
export const call = (update: Update, state: unknown): Answer => {
  try {
    return toAnswer(update, state, update.handler(state, new Moment(update.context)))
  } catch (defect) {
    return { exit: Exit.die(defect) }
  }
}

/**
 * Runs a handler twice in a sealed world, and compares what it gave and whether it left its state alone. `state` gives
 * the same state each time, but for what cannot be frozen: that is a new copy.
 */
export const verify = (update: Update, state: () => unknown): Answer => {
  const scope = update.target.scope
  const now = new Moment(update.context).now
  const run = () => {
    const given = state()
    return { given, output: Result.try(() => sealed(scope, () => update.handler(given, { now }))) }
  }
  const runs = [run(), run()] as const
  const [first, second] = runs
  for (const { output } of runs) if (Result.isSuccess(output)) disarm(output.success)
  for (const { given } of runs) {
    const path = differs(state(), given)
    if (path !== undefined) return { exit: Exit.die(mutating(scope, path)) }
  }
  if (Result.isFailure(first.output) && Result.isFailure(second.output)) {
    return { exit: Exit.die(first.output.failure) }
  }
  const path = Result.isSuccess(first.output) && Result.isSuccess(second.output)
    ? differs(first.output.success, second.output.success)
    : []
  return path === undefined
    ? toAnswer(update, first.given, Result.getOrThrow(first.output))
    : { exit: Exit.die(impure(scope, path)) }
}

const toAnswer = (update: Update, given: unknown, output: unknown): Answer => {
  let pair = output
  if (update.kind === "result" && Result.isResult(output)) {
    if (Result.isFailure(output)) return { exit: Exit.fail(output.failure) }
    pair = output.success
  }
  if (Array.isArray(pair) && pair.length === 2) return { result: pair[0], next: pair[1], given, exit: undefined }
  disarm(output)
  return { exit: Exit.die(malformed(update)) }
}

// An `async` handler is told that it must not be. What becomes of its promise is nobody's concern, and must not end the
// process.
const disarm = (output: unknown): void => {
  if (output instanceof Promise) output.then(undefined, () => {})
}

const malformed = ({ kind, target }: Update) =>
  new TypeError(
    `The handler of ${JSON.stringify(target.scope)} must return ${
      kind === "result" ? "a Result of " : ""
    }a pair [result, nextState], at once`
  )

const impure = (scope: string, path: ReadonlyArray<string | number>) =>
  new TypeError(
    `The handler of ${JSON.stringify(scope)} is not pure: run twice on the same state it gave two different answers` +
      `${at(path)}. Take randomness and counters from outside, before the update, and the time from its second argument`
  )

const mutating = (scope: string, path: ReadonlyArray<string | number>) =>
  new TypeError(
    `The handler of ${JSON.stringify(scope)} is not pure: it changed the state that it was given${at(path)}. ` +
      `Return a changed copy instead`
  )

const at = (path: ReadonlyArray<string | number>): string =>
  path.length === 0 ? "" : ` (they differ at ${path.map((key) => `[${JSON.stringify(key)}]`).join("")})`
