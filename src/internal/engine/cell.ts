import * as Duration from "effect/Duration"
import * as Result from "effect/Result"
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
  /** Whether others came first twice in a row of late, so that we ask for a turn. */
  contended = false
  private codec: Codec | undefined = undefined
  private held: Result.Result<Held, Fault> | undefined = undefined

  constructor(revision: string | null, text: string | null, asOf: number, moment: number, expiresAt: number) {
    this.revision = revision
    this.text = text
    this.asOf = asOf
    this.moment = moment
    this.expiresAt = expiresAt
  }

  /** The stored state under a schema; `undefined` where nothing is stored. It is read once for each schema in turn. */
  state(codec: Codec): Result.Result<Held, Fault> | undefined {
    if (this.text === null) return undefined
    if (this.held === undefined || this.codec !== codec) {
      this.held = codec.read(this.text)
      this.codec = codec
    }
    return this.held
  }

  /** The same record, seen again, or with the state that is known to be in it. */
  with(options: {
    readonly asOf?: number
    readonly moment?: number
    readonly expiresAt?: number
    readonly codec?: Codec
    readonly held?: Held | undefined
  }): Known {
    const known = new Known(
      this.revision,
      this.text,
      options.asOf ?? this.asOf,
      options.moment ?? this.moment,
      options.expiresAt ?? this.expiresAt
    )
    known.contended = this.contended
    known.codec = options.codec ?? this.codec
    known.held = options.held === undefined ? this.held : Result.succeed(options.held)
    return known
  }
}

export const toKnown = (record: Record | null, asOf: number, moment: number, now: number): Known =>
  record === null
    ? new Known(null, null, asOf, moment, Infinity)
    : new Known(
      record.revision,
      record.data,
      asOf,
      moment,
      record.expiresIn === undefined ? Infinity : now + Duration.toMillis(record.expiresIn)
    )

/** A scope in this process: the updates that wait for it, what is known of it, and whether a call is in flight. */
export class Cell {
  readonly name: string
  readonly line = new Line()
  lane: Lane
  busy = false
  known: Known | undefined
  /** How many updates the next run may take: fewer than usual to find out which of them is to blame for a failure. */
  most = Infinity
  /** UTF-16 units that were read for the updates that wait. */
  loaded = 0
  /** Whether it is in its lane's queue. */
  offered = false
  /** Whether nobody waits for it, its neighbours among those, and what it weighs there: see `Cells`. */
  idle = false
  older: Cell | undefined = undefined
  newer: Cell | undefined = undefined
  weight = 0

  constructor(name: string, lane: Lane, known: Known | undefined) {
    this.name = name
    this.lane = lane
    this.known = known
  }
}
