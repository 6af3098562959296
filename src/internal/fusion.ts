import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { SizeError, type StateError } from "../ScopedError.ts"
import type { Snapshot } from "./codec.ts"
import { utf8Length } from "./name.ts"
import { type Part, stateError, type Target } from "./target.ts"
import type { Update } from "./update.ts"

/** The state of a part before or after a run; `text` is `null` where nothing is or will be stored. */
export interface Stored {
  readonly text: string | null
  readonly state: unknown
}

interface Options {
  /** The largest state that can be stored, in bytes. */
  readonly dataBytes: number
  /** Whether to run each handler twice, and compare. */
  readonly verify: boolean
}

/** Handlers run one after another, each on the state that the one before it left. */
export class Fusion {
  private readonly options: Options
  private readonly target: Target
  private readonly base: ReadonlyArray<Stored>
  /** Whether to try how each state would be stored, not only the last. */
  private readonly careful: boolean
  private states: ReadonlyArray<unknown>
  /** The parts that were removed, and not written again. */
  private gone: ReadonlySet<number> = none
  private state: unknown

  constructor(options: Options, target: Target, base: ReadonlyArray<Stored>, careful: boolean) {
    this.options = options
    this.target = target
    this.base = base
    this.careful = careful
    this.states = base.map((stored) => stored.state)
    this.state = target.join(this.states)
  }

  apply(update: Update): void {
    if (update.kind === "remove") {
      const error = this.remove()
      update.outcome = error === undefined ? Exit.void : Exit.fail(error)
      return
    }
    try {
      const output = this.options.verify ? this.callTwice(update) : update.handler(this.state)
      let pair = output
      if (update.kind === "result" && Result.isResult(output)) {
        if (Result.isFailure(output)) {
          update.outcome = Exit.fail(output.failure)
          return
        }
        pair = output.success
      }
      if (!Array.isArray(pair) || pair.length !== 2) {
        update.outcome = Exit.die(malformed(this.target.scope, update.kind === "result"))
        return
      }
      const error = pair[1] === this.state ? undefined : this.advance(pair[1])
      update.outcome = error === undefined ? Exit.succeed(pair[0]) : Exit.fail(error)
    } catch (defect) {
      update.outcome = Exit.die(defect)
    }
  }

  private callTwice(update: Update): unknown {
    const first = Result.try(() => update.handler(this.state))
    const second = Result.try(() => update.handler(this.state))
    const same = Result.isSuccess(first) && Result.isSuccess(second)
      ? Equal.equals(first.success, second.success)
      : Result.isFailure(first) && Result.isFailure(second)
    if (!same) throw impure(this.target.scope)
    return Result.getOrThrow(first)
  }

  /** The states as they would be stored, or `undefined` when they cannot be. */
  write(): ReadonlyArray<Stored> | undefined {
    const written: Array<Stored> = []
    for (let i = 0; i < this.states.length; i++) {
      const base = this.base[i]!
      const state = this.states[i]
      if (this.gone.has(i)) {
        written.push({ text: null, state })
        continue
      }
      if (state === base.state) {
        written.push(base)
        continue
      }
      const part = this.target.parts[i]!
      const snapshot = this.writePart(part, state)
      if (Result.isFailure(snapshot)) return undefined
      // A scope that holds nothing is not created by a handler that leaves its initial state as it is.
      const same = base.text === null && snapshot.success.text === Result.getOrThrow(part.initial()).text
      written.push(same ? base : snapshot.success)
    }
    return written
  }

  private advance(next: unknown): StateError | SizeError | undefined {
    const split = this.target.split(next)
    const states = this.states.slice()
    const gone = new Set(this.gone)
    for (let i = 0; i < states.length; i++) {
      if (split[i] === states[i]) continue
      const part = this.target.parts[i]!
      const state = this.careful
        ? Result.map(this.writePart(part, split[i]), (snapshot) => snapshot.state)
        : Result.mapError(part.codec.check(split[i]), (fault) => stateError(part, "write", fault))
      if (Result.isFailure(state)) return state.failure
      states[i] = state.success
      gone.delete(i)
    }
    this.leave(states, gone)
    return undefined
  }

  private remove(): StateError | undefined {
    const initial: Array<unknown> = []
    for (const part of this.target.parts) {
      const snapshot = part.initial()
      if (Result.isFailure(snapshot)) return stateError(part, "write", snapshot.failure)
      initial.push(snapshot.success.state)
    }
    this.leave(initial, new Set(initial.keys()))
    return undefined
  }

  private leave(states: ReadonlyArray<unknown>, gone: ReadonlySet<number>): void {
    this.states = states
    this.gone = gone
    this.state = this.target.join(states)
  }

  private writePart(part: Part, state: unknown): Result.Result<Snapshot, StateError | SizeError> {
    const snapshot = part.codec.write(state)
    if (Result.isFailure(snapshot)) return Result.fail(stateError(part, "write", snapshot.failure))
    const limit = this.options.dataBytes
    // No character takes more than three bytes per UTF-16 unit.
    if (snapshot.success.text.length * 3 <= limit) return Result.succeed(snapshot.success)
    const bytes = utf8Length(snapshot.success.text)
    return bytes <= limit
      ? Result.succeed(snapshot.success)
      : Result.fail(new SizeError({ scope: part.scope, bytes, limit }))
  }
}

const none: ReadonlySet<number> = new Set()

const malformed = (scope: string, abortable: boolean) =>
  new TypeError(
    `The handler of ${JSON.stringify(scope)} must return ${
      abortable ? "a Result of " : ""
    }a pair [result, nextState], at once`
  )

const impure = (scope: string) =>
  new TypeError(
    `The handler of ${JSON.stringify(scope)} is not pure: run twice on the same state it gave two different answers. ` +
      `Take time, randomness and counters from outside, before the update`
  )
