import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { Transaction, Write } from "../../Driver.ts"
import type { Held } from "../state/codec.ts"
import type { Cell, Known } from "./cell.ts"
import * as Handler from "./handler.ts"
import type * as Revision from "./revision.ts"
import type { Step } from "./schedules.ts"
import { Slot } from "./slot.ts"
import { stateError } from "./target.ts"
import { fusible, type Update } from "./update.ts"

/** What running handlers needs to know of its storage. */
export interface Environment {
  readonly clock: Clock.Clock
  /** For how long code has run, in milliseconds. */
  readonly steady: () => number
  /** The largest state that can be stored, in bytes. */
  readonly dataBytes: number
  readonly scopesPerTransaction: number
  readonly verify: boolean
  /** How long a revision is remembered after its data is gone. */
  readonly retention: Duration.Duration
  readonly writer: string
  /** The mark of the next commit: later than all marks in the revisions that it follows. */
  readonly nextMark: (latest: number) => Revision.Mark
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
  readonly slots: Array<Slot> = []
  /** The cells of its slots, in their order. */
  readonly cells: Array<Cell> = []
  readonly updates: Array<Update> = []
  transaction: Transaction = []
  mark: Revision.Mark | undefined = undefined
  /** UTF-16 units of what it writes. */
  size = 0
  /** When it was first sent, in milliseconds that passed for whatever clock. */
  sentAt: number | undefined = undefined
  /** Whether it is not known if it was applied. */
  doubt = false
  recovery: Step<undefined> | undefined = undefined
  /** Whether its callers have no answer yet. */
  flying = false
  private readonly env: Environment
  private readonly first: Update
  private readonly most: number
  private spent = 0
  private allowed = budget

  constructor(env: Environment, first: Update) {
    this.env = env
    this.first = first
    this.most = Math.min(mostUpdates, ...first.cells.map((cell) => cell.most))
  }

  /** Whether some of its updates were refused before. */
  get refusedBefore(): boolean {
    return this.updates.some((update) => update.attempts !== undefined)
  }

  get scope(): string {
    return this.first.target.scope
  }

  /**
   * Takes and runs what waits, until `until` by the steady clock. Tells whether it is done; it goes on when called
   * again otherwise.
   */
  advance(until: number): boolean {
    const { steady } = this.env
    let now = steady()
    for (let update = this.pick(); update !== undefined; update = this.pick()) {
      this.take(update)
      const before = now
      this.apply(update)
      now = steady()
      this.spent += now - before
      if (now >= until) return this.pick() === undefined
    }
    return true
  }

  /**
   * The next update that may join. Those that were refused together stay together, for they step their schedule
   * together.
   */
  private pick(): Update | undefined {
    const { first, updates } = this
    if (updates.length === 0) return first
    const last = updates[updates.length - 1]!
    const full = updates.length >= this.most || this.spent >= this.allowed
    let earliest: Update | undefined
    for (const { cell } of this.slots) {
      const head = cell.line.head
      if (head === undefined || head === earliest) continue
      if (full && (head.attempts === undefined || head.attempts !== last.attempts || this.most < mostUpdates)) continue
      if (earliest !== undefined && earliest.joinedAt <= head.joinedAt) continue
      if (fusible(first, head) && this.reaches(head)) earliest = head
    }
    return earliest
  }

  /** Whether an update heads all of its lines, and those that are not held yet can be, and be committed with the rest. */
  private reaches({ cells, places }: Update): boolean {
    let room = this.env.scopesPerTransaction - this.slots.length
    return cells.every((cell, i) => {
      if (cell.line.first !== places[i]) return false
      return this.slotOf(cell) !== undefined || !cell.busy && cell.known !== undefined && room-- > 0
    })
  }

  private slotOf(cell: Cell): Slot | undefined {
    for (const slot of this.slots) if (slot.cell === cell) return slot
    return undefined
  }

  private take(update: Update): void {
    update.cells.forEach((cell, i) => {
      cell.line.remove(update.places[i]!)
      if (this.slotOf(cell) !== undefined) return
      cell.busy = true
      this.slots.push(new Slot(cell, update.target.parts[i]!))
      this.cells.push(cell)
      this.allowed = Math.max(this.allowed, (cell.known!.text?.length ?? 0) / bytesPerMilli)
    })
    update.phase = "inFlight"
    this.updates.push(update)
  }

  private apply(update: Update): void {
    update.wrote = false
    try {
      update.outcome = this.outcome(update, update.cells.map((cell) => this.slotOf(cell)!))
    } catch (defect) {
      update.outcome = Exit.die(defect)
    }
  }

  private outcome(update: Update, slots: ReadonlyArray<Slot>): Exit.Exit<unknown, unknown> {
    const { target } = update
    if (update.kind === "remove") {
      for (const slot of slots) update.wrote = slot.remove() || update.wrote
      return Exit.void
    }
    const before: Array<Held> = []
    for (const slot of slots) {
      const held = slot.read()
      if (Result.isFailure(held)) return Exit.fail(held.failure)
      before.push(held.success)
    }
    const state = () => target.join(before.map((held) => held.view()))
    if (update.kind === "look") return Exit.succeed(look(state(), slots))
    const answer = this.env.verify ? Handler.verify(update, state) : Handler.call(update, state())
    if (answer.exit !== undefined) return answer.exit
    if (answer.next !== answer.given) {
      const [given, next] = [target.split(answer.given), target.split(answer.next)]
      const accepted: Array<Held | undefined> = []
      for (let i = 0; i < slots.length; i++) {
        const slot = slots[i]!
        if (next[i] === given[i]) continue
        const held = slot.accept(next[i], before[i]!, this.env.dataBytes)
        if (Result.isFailure(held)) return Exit.fail(held.failure)
        accepted[i] = held.success
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
  seal(): boolean | undefined {
    const { env, slots, updates } = this
    const mark = env.nextMark(Math.max(...slots.map((slot) => slot.latest)))
    const options = {
      mark,
      retention: env.retention,
      oldest: env.clock.currentTimeMillisUnsafe() - Duration.toMillis(env.retention)
    }
    const transaction: Array<Write> = []
    let writes = false
    for (const slot of slots) {
      const write = slot.write(options)
      if (Result.isFailure(write)) {
        if (updates.length > 1) return undefined
        updates[0]!.outcome = Exit.fail(stateError(slot.part, "write", write.failure))
        for (const slot of slots) slot.reset()
        return this.seal()
      }
      transaction.push(slot.known.contended ? { ...write.success, claim: env.writer } : write.success)
      if (write.success.next === undefined) continue
      writes = true
      this.size += write.success.next.data?.length ?? 0
    }
    this.transaction = transaction
    this.mark = writes ? mark : undefined
    const { asOf, moment } = slots[0]!.known
    return writes || !slots.every((slot) => slot.known.moment === moment) ||
      !updates.every((update) => update.joinedAt <= asOf)
  }

  /** What is known of its scopes when it was applied, in the order of its slots. */
  after(asOf: number, moment: number): ReadonlyArray<Known> {
    const now = this.env.clock.currentTimeMillisUnsafe()
    return this.slots.map((slot, i) => {
      const write = this.transaction[i]!
      const expiresAt = write.expiresIn === undefined ? Infinity : now + Duration.toMillis(write.expiresIn)
      return slot.after(write, asOf, moment, expiresAt)
    })
  }
}

/** What a look at some scopes saw. */
export interface Sight {
  readonly state: unknown
  /** Another one whenever another state was committed. */
  readonly version: string
  /** When the first of them expires, in milliseconds of the engine's clock. */
  readonly expiresAt: number
}

const look = (state: unknown, slots: ReadonlyArray<Slot>): Sight => ({
  state,
  version: slots.map(({ known }) => versionOf(known)).join("\n"),
  expiresAt: Math.min(...slots.map((slot) => slot.known.expiresAt))
})

/** Where nothing is stored, it does not matter why. */
export const versionOf = (known: Known): string => known.text === null ? "" : known.revision ?? ""
