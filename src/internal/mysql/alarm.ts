/**
 * Tells those that are under way when their time is up. One sleeper does for all of them: each has as long as the
 * others, so whoever comes later has later to be told.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"

export interface Alarm {
  /** Calls back at the deadline, unless it is taken back. */
  readonly set: (deadline: number, ring: () => void) => Entry
  readonly clear: (entry: Entry) => void
}

interface Entry {
  readonly deadline: number
  readonly ring: () => void
}

export const make: (clock: Clock.Clock) => Effect.Effect<Alarm, never, Scope.Scope> = Effect.fnUntraced(
  function*(clock) {
    const entries = new Set<Entry>()
    const fork = yield* FiberHandle.makeRuntime<never>()
    let asleep = false

    const sleeper = Effect.gen(function*() {
      while (entries.size > 0) {
        const now = clock.currentTimeMillisUnsafe()
        let first = Infinity
        for (const entry of entries) {
          if (entry.deadline > now) first = Math.min(first, entry.deadline)
          else if (entries.delete(entry)) entry.ring()
        }
        if (first < Infinity) yield* Effect.sleep(first - now)
      }
      asleep = false
    })

    return {
      set: (deadline, ring) => {
        const entry = { deadline, ring }
        entries.add(entry)
        if (!asleep) {
          asleep = true
          fork(sleeper)
        }
        return entry
      },
      clear: (entry) => entries.delete(entry)
    }
  }
)
