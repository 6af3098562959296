/**
 * A file that states are read from, for as long as some state is in it.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import * as Scope from "effect/Scope"
import * as Fault from "./fault.ts"

export interface Segment {
  readonly path: string
  /** That of the journal, or of the last journal in a snapshot. */
  readonly number: number
  readonly file: FileSystem.File
  /** Fills a buffer from a position on, as far as the file goes. */
  readonly read: (buffer: Uint8Array, position: number) => Effect.Effect<number, Fault.Fault>
  /** Keeps the file open until what this returns is called. */
  readonly retain: () => () => void
  /** Waits for those who retain it. */
  readonly close: Effect.Effect<void>
}

export const open = Effect.fnUntraced(function*(options: {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  readonly number: number
  readonly flag: "r" | "a+"
}): Effect.fn.Return<Segment, Fault.Fault> {
  const { fs, number, path } = options
  const failed = Fault.fromPlatform(path)
  const scope = yield* Scope.make()
  // Whoever opens a file for appending that is not there makes one: the mode is for that case.
  const file = yield* fs.open(path, { flag: options.flag, mode: 0o600 }).pipe(
    Scope.provide(scope),
    Effect.mapError(Fault.fromOpening(path))
  )
  let readers = 0
  const free = Deferred.makeUnsafe<void>()
  let closing = false

  const segment: Segment = {
    path,
    number,
    file,
    read: Effect.fnUntraced(function*(buffer, position) {
      let filled = 0
      while (filled < buffer.length) {
        const bytes = yield* Effect.mapError(
          file.read(buffer.subarray(filled), { position: BigInt(position + filled) }),
          failed
        )
        if (bytes === 0) break
        filled += bytes
      }
      return filled
    }),
    retain: () => {
      readers++
      let retained = true
      return () => {
        if (!retained) return
        retained = false
        if (--readers === 0 && closing) Deferred.doneUnsafe(free, Exit.void)
      }
    },
    close: Effect.suspend(() => {
      if (closing) return Effect.void
      closing = true
      return Effect.andThen(
        readers === 0 ? Effect.void : Deferred.await(free),
        Effect.ignoreCause(Scope.close(scope, Exit.void))
      )
    })
  }
  return segment
})
