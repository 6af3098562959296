import type { Write } from "../../Driver.ts"
import { SizeError, type StateError } from "../../ScopedError.ts"
import { Fault, Held } from "../state/codec.ts"
import { type Cell, Known } from "./cell.ts"
import * as Revision from "./revision.ts"
import { type Part, stateError } from "./target.ts"

/** One scope while handlers run on it: what is stored, and what the handlers so far left. */
export class Slot {
  readonly cell: Cell
  readonly part: Part
  readonly known: Known
  private readonly base: Held | Fault | undefined
  /** The state now, or why it cannot be read; `undefined` where nothing is stored. */
  private state: Held | Fault | undefined
  /** Whether a commit is due although the state may be as it was: each change counts, for it prolongs the lifetime. */
  private renewed = false

  constructor(cell: Cell, part: Part) {
    this.cell = cell
    this.part = part
    this.known = cell.known!
    this.base = this.state = this.known.state(part.codec)
  }

  /** Whether it matters when the state was last changed: it expires, or the stored one does. */
  private get expires(): boolean {
    return this.part.idleTimeToLive !== undefined || this.known.expiresAt !== Infinity
  }

  /** The latest sequence in the stored revision. */
  get latest(): number {
    return this.known.own === 0 ? Revision.latest(this.known.revision) : this.known.own
  }

  /** The state to give to a handler. */
  read(): Held | StateError {
    const state = this.state ?? this.part.initial()
    return state instanceof Held
      ? state
      : stateError(this.part, this.state === undefined ? "initial" : "read", state)
  }

  /**
   * Looks at what a handler left of `before`: the state as the next handler may see it, which is as it would be read
   * back from the store; `undefined` for nothing.
   */
  accept(next: unknown, before: Held, limit: number): Held | StateError | SizeError | undefined {
    const held = this.part.codec.accept(next, before)
    if (held instanceof Fault) return stateError(this.part, "write", held)
    if (held.bytes > limit) return new SizeError({ scope: this.part.scope, bytes: held.bytes, limit })
    // A scope that holds nothing is not created by a handler that leaves its initial state as it is.
    return this.state === undefined && sameText(held, before) ? undefined : held
  }

  /** Goes on with what was accepted. Tells whether that is a change. */
  leave(accepted: Held | undefined): boolean {
    const before = this.state
    if (accepted === before) return false
    if (this.expires && !this.renewed) {
      this.renewed = accepted !== undefined && !(before instanceof Held && sameText(accepted, before))
    }
    this.state = accepted
    return true
  }

  /** Removes what is there, whether it can be read or not. Tells whether there was anything. */
  remove(): boolean {
    const was = this.state !== undefined
    this.state = undefined
    this.renewed = false
    return was
  }

  /** Forgets what handlers left. */
  reset(): void {
    this.state = this.base
    this.renewed = false
  }

  /** What a commit would do, or why the state has no text. `claim` goes along. */
  write(mark: Revision.Mark, oldest: number, retention: Write["retention"], claim: string | undefined): Write | Fault {
    const { base, cell: { name }, known, part, renewed, state } = this
    const data = state === base && !renewed || !(state instanceof Held) ? null : state.text()
    if (data instanceof Fault) return data
    if (!renewed && (state === base || data === known.text)) {
      return { name, expected: known.revision, next: undefined, expiresIn: undefined, retention: undefined, claim }
    }
    const { idleTimeToLive } = part
    return {
      name,
      expected: known.revision,
      next: {
        revision: known.own === 0 ? Revision.next(known.revision, mark, oldest) : Revision.format(mark),
        data
      },
      expiresIn: data === null ? undefined : idleTimeToLive,
      retention: data === null || idleTimeToLive !== undefined ? retention : undefined,
      claim
    }
  }

  /** What is known of the scope when the commit was applied. */
  after({ next }: Write, mark: Revision.Mark | undefined, asOf: number, moment: number, expiresAt: number): Known {
    const { known, part, state } = this
    if (next === undefined) return known.again(asOf, moment, known.expiresAt)
    const own = known.own !== 0 || known.revision === null ? mark!.sequence : 0
    return new Known(next.revision, next.data, asOf, moment, expiresAt, own, part.codec, state)
  }
}

const sameText = (a: Held, b: Held): boolean => {
  if (a === b) return true
  if (a.bytes !== b.bytes) return false
  const text = a.text()
  return !(text instanceof Fault) && text === b.text()
}
