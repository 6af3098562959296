import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import type { Driver, Transaction, Write } from "../../Driver.ts"
import { type SizeError, StateError } from "../../ScopedError.ts"
import { Fault, Held } from "../state/codec.ts"
import type { Cell, Known } from "./cell.ts"
import * as Handler from "./handler.ts"
import type * as Revision from "./revision.ts"
import type { Step } from "./schedules.ts"
import type { Slice } from "./slice.ts"
import { Slot } from "./slot.ts"
import { stateError } from "./target.ts"
import { fusible, type Update } from "./update.ts"

const nothing: Transaction = []

/** What running handlers needs to know of its storage. */
export interface Environment {
  readonly clock: Clock.Clock
  /** Whose limits hold: it may learn those of its server later. */
  readonly driver: Driver
  readonly verify: boolean
  /** How long a revision is remembered after its data is gone. */
  readonly retention: Duration.Duration
  readonly retentionMillis: number
  readonly writer: string
  /** The mark of the next commit: later than all marks in the revisions that it follows. */
  readonly nextMark: (latest: number, now: number) => Revision.Mark
}

/** How many handlers become one commit at the most. */
const mostUpdates = 4_096

/** How long the handlers of one commit may take, in milliseconds; more where the commit itself costs more. */
const budget = 5
const bytesPerMilli = 25_000

/**
 * Updates that are run one after another, each on the state that the one before it left, and committed as one.
 *
 * It holds the cells that its updates work on until its outcome is known. It takes updates from their lines for as long
 * as they fuse with those it has, and may pause in between.
 */
export class Run {
  readonly slots: Array<Slot>
  /** The cells of its slots, in their order. */
  cells: ReadonlyArray<Cell>
  readonly updates: Array<Update>
  transaction: Transaction = nothing
  mark: Revision.Mark | undefined = undefined
  /** UTF-16 units of what it writes. */
  size = 0
  /** When it was first sent, in milliseconds that passed for whatever clock. */
  sentAt: number | undefined = undefined
  /** Whether it is not known if it was applied. */
  doubt = false
  recovery: Step<undefined> | undefined = undefined
  /** Whether its callers have no answer yet, and how many of them have one. */
  flying = false
  told = 0
  private readonly env: Environment
  private readonly first: Update
  private readonly most: number
  private ran = 0
  private spent = 0
  private allowed = budget

  /** `first`: heads the lines of all its cells, which are free. */
  constructor(env: Environment, first: Update) {
    const { cells, target: { parts, single } } = first
    this.env = env
    this.first = first
    this.updates = [first]
    this.cells = cells
    this.slots = single !== undefined
      ? [new Slot(cells[0]!, single)]
      : cells.map((cell, i) => new Slot(cell, parts[i]!))
    let most = mostUpdates
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!
      if (cell.most < most) most = cell.most
      this.hold(cell)
      cell.remove(first.place(i))
    }
    this.most = most
    first.phase = "inFlight"
  }

  /** Whether some of its updates were refused before. */
  get refusedBefore(): boolean {
    for (let i = 0; i < this.updates.length; i++) if (this.updates[i]!.attempts !== undefined) return true
    return false
  }

  get scope(): string {
    return this.first.target.scope
  }

  /** Takes and runs what waits. Tells whether it is done; it goes on when called again otherwise. */
  advance(slice: Slice): boolean {
    let from = slice.now
    for (let update = this.next(); update !== undefined; update = this.next()) {
      this.apply(update)
      this.ran++
      if (!slice.step()) continue
      this.spent += slice.now - from
      from = slice.now
      if (slice.over) return this.ran === this.updates.length && this.pick() === undefined
    }
    return true
  }

  private next(): Update | undefined {
    if (this.ran < this.updates.length) return this.updates[this.ran]
    const update = this.pick()
    if (update !== undefined) this.take(update)
    return update
  }

  /**
   * The next update that may join. Those that were refused together stay together, for they step their schedule
   * together.
   */
  private pick(): Update | undefined {
    const { first, slots, updates } = this
    const last = updates[updates.length - 1]!
    const full = updates.length >= this.most || this.spent >= this.allowed
    let earliest: Update | undefined
    for (let i = 0; i < slots.length; i++) {
      const head = slots[i]!.cell.head
      if (head === undefined || head === earliest) continue
      if (full && (head.attempts === undefined || head.attempts !== last.attempts || this.most < mostUpdates)) continue
      if (earliest !== undefined && earliest.joinedAt <= head.joinedAt) continue
      if (fusible(first, head) && this.reaches(head)) earliest = head
    }
    return earliest
  }

  /** Whether an update heads all of its lines, and those that are not held yet can be, and be committed with the rest. */
  private reaches(update: Update): boolean {
    const { cells } = update
    // A line's head, where there is no other line.
    if (cells === this.cells && cells.length === 1) return true
    let more = 0
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!
      if (cell.first !== update.place(i)) return false
      if (this.indexOf(cell) >= 0) continue
      if (cell.busy || cell.known === undefined) return false
      more++
    }
    return more === 0 || this.slots.length + more <= this.env.driver.limits.scopesPerTransaction
  }

  private take(update: Update): void {
    const { cells, target: { parts } } = update
    for (let i = 0; i < cells.length; i++) {
      const cell = cells[i]!
      cell.remove(update.place(i))
      if (this.indexOf(cell) >= 0) continue
      this.slots.push(new Slot(cell, parts[i]!))
      this.cells = [...this.cells, cell]
      this.hold(cell)
    }
    update.phase = "inFlight"
    this.updates.push(update)
  }

  private hold(cell: Cell): void {
    cell.busy = true
    const { text } = cell.known!
    if (text !== null && text.length > this.allowed * bytesPerMilli) this.allowed = text.length / bytesPerMilli
  }

  private apply(update: Update): void {
    update.wrote = false
    try {
      update.outcome = update.kind === "remove"
        ? this.remove(update)
        : update.kind === "look"
        ? this.look(update)
        : update.target.single !== undefined
        ? this.runOnOne(update, this.slotOf(update.cells[0]!))
        : this.runOnMany(update, update.cells.map((cell) => this.slotOf(cell)))
    } catch (defect) {
      update.outcome = Exit.die(defect)
    }
  }

  private slotOf(cell: Cell): Slot {
    return this.slots[this.indexOf(cell)]!
  }

  // Most runs are of one cell.
  private indexOf(cell: Cell): number {
    return cell === this.cells[0] ? 0 : this.cells.indexOf(cell)
  }

  private remove(update: Update): Exit.Exit<void> {
    for (const cell of update.cells) update.wrote = this.slotOf(cell).remove() || update.wrote
    return Exit.void
  }

  private look({ cells, target }: Update): Exit.Exit<Sight, unknown> {
    const slots = cells.map((cell) => this.slotOf(cell))
    const states = readAll(slots)
    return states instanceof StateError
      ? Exit.fail(states)
      : Exit.succeed(sightOf(target.join(states.map((held) => held.view())), slots))
  }

  private runOnOne(update: Update, slot: Slot): Exit.Exit<unknown, unknown> {
    const before = slot.read()
    if (!(before instanceof Held)) return Exit.fail(before)
    const answer = this.env.verify
      ? Handler.verify(update, () => before.view())
      : Handler.call(update, before.view())
    if (answer.exit !== undefined) return answer.exit
    if (answer.next !== answer.given) {
      const accepted = slot.accept(answer.next, before, this.env.driver.limits.dataBytes)
      if (isRefused(accepted)) return Exit.fail(accepted)
      update.wrote = slot.leave(accepted)
    }
    return Exit.succeed(answer.result)
  }

  private runOnMany(update: Update, slots: ReadonlyArray<Slot>): Exit.Exit<unknown, unknown> {
    const { target } = update
    const before = readAll(slots)
    if (before instanceof StateError) return Exit.fail(before)
    const state = () => target.join(before.map((held) => held.view()))
    const answer = this.env.verify ? Handler.verify(update, state) : Handler.call(update, state())
    if (answer.exit !== undefined) return answer.exit
    if (answer.next !== answer.given) {
      const [given, next] = [target.split(answer.given), target.split(answer.next)]
      const accepted: Array<Held | undefined> = []
      for (let i = 0; i < slots.length; i++) {
        if (next[i] === given[i]) continue
        const held = slots[i]!.accept(next[i], before[i]!, this.env.driver.limits.dataBytes)
        if (isRefused(held)) return Exit.fail(held)
        accepted[i] = held
      }
      for (let i = 0; i < slots.length; i++) {
        if (next[i] !== given[i]) update.wrote = slots[i]!.leave(accepted[i]) || update.wrote
      }
    }
    return Exit.succeed(answer.result)
  }

  /**
   * Prepares the transaction. Tells whether it must be sent; otherwise the answers hold as they are.
   *
   * A state without a text fails whoever left it. Whose it was of several has to be found out: `undefined`.
   */
  seal(now: number): boolean | undefined {
    const { env, slots, updates } = this
    let latest = 0
    for (let i = 0; i < slots.length; i++) latest = Math.max(latest, slots[i]!.latest)
    const mark = env.nextMark(latest, now)
    const oldest = now - env.retentionMillis
    const transaction = new Array<Write>(slots.length)
    let writes = false
    let sameMoment = true
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i]!
      const write = slot.write(mark, oldest, env.retention, slot.known.contended ? env.writer : undefined)
      if (write instanceof Fault) {
        if (updates.length > 1) return undefined
        updates[0]!.outcome = Exit.fail(stateError(slot.part, "write", write))
        for (const slot of slots) slot.reset()
        return this.seal(now)
      }
      transaction[i] = write
      sameMoment &&= slot.known.moment === slots[0]!.known.moment
      if (write.next === undefined) continue
      writes = true
      this.size += write.next.data?.length ?? 0
    }
    this.transaction = transaction
    this.mark = writes ? mark : undefined
    return writes || !sameMoment || this.joinedLater(slots[0]!.known.asOf)
  }

  /** Whether some update joined later than at a tick. */
  private joinedLater(tick: number): boolean {
    for (let i = 0; i < this.updates.length; i++) if (this.updates[i]!.joinedAt > tick) return true
    return false
  }

  /** What is known of a slot's scope when the transaction was applied. */
  after(index: number, asOf: number, moment: number, now: number): Known {
    const write = this.transaction[index]!
    const expiresAt = write.expiresIn === undefined ? Infinity : now + Duration.toMillis(write.expiresIn)
    return this.slots[index]!.after(write, this.mark, asOf, moment, expiresAt)
  }
}

const readAll = (slots: ReadonlyArray<Slot>): ReadonlyArray<Held> | StateError => {
  const all: Array<Held> = []
  for (const slot of slots) {
    const held = slot.read()
    if (!(held instanceof Held)) return held
    all.push(held)
  }
  return all
}

/** Whether what a handler left was not accepted. */
const isRefused = (accepted: Held | StateError | SizeError | undefined): accepted is StateError | SizeError =>
  accepted !== undefined && !(accepted instanceof Held)

/** What a look at some scopes saw. */
export interface Sight {
  readonly state: unknown
  /** Another one whenever another state was committed. */
  readonly version: string
  /** When the first of them expires, in milliseconds of the engine's clock. */
  readonly expiresAt: number
}

const sightOf = (state: unknown, slots: ReadonlyArray<Slot>): Sight => ({
  state,
  version: slots.map(({ known }) => versionOf(known)).join("\n"),
  expiresAt: Math.min(...slots.map((slot) => slot.known.expiresAt))
})

/** Where nothing is stored, it does not matter why. */
export const versionOf = (known: Known): string => known.text === null ? "" : known.revision ?? ""
