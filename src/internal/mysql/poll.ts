/**
 * Looks for changes while somebody watches: often for hints, and now and then at all revisions, since a hint may be
 * lost.
 */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { DriverError } from "../../ScopedError.ts"
import type { Watchers } from "../watchers.ts"
import * as Hints from "./hints.ts"

/** How often, in milliseconds: to say that we watch, and to look at all revisions. */
const announceEvery = 5_000
const lookEvery = 10_000

/** The same where no hints can be relied on, since not everybody who writes has noticed yet that we watch. */
const lookEveryUnheard = 200
const unheardFor = 3 * Hints.noticedWithin

/**
 * Never ends. While the server is away it goes on looking: what is compared are revisions, so whatever changed
 * meanwhile is seen once it is back. What does not pass is told to all who watch.
 */
export const make = (options: {
  readonly clock: Clock.Clock
  readonly interval: Duration.Duration
  readonly watchers: Watchers
  readonly announce: Effect.Effect<void, DriverError>
  readonly listen: Effect.Effect<void, DriverError>
  readonly hear: Effect.Effect<ReadonlyArray<string>, DriverError>
  readonly revisions: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>, DriverError>
}): Effect.Effect<never> => {
  const { clock, watchers } = options
  const now = () => clock.currentTimeMillisUnsafe()
  /** What was seen last; `null` where there was no record. */
  let known = new Map<string, string | null>()
  let announcedAt = -Infinity
  let lookedAt = -Infinity
  let heardFrom = Infinity

  const look = Effect.suspend(() => {
    const names = [...watchers.names()]
    lookedAt = now()
    return Effect.map(options.revisions(names), (revisions) => {
      const seen = new Map(names.map((name) => [name, revisions.get(name) ?? null]))
      for (const [name, revision] of seen) {
        if (known.get(name) !== revision) watchers.hint(name)
      }
      known = seen
    })
  })

  const round = Effect.gen(function*() {
    if (now() - announcedAt >= announceEvery) {
      const isNew = now() - announcedAt > 2 * announceEvery
      announcedAt = now()
      const announced = yield* Effect.result(options.announce)
      // Whoever may not write here watches all the same.
      if (announced._tag === "Failure") {
        heardFrom = Infinity
        if (isTransient(announced.failure)) announcedAt = -Infinity
      } else if (isNew || heardFrom === Infinity) heardFrom = now() + unheardFor
    }
    if (now() - lookedAt >= (now() < heardFrom ? lookEveryUnheard : lookEvery)) {
      yield* options.listen
      yield* look
    } else {
      for (const name of yield* options.hear) watchers.hint(name)
    }
  })

  return Effect.catch(round, (error) =>
    Effect.sync(() => {
      lookedAt = -Infinity
      if (!isTransient(error)) watchers.fail(error)
    })).pipe(Effect.andThen(Effect.sleep(options.interval)), Effect.forever)
}

const isTransient = ({ reason }: DriverError): boolean => reason === "Unavailable" || reason === "Timeout"
