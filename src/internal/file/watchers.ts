/**
 * Who wants to know when which record changes.
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

export interface Watchers {
  /** Hints at all of the names first, for whoever read before the subscription stood. */
  readonly watch: (names: ReadonlyArray<string>) => Stream.Stream<string, DriverError>
  /** The names that somebody watches. */
  readonly names: () => Iterable<string>
  readonly touch: (name: string) => void
  readonly touchAll: () => void
  /** Ends all of the streams. */
  readonly fail: (error: DriverError) => void
}

export const make = (): Watchers => {
  const byName = new Map<string, Set<Watcher>>()

  const touch = (name: string): void => {
    for (const watcher of byName.get(name) ?? []) watcher.hint(name)
  }

  const add = (names: ReadonlyArray<string>, watcher: Watcher): void => {
    for (const name of names) {
      const watchers = byName.get(name)
      if (watchers === undefined) byName.set(name, new Set([watcher]))
      else watchers.add(watcher)
    }
  }

  const remove = (names: ReadonlyArray<string>, watcher: Watcher): void => {
    for (const name of names) {
      const watchers = byName.get(name)
      if (watchers?.delete(watcher) && watchers.size === 0) byName.delete(name)
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
    names: () => byName.keys(),
    touch,
    touchAll: () => {
      for (const name of byName.keys()) touch(name)
    },
    fail: (error) => {
      for (const watcher of new Set([...byName.values()].flatMap((watchers) => [...watchers]))) watcher.fail(error)
    }
  }
}
