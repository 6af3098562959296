/**
 * Looks for the commits of other processes while somebody watches.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"
import type { Watchers } from "../watchers.ts"
import type * as Fault from "./fault.ts"
import { entryAt } from "./records.ts"
import type { Store } from "./store.ts"
import type { Time } from "./time.ts"

/**
 * Never ends. When the journal cannot be read, all who watch are told.
 */
export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly time: Time
  readonly directory: string
  readonly interval: Duration.Duration
  readonly store: Store
  readonly watchers: Watchers
  readonly turn: (look: Effect.Effect<void, Fault.Fault>) => Effect.Effect<void, DriverError>
}): Effect.Effect<void> => {
  const { store, time, watchers } = options
  return Effect.suspend(() => {
    let looked = time.now()

    const look = Effect.gen(function*() {
      const chain = yield* store.current(true)
      // Nobody writes to a file that was taken away: who only watches would wait for ever.
      yield* store.inPlace(chain)
      const { records } = chain
      const now = time.now()
      for (const name of watchers.names()) {
        const entry = records.entries.get(name)
        if (entry === undefined) continue
        if (entryAt(entry, looked)?.revision !== entryAt(entry, now)?.revision) watchers.hint(name)
      }
      looked = now
    })

    // The system tells of most changes at once. It does not everywhere and of all, so the interval stands.
    const nudged = Latch.makeUnsafe(false)
    const nudge = Stream.runForEach(options.fs.watch(options.directory), () => Effect.sync(() => nudged.openUnsafe()))
      .pipe(Effect.ignoreCause, Effect.andThen(Effect.never))

    const rounds = Effect.timeoutOption(nudged.await, options.interval).pipe(
      Effect.andThen(Effect.suspend(() => {
        nudged.closeUnsafe()
        return options.turn(look)
      })),
      Effect.catch((error) => Effect.sync(() => watchers.fail(error))),
      Effect.forever
    )
    return Effect.raceFirst(rounds, nudge)
  })
}
