import { caught, type Fault } from "./fault.ts"
import type * as UnknownKeys from "./unknownKeys.ts"

/** What was read of a record with keys that the schema does not know. */
export interface Unknown {
  /** Its state as JSON. */
  readonly json: unknown
  readonly extras: UnknownKeys.Extras
}

/** Who made a state. */
export interface Writer {
  /** What is stored of a state. */
  readonly json: (state: unknown) => unknown
}

const brand: unique symbol = Symbol.for("effect-scoped/Held")

/** A state as the engine holds it: what it would be stored as and what handlers see of it. Immutable. */
export class Held {
  readonly of: Writer
  /** Whether it was taken the fast way, and so may be a hint. */
  readonly plain: boolean
  readonly state: unknown
  /** UTF-8 bytes of its JSON text, known without writing the text where the schema is plain. */
  readonly bytes: number
  /** The bytes of the text that this library would write, which may differ from those that were read. */
  readonly measured: number
  #written: string | undefined
  readonly unknown: Unknown | undefined
  /** Another copy. Absent where nothing in the state can be written to. */
  readonly #again: (() => unknown) | undefined
  #given = false

  constructor(
    of: Writer,
    plain: boolean,
    state: unknown,
    bytes: number,
    measured: number,
    written: string | undefined,
    unknown: Unknown | undefined,
    again: (() => unknown) | undefined
  ) {
    this.of = of
    this.plain = plain
    this.state = state
    this.bytes = bytes
    this.measured = measured
    this.#written = written
    this.unknown = unknown
    this.#again = again
  }

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  /** It may be of another copy of this library: a scope is used in whatever storage there is. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return (value as { readonly [brand]?: true } | null | undefined)?.[brand] === true
  }

  /** Whether `view` gives the same frozen value each time. */
  get shared(): boolean {
    return this.#again === undefined
  }

  /**
   * The state to hand out. The same frozen value each time, or, where something in it cannot be frozen (dates, maps,
   * bytes, classes), a fresh copy that nobody shares.
   */
  view(): unknown {
    if (this.#again === undefined) return this.state
    // What was taken is a hint for what comes next, so it stays here.
    if (!this.plain && !this.#given) {
      this.#given = true
      return this.state
    }
    try {
      return this.#again()
    } catch {
      // A schema that cannot read twice what it has read once. The text must not depend on what is given away.
      this.text()
      return this.state
    }
  }

  /** The JSON text that stores it, made when it is first asked for. Fails only where no text can be made. */
  text(): string | Fault {
    if (this.#written === undefined) {
      try {
        this.#written = JSON.stringify(this.of.json(this.state))
      } catch (error) {
        return caught(error)
      }
    }
    return this.#written
  }
}
