/**
 * Looks for changes while somebody watches.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { DriverError } from "../../ScopedError.ts"
import type { Watchers } from "../watchers.ts"

/**
 * Never ends. While the server is away it goes on looking: what is compared are revisions, so whatever changed
 * meanwhile is seen once it is back. What does not pass is told to all who watch.
 */
export const make = (options: {
  readonly interval: Duration.Duration
  readonly watchers: Watchers
  readonly revisions: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyMap<string, string>, DriverError>
}): Effect.Effect<never> => {
  const { watchers } = options
  /** What was seen last; `null` where there was no record. */
  let known = new Map<string, string | null>()
  const look = Effect.suspend(() => {
    const names = [...watchers.names()]
    return Effect.map(options.revisions(names), (revisions) => {
      const seen = new Map(names.map((name) => [name, revisions.get(name) ?? null]))
      for (const [name, revision] of seen) {
        if (known.get(name) !== revision) watchers.hint(name)
      }
      known = seen
    })
  })
  return Effect.catch(look, (error) =>
    Effect.sync(() => {
      if (error.reason !== "Unavailable" && error.reason !== "Timeout") watchers.fail(error)
    })).pipe(Effect.andThen(Effect.sleep(options.interval)), Effect.forever)
}
