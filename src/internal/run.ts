import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Transaction, Write } from "../Driver.ts"
import type { StateError } from "../ScopedError.ts"
import type { Cell, Known } from "./cell.ts"
import { Fusion, type Stored } from "./fusion.ts"
import * as Revision from "./revision.ts"
import type { Step } from "./schedules.ts"
import { stateOf, type Target } from "./target.ts"
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

/** What running handlers needs to know of its storage. */
export interface Environment {
  readonly clock: Clock.Clock
  readonly dataBytes: number
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
      expiresIn: text === null ? undefined : part.idleTimeToLive,
      retention: text === null || part.idleTimeToLive !== undefined ? env.retention : undefined
    })
    next.push({ ...known, text, state, revision, codec: part.codec })
  })
  const { asOf, moment } = cells[0]!.known!
  const holds = !changed && cells.every((cell) => cell.known!.moment === moment) &&
    updates.every((update) => update.joinedAt <= asOf)
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

const decode = ({ cells, kind, target }: Update): Result.Result<ReadonlyArray<Stored>, StateError> => {
  const stored: Array<Stored> = []
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i]!
    const known = cell.known!
    const part = target.parts[i]!
    const state = stateOf(part, known)
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
