import * as Duration from "effect/Duration"
import type { Record } from "../../Driver.ts"
import type { Codec, Fault, Held } from "../state/codec.ts"
import type { Lane } from "./lanes.ts"
import { Line } from "./line.ts"

/**
 * What is known of a scope: its record, and the state that a codec reads from it.
 *
 * `asOf` is a tick of the engine's logical clock: the record was current at some moment after it. Records of the same
 * `moment` were current at the same one.
 */
export class Known {
  readonly revision: string | null
  readonly text: string | null
  readonly asOf: number
  readonly moment: number
  /** When it expires, in milliseconds of the engine's clock: a hint, for the store goes by its own. */
  readonly expiresAt: number
  /** The sequence of the mark that is all of its revision, where that is our own; 0 otherwise. */
  readonly own: number
  /** Whether others came first twice in a row of late, so that we ask for a turn. */
  contended = false
  private codec: Codec | undefined
  private held: Held | Fault | undefined

  /** `held`: what `codec` reads from the text, where that is known already. */
  constructor(
    revision: string | null,
    text: string | null,
    asOf: number,
    moment: number,
    expiresAt: number,
    own: number,
    codec?: Codec,
    held?: Held | Fault
  ) {
    this.revision = revision
    this.text = text
    this.asOf = asOf
    this.moment = moment
    this.expiresAt = expiresAt
    this.own = own
    this.codec = codec
    this.held = held
  }

  /** The stored state under a schema; `undefined` where nothing is stored. It is read once for each schema in turn. */
  state(codec: Codec): Held | Fault | undefined {
    if (this.text === null) return undefined
    if (this.held === undefined || this.codec !== codec) {
      this.held = codec.read(this.text)
      this.codec = codec
    }
    return this.held
  }

  /** The same record, seen again. */
  again(asOf: number, moment: number, expiresAt: number): Known {
    const known = new Known(this.revision, this.text, asOf, moment, expiresAt, this.own, this.codec, this.held)
    known.contended = this.contended
    return known
  }
}

export const toKnown = (record: Record | null, asOf: number, moment: number, now: number): Known =>
  record === null
    ? new Known(null, null, asOf, moment, Infinity, 0)
    : new Known(
      record.revision,
      record.data,
      asOf,
      moment,
      record.expiresIn === undefined ? Infinity : now + Duration.toMillis(record.expiresIn),
      0
    )

/**
 * A scope in this process: the line of updates that wait for it, what is known of it, and whether a call is in flight.
 *
 * It is its line, and does not have one: each thing more that belongs to a scope has to be fetched into a cache when it
 * is used again.
 */
export class Cell extends Line {
  readonly name: string
  /** The cells of whoever works on this one only. */
  readonly alone: ReadonlyArray<Cell> = [this]
  lane: Lane
  busy = false
  /** Whether its head has waited for its turn. */
  waited = false
  known: Known | undefined
  /** What of it outlives the wait for a turn: see `Known`. */
  contended = false
  /** How many updates the next run may take: fewer than usual to find out which of them is to blame for a failure. */
  most = Infinity
  /** UTF-16 units that were read for the updates that wait. */
  loaded = 0
  /** Whether it is in its lane's queue. */
  offered = false
  /** Whether nobody waits for it, it was used of late, and what it weighs: see `Cells`. */
  idle = false
  used = false
  weight = 0
  /** Stands for the cells that it is one of, and keeps nothing of them alive. Absent once they have forgotten it. */
  key: object | undefined
  /** The limit that its name was last checked against. */
  nameBytes = 0

  constructor(name: string, key: object, lane: Lane, known: Known | undefined) {
    super()
    this.name = name
    this.key = key
    this.lane = lane
    this.known = known
  }
}
