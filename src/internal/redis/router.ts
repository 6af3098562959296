/**
 * Which server has which key.
 */
import type * as Effect from "effect/Effect"
import type { Redis, RedisOptions } from "ioredis"
import type { Deadlines } from "../deadlines.ts"
import type * as Fault from "./fault.ts"
import type { Node } from "./node.ts"

/** How connections are used. */
export interface Connections {
  readonly now: () => number
  readonly deadlines: Deadlines
  /** How many milliseconds of an outage are waited out. */
  readonly patience: number
  /** The options in which a connection for subscriptions differs. */
  readonly subscriber: RedisOptions
}

export interface Router {
  /** Where all servers together have the keys, by their slots. */
  readonly clustered: boolean
  readonly slotOf: (key: string) => number
  /** The server of a slot, if it is known and can be used now. */
  readonly peek: (slot: number) => Node | undefined
  /** The server of a slot, once it can be used. */
  readonly find: (slot: number, millis: number) => Effect.Effect<Node, Fault.Fault>
  /** A server by its address, as another server names it. */
  readonly at: (address: string, millis: number) => Effect.Effect<Node, Fault.Fault>
  /** Learns anew who has which slot. */
  readonly refresh: Effect.Effect<void>
  /** All primaries, each with the slots that it has now. */
  readonly primaries: (
    millis: number
  ) => Effect.Effect<ReadonlyArray<{ readonly node: Node; readonly has: (slot: number) => boolean }>, Fault.Fault>
  /** Where hints of a key come from: servers have the same place if one subscription to it serves both. */
  readonly placeOf: (key: string) => string | undefined
  /** A new connection for subscriptions at a place, or `undefined` while that is not known. The caller closes it. */
  readonly subscriber: (place: string) => Redis | undefined
}
