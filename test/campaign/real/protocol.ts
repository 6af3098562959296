/** What the processes of the campaign tell each other: one line of JSON each. */
import type { Answer } from "../logs.ts"
import type { Operation } from "./workload.ts"

/** How a worker reaches the store: the options of the driver. */
export interface Place {
  readonly driver: "redis" | "mysql" | "file"
  readonly options: object
  /** How long a call of the storage may take, in milliseconds. */
  readonly timeout: number
}

/** What a worker is told. */
export type Order =
  /** Runs random operations in some fibers, until it is told to look. */
  | {
    readonly do: "run"
    readonly groups: ReadonlyArray<string>
    readonly removes: boolean
    readonly fibers: number
  }
  /** Ends the operations, and observes what is there. */
  | { readonly do: "look" }
  /** Sets the clock off by some milliseconds. */
  | { readonly do: "clock"; readonly offset: number }

/**
 * What a worker tells. Moments are milliseconds of the monotonic clock, which all processes of a machine share.
 *
 * What has ended is answered, or known to have failed, or it is applied on too few replicas, or nobody knows.
 */
export type Report =
  /** The process runs. */
  | { readonly tell: "up" }
  | { readonly tell: "call"; readonly call: number; readonly at: number; readonly operation: Operation }
  | { readonly tell: "end"; readonly call: number; readonly at: number; readonly end: End }
  | { readonly tell: "looked" }
  | { readonly tell: "broken"; readonly message: string }

export type End =
  | { readonly is: "answered"; readonly answer: Answer }
  | { readonly is: "failed" | "short" | "unknown"; readonly error: string }

/** Milliseconds of the monotonic clock of this machine. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6
