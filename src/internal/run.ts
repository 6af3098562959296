import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Driver, Transaction, Write } from "../Driver.ts"
import { SizeError, StateError } from "../ScopedError.ts"
import type { Cell, Known } from "./cell.ts"
import type { Fault, Snapshot } from "./codec.ts"
import { utf8Length } from "./name.ts"
import * as Revision from "./revision.ts"
import type { Step } from "./schedules.ts"
import type { Part, Target } from "./target.ts"
import { fusible, type Update } from "./update.ts"

/** Updates that were run one after another and are committed as one. */
export interface Run {
  readonly target: Target
  readonly cells: ReadonlyArray<Cell>
  readonly updates: ReadonlyArray<Update>
  /** `undefined` when the answers hold without asking the store. */
  readonly transaction: Transaction | undefined
  /** What the commit would make known of each cell. */
  readonly next: ReadonlyArray<Known>
  /** Our commit's mark in the revisions that it writes. */
  readonly mark: string
  /** When the answer to its commit was first lost, in milliseconds. */
  doubtSince: number | undefined
  recovery: Step<undefined> | undefined
}

/** Whether a run would change anything, or only makes sure that nothing has changed. */
export const writes = (run: Run): boolean => run.transaction!.some((write) => write.next !== undefined)

/** For how long what a run writes lasts at least, in milliseconds. After that nothing would tell that it was applied. */
export const lifetime = (run: Run): number =>
  Math.min(
    ...run.transaction!.map(({ expiresIn }) => expiresIn === undefined ? Infinity : Duration.toMillis(expiresIn))
  )

/** The state of a part before or after a run; `text` is `null` where nothing is or will be stored. */
interface Stored {
  readonly text: string | null
  readonly state: unknown
}

/** What running handlers needs to know of its storage. */
export interface Environment {
  readonly clock: Clock.Clock
  readonly limits: Driver["limits"]
  readonly verify: boolean
  /** How long a removed scope's revision is remembered. */
  readonly retention: Duration.Duration
  readonly maxUpdates: number
  /** How long handlers may keep the event loop, in milliseconds. */
  readonly maxMillis: number
  readonly writer: string
  readonly nextMark: () => string
}

/**
 * Takes what waits at the head of the line, runs it on what is known, and prepares the commit. `undefined` when what is
 * known has to be read again first.
 *
 * Every cell of the head is known and free, and the head of every line.
 */
export const start = (env: Environment, head: Update): Run | undefined => {
  const { target } = head
  const base = decode(head)
  if (Result.isFailure(base)) return unreadable(env, head, base.failure)

  const fusion = new Fusion(env, target, base.success, false)
  const deadline = env.clock.currentTimeMillisUnsafe() + env.maxMillis
  const updates = take(env, head, (update) => {
    fusion.apply(update)
    return env.clock.currentTimeMillisUnsafe() < deadline
  })
  const written = fusion.write() ?? runAgain(env, target, base.success, updates)
  return prepare(env, head, updates, written)
}

// Some handler made a state that cannot be stored. Looking at the state of each tells whose it was.
const runAgain = (
  env: Environment,
  target: Target,
  base: ReadonlyArray<Stored>,
  updates: ReadonlyArray<Update>
): ReadonlyArray<Stored> => {
  const fusion = new Fusion(env, target, base, true)
  for (const update of updates) fusion.apply(update)
  return fusion.write() ?? base
}

/** Fails the updates that came before the unreadable record was read. Later ones must look for themselves. */
const unreadable = (env: Environment, head: Update, error: StateError): Run | undefined => {
  const { cells, target } = head
  const asOf = Math.min(...cells.map((cell) => cell.known!.asOf))
  const updates = head.joinedAt > asOf ? [] : take(env, head, (update) => {
    update.outcome = Exit.fail(error)
    return true
  }, asOf)
  for (const cell of cells) cell.known = undefined
  return updates.length === 0
    ? undefined
    : { target, cells, updates, transaction: undefined, next: [], mark: "", doubtSince: undefined, recovery: undefined }
}

const prepare = (
  env: Environment,
  head: Update,
  updates: ReadonlyArray<Update>,
  written: ReadonlyArray<Stored>
): Run => {
  const { cells, target } = head
  const mark = env.nextMark()
  const transaction: Array<Write> = []
  const next: Array<Known> = []
  let changed = false
  cells.forEach((cell, i) => {
    const known = cell.known!
    const part = target.parts[i]!
    const { state, text } = written[i]!
    if (text === known.text) {
      transaction.push({ name: cell.name, expected: known.revision, next: undefined })
      next.push(known)
      return
    }
    changed = true
    const revision = Revision.next(known.revision, env.writer, mark)
    transaction.push({
      name: cell.name,
      expected: known.revision,
      next: { revision, data: text },
      expiresIn: text === null ? env.retention : part.idleTimeToLive
    })
    next.push({ text, state, revision, codec: part.codec, asOf: known.asOf })
  })
  const holds = !changed && cells.length === 1 && updates.every((update) => update.joinedAt <= cells[0]!.known!.asOf)
  return {
    target,
    cells,
    updates,
    transaction: holds ? undefined : transaction,
    next,
    mark,
    doubtSince: undefined,
    recovery: undefined
  }
}

/**
 * Takes those at the head that fuse with it out of the line, one by one, until there are too many or `each` says that
 * it is enough. A cohort is never torn apart, since it steps its schedule together.
 */
const take = (
  env: Environment,
  head: Update,
  each: (update: Update) => boolean,
  joinedBy: number = Infinity
): ReadonlyArray<Update> => {
  const { cells } = head
  const line = cells[0]!.line
  const taken: Array<Update> = []
  let more = true
  for (let update: Update | undefined = head; update !== undefined; update = line.head) {
    if (update !== head) {
      const together = update.cohort !== undefined && update.cohort === taken[taken.length - 1]!.cohort
      if (!together && (!more || taken.length >= env.maxUpdates)) break
      if (update.joinedAt > joinedBy || !fusible(head, update)) break
      if (cells.length > 1 && !cells.every((cell) => cell.line.head === update)) break
    }
    for (const cell of cells) cell.line.shift()
    update.phase = "inFlight"
    taken.push(update)
    more = each(update)
  }
  return taken
}

/** Handlers run one after another, each on the state that the one before it left. */
class Fusion {
  private readonly env: Environment
  private readonly target: Target
  private readonly base: ReadonlyArray<Stored>
  /** Whether to try how each state would be stored, not only the last. */
  private readonly careful: boolean
  private states: ReadonlyArray<unknown>
  /** The parts that were removed, and not written again. */
  private gone: ReadonlySet<number> = none
  private state: unknown

  constructor(env: Environment, target: Target, base: ReadonlyArray<Stored>, careful: boolean) {
    this.env = env
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
      const output = this.env.verify ? this.callTwice(update) : update.handler(this.state)
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
    const limit = this.env.limits.dataBytes
    // No character takes more than three bytes per UTF-16 unit.
    if (snapshot.success.text.length * 3 <= limit) return Result.succeed(snapshot.success)
    const bytes = utf8Length(snapshot.success.text)
    return bytes <= limit
      ? Result.succeed(snapshot.success)
      : Result.fail(new SizeError({ scope: part.scope, bytes, limit }))
  }
}

const decode = ({ cells, kind, target }: Update): Result.Result<ReadonlyArray<Stored>, StateError> => {
  const stored: Array<Stored> = []
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!
    const known = cell.known!
    const part = target.parts[i]!
    const state = read(part, known)
    if (Result.isSuccess(state)) {
      if (known.codec !== part.codec) cell.known = { ...known, codec: part.codec, state: state.success }
      stored.push({ text: known.text, state: state.success })
    } else if (kind === "remove") {
      // What cannot be read can still be removed: whoever comes next finds the initial state.
      stored.push({ text: known.text, state: undefined })
    } else {
      return Result.fail(state.failure)
    }
  }
  return Result.succeed(stored)
}

/** The state of a part as its record has it: the initial one where nothing is stored. */
export const read = (part: Part, known: Known): Result.Result<unknown, StateError> => {
  if (known.text !== null && known.codec === part.codec) return Result.succeed(known.state)
  return Result.mapBoth(known.text === null ? part.initial() : part.codec.read(known.text), {
    onFailure: (fault) => stateError(part, known.text === null ? "write" : "read", fault),
    onSuccess: (snapshot) => snapshot.state
  })
}

const none: ReadonlySet<number> = new Set()

const stateError = (part: Part, operation: "read" | "write", fault: Fault) =>
  new StateError({ scope: part.scope, operation, path: fault.path, reason: fault.reason })

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
