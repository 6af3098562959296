/**
 * Gives back the space of what is not current any more, beside the work: goes on with a new journal, and puts a snapshot
 * in the place of all that came before.
 *
 * What fails leaves everything as it was, and is tried again when there is more garbage.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import { type Chain, sizeOf, type Store } from "./store.ts"

export interface Compaction {
  /** Begins when it is due. */
  readonly look: () => void
  /** Goes on from the snapshot of somebody else. */
  readonly follow: (chain: Chain, snapshot: string) => void
}

export const make = (options: {
  readonly store: Store
  readonly compactAt: number
  /** Runs an operation while no other does. */
  readonly turn: <A>(operation: Effect.Effect<A, Fault.Fault>) => Effect.Effect<A, Fault.Fault>
  readonly background: (effect: Effect.Effect<void>) => void
}): Compaction => {
  const { store, turn } = options
  // One at a time: what is frozen must not move.
  const semaphore = Semaphore.makeUnsafe(1)
  let running = false
  // How much garbage there was at the last attempt, ours or that of somebody else.
  let mark = 0
  let base: Chain["base"] | undefined
  let journal: Chain["journal"] | undefined

  const garbageOf = (chain: Chain): number => sizeOf(chain) - chain.records.bytes

  const isDue = (chain: Chain): boolean => {
    const garbage = garbageOf(chain)
    if (base !== chain.base) mark = 0
    else if (journal !== chain.journal) mark = garbage
    base = chain.base
    journal = chain.journal
    // What fails for ever must not leave ever more journals open: each time it takes more until it is tried again.
    return garbage - mark > Math.max(options.compactAt, chain.records.bytes, mark / 4)
  }

  const background = (work: Effect.Effect<void, Fault.Fault>): void =>
    options.background(
      Effect.catch(semaphore.withPermit(work), (fault) =>
        // Somebody else has put a later one in the place of what is gone.
        fault.gone === true
          ? Effect.void
          : Effect.logWarning(`Old files could not be written anew. It is tried again later: ${fault.description}`))
    )

  const compact = Effect.gen(function*() {
    const { chain, frozen } = yield* turn(Effect.gen(function*() {
      const chain = yield* store.current(true)
      // Somebody else may have begun meanwhile: all processes find that it is due at the same moment.
      if (!isDue(chain)) return { chain }
      mark = garbageOf(chain)
      return { chain, frozen: yield* store.roll(chain, true) }
    }))
    if (frozen === undefined) return
    const name = yield* store.snapshot(chain, frozen)
    yield* store.adopt(chain, name)
    // Whoever does not come to know keeps the old files open until the next time.
    yield* turn(Effect.flatMap(store.current(true), ({ journal }) => journal.append([Line.encode({ taken: name })])))
  })

  return {
    look: () => {
      if (running || store.open === undefined || !isDue(store.open)) return
      running = true
      background(Effect.ensuring(compact, Effect.sync(() => running = false)))
    },
    follow: (chain, snapshot) => {
      if (!running) background(store.adopt(chain, snapshot))
    }
  }
}
