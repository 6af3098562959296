/**
 * The directory that holds the generations: `journal-<n>.jsonl`, the highest of which is current, and temporary files
 * that become one.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Fault from "./fault.ts"

export interface Listing {
  /** The current generation; 0 when there is none. */
  readonly current: number
  /** Names of what is left over from before the current generation, oldest first. */
  readonly older: ReadonlyArray<string>
}

export interface Directory {
  readonly root: string
  readonly create: Effect.Effect<void, Fault.Fault>
  readonly path: (generation: number) => string
  readonly list: Effect.Effect<Listing, Fault.Fault>
  /** Puts the names on disk. */
  readonly sync: Effect.Effect<void, Fault.Fault>
  /** Makes a complete generation of these bytes, unless somebody else was first. */
  readonly publish: (generation: number, chunks: Iterable<Uint8Array>) => Effect.Effect<void, Fault.Fault>
  /** Removes what came before the current generation. */
  readonly tidy: (listing: Listing) => Effect.Effect<void, Fault.Fault>
}

/**
 * `unique` tells this process's temporary files from those of others.
 */
export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly paths: Path.Path
  readonly directory: string
  readonly unique: string
}): Directory => {
  const { directory, fs, paths } = options
  const failed = Fault.fromPlatform(directory)
  const path = (generation: number): string => paths.join(directory, `journal-${generation}.jsonl`)
  let temporaries = 0

  const sync = (directory: string): Effect.Effect<void, PlatformError> =>
    Effect.scoped(Effect.flatMap(fs.open(directory), (handle) => handle.sync)).pipe(
      Effect.catchIf(cannotSyncDirectories, () => Effect.void)
    )

  // A directory that is made is lost with the power as long as the one above it is not on disk.
  const create = (directory: string): Effect.Effect<void, PlatformError> =>
    Effect.flatMap(fs.exists(directory), (exists) => {
      const parent = paths.dirname(directory)
      if (exists || parent === directory) return Effect.void
      return create(parent).pipe(
        // Somebody else may have been first. Making all of the path at once hides what stands in the way.
        Effect.andThen(
          Effect.catchIf(
            fs.makeDirectory(directory),
            ({ reason }) => reason._tag === "AlreadyExists",
            () => Effect.void
          )
        ),
        // It may belong to somebody else.
        Effect.andThen(Effect.ignore(sync(parent)))
      )
    })

  return {
    root: directory,
    create: Effect.mapError(Effect.suspend(() => create(directory)), failed),
    path,
    list: fs.readDirectory(directory).pipe(Effect.map(readNames), Effect.mapError(failed)),
    sync: Effect.mapError(sync(directory), failed),
    publish: (generation, chunks) =>
      Effect.suspend(() => {
        const temporary = paths.join(directory, `journal-${generation}.${options.unique}-${++temporaries}.tmp`)
        const write = Effect.scoped(Effect.gen(function*() {
          const file = yield* fs.open(temporary, { flag: "wx" })
          for (const chunk of chunks) yield* file.writeAll(chunk)
          yield* file.sync
        }))
        return write.pipe(
          Effect.andThen(fs.link(temporary, path(generation))),
          // Somebody else was first, or was so long ago that our temporary file was tidied away.
          Effect.catchIf(
            ({ reason }) => reason._tag === "AlreadyExists" || reason._tag === "NotFound",
            () => Effect.void
          ),
          Effect.mapError(Fault.fromPlatform(temporary)),
          Effect.ensuring(Effect.ignore(fs.remove(temporary, { force: true })))
        )
      }),
    tidy: (listing) =>
      listing.older.length === 0 ? Effect.void : Effect.andThen(
        Effect.mapError(sync(directory), failed),
        Effect.ignore(
          Effect.forEach(listing.older, (name) => fs.remove(paths.join(directory, name), { force: true }), {
            discard: true
          })
        )
      )
  }
}

const readNames = (names: ReadonlyArray<string>): Listing => {
  const found = names.flatMap((name) => {
    const match = /^journal-([1-9]\d{0,14})\.(jsonl|.+\.tmp)$/.exec(name)
    return match === null ? [] : [{ name, generation: Number(match[1]), temporary: match[2] !== "jsonl" }]
  })
  const current = found.reduce((max, file) => file.temporary ? max : Math.max(max, file.generation), 0)
  return {
    current,
    older: found
      .filter((file) => file.temporary ? file.generation <= current : file.generation < current)
      .sort((a, b) => a.generation - b.generation)
      .map((file) => file.name)
  }
}

// Windows has no way to, and some file systems refuse.
const cannotSyncDirectories = (error: PlatformError): boolean => {
  const code = Fault.code(error)
  return code === "EPERM" || code === "EISDIR" || code === "EINVAL" || code === "EBADF" || code === "ENOTSUP"
}
