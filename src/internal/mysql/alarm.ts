/**
 * Tells those that are under way when their time is up: one sleeper for all of them, since each has as long as the
 * others and so the first to begin is the first to end.
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
      for (const entry of entries) {
        for (;;) {
          const left = entry.deadline - clock.currentTimeMillisUnsafe()
          if (!entries.has(entry) || left <= 0) break
          yield* Effect.sleep(left)
        }
        if (entries.delete(entry)) entry.ring()
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
