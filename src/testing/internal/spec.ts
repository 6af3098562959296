import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type * as MemoryDriver from "../../MemoryDriver.ts"
import type { ScopedError } from "../../ScopedError.ts"
import type * as Storage from "../../Storage.ts"
import type { Call } from "../Linearizability.ts"
import type { Fate } from "./fates.ts"
import type { Event } from "./lanes.ts"
import type { Seeded } from "./random.ts"

/** What is run. */
export interface Spec<Operation, Output> {
  readonly run: (operation: Operation) => Effect.Effect<Output, ScopedError, Storage.Storage>
  readonly watch: ReadonlyArray<{
    readonly operation: Operation
    readonly changes: Stream.Stream<Output, ScopedError, Storage.Storage>
  }>
  readonly observe: ReadonlyArray<Operation>
  readonly expiry: ((name: string) => Operation | undefined) | undefined
  readonly failover: ((stored: (name: string) => string | null) => Operation) | undefined
  readonly options: (random: Seeded) => { readonly storage: Storage.Options; readonly store: MemoryDriver.Options }
  readonly skew: number
}

/** What a run came to. */
export interface Ran<Operation, Output> {
  readonly history: ReadonlyArray<Call<Operation, Output>>
  readonly errors: ReadonlyArray<
    { readonly operation: Operation; readonly error: ScopedError; readonly millis: number }
  >
  readonly events: ReadonlyArray<Event>
  /** The fates of the calls to the store that did not go well. */
  readonly fates: ReadonlyMap<string, Fate>
  readonly fault: { readonly kind: string; readonly message: string } | undefined
  /** Whether the store has lost commits, so that the history need not have an order. */
  readonly lost: boolean
}
