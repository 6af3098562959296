/**
 * Waits for one's turn, before one commits and while others may read.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Transaction } from "../../Driver.ts"
import { steady } from "../steady.ts"
import type { Claims } from "./claims.ts"
import type * as Fault from "./fault.ts"
import type { Journal } from "./journal.ts"
import * as Line from "./line.ts"
import type { Store } from "./store.ts"

/** In a crowd that is so large or so slow that it takes longer, one tries without being at turn. In milliseconds. */
const longest = 500

/** Who does not commit for so many milliseconds, or for as long as a commit takes, has no more to commit for now. */
const idle = 2

/** A claim names no more than so many. */
const mostNames = 16

export interface GiveWay {
  /** Waits while it is the turn of others to write what is in the batch. */
  readonly before: (batch: ReadonlyArray<Transaction>) => Effect.Effect<void, Fault.Fault>
  /** A batch was judged, or a claim was left: if no batch follows, the others need not wait any more. */
  readonly after: (left: boolean) => void
}

export const make = (options: {
  readonly store: Store
  readonly claims: Claims
  readonly instance: string
  /** Runs an operation while no other does. */
  readonly turn: <A>(operation: Effect.Effect<A, Fault.Fault>) => Effect.Effect<A, Fault.Fault>
  readonly background: (effect: Effect.Effect<void>) => void
}): GiveWay => {
  const { background, claims, instance, store, turn } = options
  let batches = 0

  const wait = Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
    for (let left = longest; left > 0;) {
      const millis = claims.wait(names)
      if (millis === undefined) return
      if (!claims.claimed) {
        yield* turn(Effect.flatMap(store.current(false), ({ journal }) => claim(journal, instance, names)))
      }
      yield* sleep(millis)
      left -= millis
      yield* turn(store.current(true))
    }
  })

  // Nobody may be left to wait for one who does not come.
  const giveUp = turn(Effect.flatMap(
    store.current(true),
    ({ journal }) => claims.claimed ? claim(journal, instance, []) : Effect.void
  ))

  return {
    before: (batch) =>
      Effect.suspend(() => {
        batches++
        return claims.none ? Effect.void : wait(namesOf(batch))
      }),
    after: (left) => {
      if (!left && !claims.claimed) return
      const last = batches
      background(Effect.andThen(
        sleep(Math.max(idle, claims.pace)),
        Effect.suspend(() => batches === last ? Effect.ignore(giveUp) : Effect.void)
      ))
    }
  }
}

/** Leaves a claim, which need not be on disk. */
export const claim = (journal: Journal, instance: string, names: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.asVoid(journal.append([Line.encode({ claim: instance, names: names.slice(0, mostNames) })]))

export const namesOf = (batch: ReadonlyArray<Transaction>): ReadonlyArray<string> =>
  batch.flatMap((transaction) =>
    transaction.some(({ next }) => next !== undefined) ? transaction.map(({ name }) => name) : []
  )

// Other processes are waited for, and these do not follow the clock of a test.
export const now = steady(Clock.Clock.defaultValue())
const sleep = (millis: number) => Effect.provideService(Effect.sleep(millis), Clock.Clock, Clock.Clock.defaultValue())
