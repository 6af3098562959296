/**
 * The journal as a whole: the current generation, and how to move to the next one.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Directory } from "./directory.ts"
import * as Fault from "./fault.ts"
import * as Journal from "./journal.ts"
import * as Line from "./line.ts"
import * as Records from "./records.ts"
import { snapshot } from "./snapshot.ts"

export interface Store {
  /**
   * The current generation. `fresh` reads on first, so that what was committed before the call is seen.
   *
   * One call at a time.
   */
  readonly current: (fresh: boolean, seen?: Journal.Seen) => Effect.Effect<Journal.Journal, Fault.Fault>
  /** Like `current(true)`, but where the disk is too full to move on, what is there can still be read. */
  readonly readable: Effect.Effect<Journal.Journal, Fault.Fault>
  /** Puts on disk what was read, so that it may be reported. */
  readonly sync: (journal: Journal.Journal) => Effect.Effect<void, Fault.Fault>
  /** Moves to a new generation where most of this one is garbage. */
  readonly compact: Effect.Effect<void, Fault.Fault>
  /** The file is not what it was: there is no use in going on. */
  readonly vanished: (journal: Journal.Journal) => Fault.Fault
  readonly close: Effect.Effect<void>
}

export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly directory: Directory
  readonly compactAt: number
  readonly touch: (name: string) => void
  /** Called when another generation was opened. */
  readonly moved: () => void
}): Store => {
  const { directory, fs } = options
  let journal: Journal.Journal | undefined
  // After a sync that failed, memory may show lines that never reach the disk. So nothing of this generation or an
  // older one is reported any more: what can be read of it is written to a new one.
  let distrusted = 0
  // Whoever sealed a generation writes the next one, as a rule, and others wait as long as that should take. This is
  // the generation that we sealed, or waited for in vain.
  let ours = 0
  let sweptAt = 0

  const close = Effect.suspend(() => {
    const open = journal
    journal = undefined
    return open === undefined ? Effect.void : open.close
  })

  const openGeneration = (generation: number): Effect.Effect<Journal.Journal | undefined, Fault.Fault> =>
    Journal.open({
      fs,
      generation,
      path: directory.path(generation),
      touch: options.touch,
      syncDirectory: directory.sync
    })

  const open = Effect.gen(function*() {
    let empty = 0
    while (true) {
      const { current } = yield* directory.list
      if (current === 0) {
        yield* directory.publish(1, snapshot(Records.make(() => {})))
        continue
      }
      const opened = yield* openGeneration(current)
      // What was current may be gone by now. And a listing may miss what changes while it is made, so that it shows
      // only one that came too late: two in a row do not.
      const listing = yield* directory.list.pipe(Effect.onError(() => opened?.close ?? Effect.void))
      if (opened !== undefined && listing.current === current) {
        journal = opened
        sweptAt = opened.size
        options.moved()
        yield* directory.tidy(listing)
        return opened
      }
      if (opened !== undefined) yield* opened.close
      else if (listing.current === current && ++empty > 1) {
        return yield* Effect.fail(Fault.corrupt(
          `${JSON.stringify(directory.path(current))} is empty: restore it from a backup, or remove it to start anew`
        ))
      }
    }
  })

  /** Ends the generation. */
  const seal = Effect.fnUntraced(function*(journal: Journal.Journal) {
    const failure = yield* journal.append([Line.encode({ seal: true })])
    yield* journal.readOn(undefined, () => false)
    ours = journal.generation
    if (journal.sealed) return
    return yield* Effect.fail(
      failure === undefined ? vanished(journal) : Fault.fromPlatform(journal.path)(failure)
    )
  })

  const vanished = (journal: Journal.Journal): Fault.Fault =>
    Fault.corrupt(
      `${JSON.stringify(journal.path)} was removed or replaced while it was in use: stop every ` +
        `process that uses the directory, and restore it`
    )

  /** Leaves a sealed generation for the next one. */
  const moveOn = Effect.fnUntraced(function*(from: Journal.Journal) {
    let patience = ours === from.generation ? 0 : 5 + from.records.bytes / bytesPerPoll
    let missing = 0
    while (true) {
      const { current } = yield* directory.list
      if (current > from.generation) break
      if (current < from.generation) {
        // A listing may miss what changes while it is made.
        if (++missing > 2) return yield* Effect.fail(vanished(from))
        continue
      }
      if (--patience > 0) {
        yield* pause
        continue
      }
      ours = from.generation
      yield* directory.publish(from.generation + 1, snapshot(from.records))
      // Whoever was held up may have published one that is long past. So what is there is listed again, and the
      // latest is current, whoever wrote it.
    }
    yield* close
  })

  const current = Effect.fnUntraced(function*(fresh: boolean, seen?: Journal.Seen) {
    while (true) {
      const opened: Journal.Journal = journal ?? (yield* open)
      if (fresh) yield* opened.readOn(seen)
      if (!opened.sealed && (opened.damaged || opened.generation <= distrusted)) yield* seal(opened)
      if (!opened.sealed) return opened
      yield* moveOn(opened)
    }
  })

  return {
    current,
    readable: Effect.catchIf(
      current(true),
      (fault) => fault.reason === "Full" && journal !== undefined && journal.sealed && journal.generation > distrusted,
      (fault) => journal === undefined ? Effect.fail(fault) : Effect.succeed(journal)
    ),
    sync: (journal) =>
      journal.synced === journal.size ? Effect.void : Effect.onError(journal.sync, () => {
        distrusted = journal.generation
        return close
      }),
    compact: Effect.suspend(() => {
      if (journal === undefined || journal.sealed) return Effect.void
      if (journal.size - sweptAt > options.compactAt) {
        journal.records.sweep()
        sweptAt = journal.size
      }
      const live = journal.records.bytes
      if (journal.size - live <= Math.max(options.compactAt, live)) return Effect.void
      const full = journal
      return seal(full).pipe(Effect.andThen(moveOn(full)), Effect.andThen(current(false)), Effect.asVoid)
    }),
    vanished,
    close
  }
}

// Other processes are waited for, and these do not follow the clock of a test.
const pause = Effect.provideService(Effect.sleep("10 millis"), Clock.Clock, Clock.Clock.defaultValue())
const bytesPerPoll = 512 * 1024
