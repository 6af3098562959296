/**
 * Waits for one's turn, before one commits and while others may read.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Transaction } from "../../Driver.ts"
import { machine } from "../machine.ts"
import { steady } from "../steady.ts"
import type { Claims } from "./claims.ts"
import type * as Fault from "./fault.ts"
import type { Journal } from "./journal.ts"
import * as Line from "./line.ts"
import type { Store } from "./store.ts"

/** In a crowd that is so large or so slow that it takes longer, one tries without being at turn. In milliseconds. */
const longest = 500

/** Who is answered and does not commit again for so many milliseconds has no more to commit for now. */
const idle = 5

export interface GiveWay {
  /**
   * Commits a batch, when it is not the turn of others to write what is in it. If no other follows, the others need not
   * wait any more.
   */
  readonly around: <A>(
    batch: ReadonlyArray<Transaction>,
    commit: Effect.Effect<A, Fault.Fault>
  ) => Effect.Effect<A, Fault.Fault>
}

export const make = (options: {
  readonly store: Store
  readonly claims: Claims
  /** Runs an operation while no other does. */
  readonly turn: <A>(operation: Effect.Effect<A, Fault.Fault>) => Effect.Effect<A, Fault.Fault>
  readonly background: (effect: Effect.Effect<void>) => void
}): GiveWay => {
  const { background, claims, store, turn } = options
  let batches = 0
  /** How many there were when the last one was answered, when that was, and whether it is looked if others follow. */
  let last = 0
  let answered = 0
  let watching = false

  /** Reads on, and says what there is to say to those who wait, too. */
  const look = (names: ReadonlyArray<string>) =>
    turn(Effect.flatMap(store.current(true), ({ journal }) => {
      const wait = claims.wait(names)
      if (wait === undefined) return Effect.undefined
      const { absent, millis } = wait
      // Not just here: those who disagree on whose turn it is would wait for each other.
      if (absent !== undefined) return Effect.as(leave(journal, { claim: absent, names: [] }), millis)
      return Effect.as(claims.claimed ? Effect.void : claim(journal, claims, names), millis)
    }))

  const wait = Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
    for (let left = longest; left > 0 && claims.wait(names) !== undefined;) {
      const millis = yield* look(names)
      if (millis === undefined) return
      yield* sleep(millis)
      left -= millis
    }
  })

  // Nobody may be left to wait for one who does not come. It may have come while it waited for its own process.
  const giveUp = (last: number) =>
    turn(Effect.flatMap(
      store.current(true),
      ({ journal }) => batches === last && claims.claimed ? claim(journal, claims, []) : Effect.void
    ))

  // One look is enough for all batches of a turn.
  const watchOver: Effect.Effect<void> = Effect.suspend(() => {
    const left = answered + idle - now()
    if (left > 0) return Effect.andThen(sleep(left), watchOver)
    watching = false
    return batches === last ? Effect.ignore(giveUp(last)) : Effect.void
  })

  const after = Effect.sync(() => {
    if (!claims.claimed) return
    last = batches
    answered = now()
    if (watching) return
    watching = true
    background(watchOver)
  })

  return {
    around: (batch, commit) =>
      Effect.ensuring(
        Effect.suspend(() => {
          batches++
          return claims.none ? commit : Effect.andThen(wait(namesOf(batch)), commit)
        }),
        after
      )
  }
}

/** Leaves a claim, which need not be on disk. */
export const claim = (journal: Journal, claims: Claims, names: ReadonlyArray<string>): Effect.Effect<void> =>
  Effect.suspend(() => leave(journal, claims.leave(names)))

const leave = (journal: Journal, claim: Line.Claim): Effect.Effect<void> =>
  Effect.asVoid(journal.append(Line.encode(claim)))

export const namesOf = (batch: ReadonlyArray<Transaction>): ReadonlyArray<string> =>
  batch.flatMap((transaction) =>
    transaction.some(({ next }) => next !== undefined) ? transaction.map(({ name }) => name) : []
  )

// Other processes are waited for, and these do not follow the clock of a test.
export const now = steady(machine)
const sleep = (millis: number) => Effect.provideService(Effect.sleep(millis), Clock.Clock, machine)
