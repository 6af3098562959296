import * as Result from "effect/Result"
import type { Write } from "../../Driver.ts"
import { SizeError, type StateError } from "../../ScopedError.ts"
import type { Fault, Held } from "../state/codec.ts"
import { type Cell, Known } from "./cell.ts"
import * as Revision from "./revision.ts"
import { type Part, stateError } from "./target.ts"

/** One scope while handlers run on it: what is stored, and what the handlers so far left. */
export class Slot {
  readonly cell: Cell
  readonly part: Part
  readonly known: Known
  private readonly base: Held | undefined
  private readonly baseFault: Fault | undefined
  /** The state now; `undefined` where nothing is stored. */
  private held: Held | undefined
  /** Why what is stored cannot be read. */
  private fault: Fault | undefined
  /** Whether a commit is due although the state may be as it was: each change counts, for it prolongs the lifetime. */
  private renewed = false

  constructor(cell: Cell, part: Part) {
    this.cell = cell
    this.part = part
    this.known = cell.known!
    const stored = this.known.state(part.codec)
    if (stored !== undefined && Result.isFailure(stored)) this.fault = stored.failure
    else this.held = stored?.success
    this.base = this.held
    this.baseFault = this.fault
  }

  /** Whether it matters when the state was last changed: it expires, or the stored one does. */
  private get expires(): boolean {
    return this.part.idleTimeToLive !== undefined || this.known.expiresAt !== Infinity
  }

  /** The latest sequence in the stored revision. */
  get latest(): number {
    return Revision.latest(this.known.revision)
  }

  /** The state to give to a handler. */
  read(): Result.Result<Held, StateError> {
    if (this.fault !== undefined) return Result.fail(stateError(this.part, "read", this.fault))
    if (this.held !== undefined) return Result.succeed(this.held)
    return Result.mapError(this.part.initial(), (fault) => stateError(this.part, "initial", fault))
  }

  /**
   * Looks at what a handler left of `before`: the state as the next handler may see it, which is as it would be read
   * back from the store.
   */
  accept(next: unknown, before: Held, limit: number): Result.Result<Held | undefined, StateError | SizeError> {
    const accepted = this.part.codec.accept(next, before)
    if (Result.isFailure(accepted)) return Result.fail(stateError(this.part, "write", accepted.failure))
    const held = accepted.success
    if (held.bytes > limit) {
      return Result.fail(new SizeError({ scope: this.part.scope, bytes: held.bytes, limit }))
    }
    // A scope that holds nothing is not created by a handler that leaves its initial state as it is.
    return Result.succeed(this.held === undefined && sameText(held, before) ? undefined : held)
  }

  /** Goes on with what was accepted. Tells whether that is a change. */
  leave(held: Held | undefined): boolean {
    if (held === this.held) return false
    if (this.expires && !this.renewed) {
      this.renewed = held !== undefined && (this.held === undefined || !sameText(held, this.held))
    }
    this.held = held
    return true
  }

  /** Removes what is there, whether it can be read or not. Tells whether there was anything. */
  remove(): boolean {
    const was = this.held !== undefined || this.fault !== undefined
    this.held = this.fault = undefined
    this.renewed = false
    return was
  }

  /** Forgets what handlers left. */
  reset(): void {
    this.held = this.base
    this.fault = this.baseFault
    this.renewed = false
  }

  /** What a commit would do, or why the state has no text. */
  write(
    { mark, oldest, retention }: {
      readonly mark: Revision.Mark
      readonly oldest: number
      readonly retention: NonNullable<Write["retention"]>
    }
  ): Result.Result<Write, Fault> {
    const { cell: { name }, known, part } = this
    const check: Write = { name, expected: known.revision, next: undefined }
    if (this.held === this.base && this.fault === this.baseFault && !this.renewed) return Result.succeed(check)
    const text = this.held === undefined ? Result.succeed(null) : this.held.text()
    if (Result.isFailure(text)) return Result.fail(text.failure)
    if (text.success === known.text && !this.renewed) return Result.succeed(check)
    return Result.succeed({
      name,
      expected: known.revision,
      next: { revision: Revision.next(known.revision, mark, oldest), data: text.success },
      expiresIn: text.success === null ? undefined : part.idleTimeToLive,
      retention: text.success === null || part.idleTimeToLive !== undefined ? retention : undefined
    })
  }

  /** What is known of the scope when the commit was applied. */
  after({ next }: Write, asOf: number, moment: number, expiresAt: number): Known {
    const { known, part } = this
    if (next === undefined) return known.with({ asOf, moment })
    return new Known(next.revision, next.data, asOf, moment, expiresAt).with({ codec: part.codec, held: this.held })
  }
}

const sameText = (a: Held, b: Held): boolean => {
  if (a === b) return true
  if (a.bytes !== b.bytes) return false
  const [one, other] = [a.text(), b.text()]
  return Result.isSuccess(one) && Result.isSuccess(other) && one.success === other.success
}
