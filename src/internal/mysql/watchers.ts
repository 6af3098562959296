/**
 * Who wants to know when which record changes, and what is known of those records.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"

interface Watcher {
  readonly hint: (name: string) => void
  readonly fail: (error: DriverError) => void
}

interface Watched {
  readonly watchers: Set<Watcher>
  /** `undefined` until it was looked at, `null` where there is no record. */
  revision: string | null | undefined
}

export interface Watchers {
  /** Hints at all of the names first, for whoever read before. */
  readonly watch: (names: ReadonlyArray<string>) => Stream.Stream<string, DriverError>
  readonly names: () => ReadonlyArray<string>
  /** Tells of the revisions of the names that were looked at. Whoever watches one that is new gets a hint. */
  readonly saw: (names: ReadonlyArray<string>, revisions: ReadonlyMap<string, string>) => void
  /** Ends all of the streams. */
  readonly fail: (error: DriverError) => void
}

export const make = (): Watchers => {
  const watched = new Map<string, Watched>()

  const add = (names: ReadonlyArray<string>, watcher: Watcher): void => {
    for (const name of names) {
      const known = watched.get(name)
      if (known === undefined) watched.set(name, { watchers: new Set([watcher]), revision: undefined })
      else known.watchers.add(watcher)
    }
  }

  const remove = (names: ReadonlyArray<string>, watcher: Watcher): void => {
    for (const name of names) {
      const known = watched.get(name)
      if (known?.watchers.delete(watcher) && known.watchers.size === 0) watched.delete(name)
    }
  }

  return {
    watch: (names) =>
      Stream.suspend(() => {
        // A name waits once at most, so a slow consumer takes no more memory than the names it watches.
        const waiting = new Set<string>()
        return Stream.callback<string, DriverError>((queue) => {
          const watcher: Watcher = {
            hint: (name) => {
              if (waiting.has(name)) return
              waiting.add(name)
              Queue.offerUnsafe(queue, name)
            },
            fail: (error) => Queue.failCauseUnsafe(queue, Cause.fail(error))
          }
          return Effect.acquireRelease(
            Effect.sync(() => {
              add(names, watcher)
              for (const name of names) watcher.hint(name)
            }),
            () => Effect.sync(() => remove(names, watcher))
          )
        }).pipe(
          Stream.map((name) => {
            waiting.delete(name)
            return name
          })
        )
      }),
    names: () => [...watched.keys()],
    saw: (names, revisions) => {
      for (const name of names) {
        const known = watched.get(name)
        const revision = revisions.get(name) ?? null
        if (known === undefined || known.revision === revision) continue
        known.revision = revision
        for (const watcher of known.watchers) watcher.hint(name)
      }
    },
    fail: (error) => {
      const all = new Set([...watched.values()].flatMap(({ watchers }) => [...watchers]))
      for (const watcher of all) watcher.fail(error)
    }
  }
}
