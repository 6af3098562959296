import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import { constVoid } from "effect/Function"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { DriverError } from "../ScopedError.ts"

interface Watcher {
  readonly hint: (name: string) => void
  readonly fail: (error: DriverError) => void
}

/** Who wants to know when which record of a driver changes: one registry for all that watch. */
export class Watchers {
  private readonly byName = new Map<string, Set<Watcher>>()

  /**
   * Hints at all of the names first, for whoever read before the subscription stood. `onChange` is told when what is
   * watched has changed.
   */
  watch(names: ReadonlyArray<string>, onChange: () => void = constVoid): Stream.Stream<string, DriverError> {
    return Stream.suspend(() => {
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
            this.add(names, watcher)
            for (const name of names) watcher.hint(name)
            onChange()
          }),
          () =>
            Effect.sync(() => {
              this.remove(names, watcher)
              onChange()
            })
        )
      }).pipe(
        Stream.map((name) => {
          waiting.delete(name)
          return name
        })
      )
    })
  }

  /** The names that somebody watches. */
  names(): Iterable<string> {
    return this.byName.keys()
  }

  has(name: string): boolean {
    return this.byName.has(name)
  }

  hint(name: string): void {
    // Each commit comes by, and hardly any is watched.
    if (this.byName.size === 0) return
    for (const watcher of this.byName.get(name) ?? []) watcher.hint(name)
  }

  hintAll(): void {
    for (const name of this.byName.keys()) this.hint(name)
  }

  /** Ends the streams of a name, or all of them. */
  fail(error: DriverError, name?: string): void {
    const failing = name === undefined
      ? [...this.byName.values()].flatMap((watchers) => [...watchers])
      : this.byName.get(name) ?? []
    for (const watcher of new Set(failing)) watcher.fail(error)
  }

  private add(names: ReadonlyArray<string>, watcher: Watcher): void {
    for (const name of names) {
      const watchers = this.byName.get(name)
      if (watchers === undefined) this.byName.set(name, new Set([watcher]))
      else watchers.add(watcher)
    }
  }

  private remove(names: ReadonlyArray<string>, watcher: Watcher): void {
    for (const name of names) {
      const watchers = this.byName.get(name)
      if (watchers?.delete(watcher) && watchers.size === 0) this.byName.delete(name)
    }
  }
}
