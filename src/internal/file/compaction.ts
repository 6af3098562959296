/**
 * Gives back the space of what is not current any more, beside the work: goes on with a new journal, and puts a snapshot
 * in the place of all that came before.
 *
 * What fails leaves everything as it was, and is tried again when there is more garbage.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"
import { machine } from "../machine.ts"
import type * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import { type Chain, sizeOf, type Store } from "./store.ts"

export interface Compaction {
  /** Begins when it is due. */
  readonly look: () => void
  /** Goes on from the snapshot of somebody else. */
  readonly follow: (chain: Chain, snapshot: string) => void
  /**
   * Waits for what runs, for a while. Programs that run for a moment only would all begin, and none would come to an
   * end.
   */
  readonly settle: Effect.Effect<void>
}

/** How long a program that ends waits for what it has begun, in milliseconds. */
const patience = 5_000

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
  let running: Deferred.Deferred<void> | undefined
  // How much garbage there was at the last attempt, and when somebody else went on with a new journal.
  let mark = 0
  let others = 0
  let base: Chain["base"] | undefined
  let journal: Chain["journal"] | undefined

  const garbageOf = (chain: Chain): number => sizeOf(chain) - chain.records.bytes

  const isDue = (chain: Chain): boolean => {
    const garbage = garbageOf(chain)
    // Journals that are sealed already are an attempt of somebody else, who may be no more.
    if (base !== chain.base) mark = others = chain.sealed.length === 0 ? 0 : Math.max(0, garbage - chain.journal.size)
    else if (journal !== chain.journal) others = garbage
    base = chain.base
    journal = chain.journal
    // What fails for ever must not leave ever more journals open: each time it takes more until it is tried again.
    const step = Math.max(options.compactAt, chain.records.bytes, mark / 4)
    // Whoever else goes on with a new journal is most likely about to write a snapshot. But none may ever come of it.
    return garbage - Math.max(mark, others) > step || garbage - mark > 2 * step
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
    yield* turn(Effect.flatMap(store.current(true), ({ journal }) => journal.append(Line.encode({ taken: name }))))
  })

  return {
    look: () => {
      if (running !== undefined || store.open === undefined || !isDue(store.open)) return
      const done = running = Deferred.makeUnsafe<void>()
      background(Effect.ensuring(
        compact,
        Effect.sync(() => {
          running = undefined
          Deferred.doneUnsafe(done, Exit.void)
        })
      ))
    },
    follow: (chain, snapshot) => {
      if (running === undefined) background(store.adopt(chain, snapshot))
    },
    settle: Effect.suspend(() =>
      running === undefined ? Effect.void : Effect.asVoid(Effect.timeoutOption(Deferred.await(running), patience))
    ).pipe(Effect.provideService(Clock.Clock, machine))
  }
}
