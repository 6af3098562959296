import type * as Clock from "effect/Clock"
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
  inDoubt: boolean
  recovery: Step<undefined> | undefined
}

/** What running handlers needs to know of its storage. */
export interface Environment {
  readonly clock: Clock.Clock
  readonly limits: Driver["limits"]
  readonly verify: boolean
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
  const { cells, target } = head
  const base = decode(target, cells)
  if (Result.isFailure(base)) return unreadable(env, head, base.failure)

  const fusion = new Fusion(env, target, base.success, false)
  const deadline = env.clock.currentTimeMillisUnsafe() + env.maxMillis
  const updates = take(env, head, (update) => {
    fusion.apply(update)
    return env.clock.currentTimeMillisUnsafe() < deadline
  })
  const written = fusion.write() ?? runAgain(env, target, base.success, updates)
  return prepare(env, head, updates, base.success, written)
}

// Some handler made a state that cannot be stored. Looking at the state of each tells whose it was.
const runAgain = (
  env: Environment,
  target: Target,
  base: ReadonlyArray<Snapshot>,
  updates: ReadonlyArray<Update>
): ReadonlyArray<Snapshot> => {
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
    : { target, cells, updates, transaction: undefined, next: [], mark: "", inDoubt: false, recovery: undefined }
}

const prepare = (
  env: Environment,
  head: Update,
  updates: ReadonlyArray<Update>,
  base: ReadonlyArray<Snapshot>,
  written: ReadonlyArray<Snapshot>
): Run => {
  const { cells, target } = head
  const mark = env.nextMark()
  const transaction: Array<Write> = []
  const next: Array<Known> = []
  let changed = false
  cells.forEach((cell, i) => {
    const known = cell.known!
    const snapshot = written[i]!
    if (snapshot.text === base[i]!.text) {
      transaction.push({ name: cell.name, expected: known.revision, next: undefined })
      next.push(known)
      return
    }
    changed = true
    const revision = Revision.next(known.revision, env.writer, mark)
    transaction.push({ name: cell.name, expected: known.revision, next: { revision, data: snapshot.text } })
    next.push({ ...snapshot, revision, codec: target.parts[i]!.codec, asOf: known.asOf })
  })
  const holds = !changed && cells.length === 1 && updates.every((update) => update.joinedAt <= cells[0]!.known!.asOf)
  return {
    target,
    cells,
    updates,
    transaction: holds ? undefined : transaction,
    next,
    mark,
    inDoubt: false,
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
  private readonly base: ReadonlyArray<Snapshot>
  /** Whether to try how each state would be stored, not only the last. */
  private readonly careful: boolean
  private states: ReadonlyArray<unknown>
  private state: unknown

  constructor(env: Environment, target: Target, base: ReadonlyArray<Snapshot>, careful: boolean) {
    this.env = env
    this.target = target
    this.base = base
    this.careful = careful
    this.states = base.map((snapshot) => snapshot.state)
    this.state = target.join(this.states)
  }

  apply(update: Update): void {
    try {
      const output = this.env.verify ? this.callTwice(update) : update.handler(this.state)
      let pair = output
      if (update.abortable && Result.isResult(output)) {
        if (Result.isFailure(output)) {
          update.outcome = Exit.fail(output.failure)
          return
        }
        pair = output.success
      }
      if (!Array.isArray(pair) || pair.length !== 2) {
        update.outcome = Exit.die(malformed(this.target.scope, update.abortable))
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
  write(): ReadonlyArray<Snapshot> | undefined {
    const written: Array<Snapshot> = []
    for (let i = 0; i < this.states.length; i++) {
      if (this.states[i] === this.base[i]!.state) {
        written.push(this.base[i]!)
        continue
      }
      const snapshot = this.writePart(this.target.parts[i]!, this.states[i])
      if (Result.isFailure(snapshot)) return undefined
      written.push(snapshot.success)
    }
    return written
  }

  private advance(next: unknown): StateError | SizeError | undefined {
    const split = this.target.split(next)
    const states = this.states.slice()
    for (let i = 0; i < states.length; i++) {
      if (split[i] === states[i]) continue
      const part = this.target.parts[i]!
      const state = this.careful
        ? Result.map(this.writePart(part, split[i]), (snapshot) => snapshot.state)
        : Result.mapError(part.codec.check(split[i]), (fault) => stateError(part, "write", fault))
      if (Result.isFailure(state)) return state.failure
      states[i] = state.success
    }
    this.states = states
    this.state = this.target.join(states)
    return undefined
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

const decode = (
  target: Target,
  cells: ReadonlyArray<Cell>
): Result.Result<ReadonlyArray<Snapshot>, StateError> => {
  const snapshots: Array<Snapshot> = []
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!
    const part = target.parts[i]!
    const snapshot = read(part, cell.known!)
    if (Result.isFailure(snapshot)) return Result.fail(snapshot.failure)
    if (cell.known!.codec !== part.codec) {
      cell.known = { ...cell.known!, codec: part.codec, state: snapshot.success.state }
    }
    snapshots.push(snapshot.success)
  }
  return Result.succeed(snapshots)
}

/** The state of a part as its record has it: the initial one where nothing is stored. */
export const read = (part: Part, known: Known): Result.Result<Snapshot, StateError> => {
  if (known.text === null) {
    return Result.mapError(part.initial(), (fault) => stateError(part, "write", fault))
  }
  return known.codec === part.codec
    ? Result.succeed({ text: known.text, state: known.state })
    : Result.mapError(part.codec.read(known.text), (fault) => stateError(part, "read", fault))
}

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
