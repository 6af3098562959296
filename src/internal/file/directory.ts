/**
 * The directory that holds the store: `journal-<n>-<id>.jsonl` and `snapshot-<n>-<id>.jsonl`.
 *
 * What follows a journal is written in the journal itself, and no name is used twice. So whoever is late, however much,
 * finds that a file is gone, but never another one in its place. The very first file has a name that can be taken once
 * only, and is never removed.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import type * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Fault from "./fault.ts"
import * as Line from "./line.ts"

export interface Named {
  readonly name: string
  readonly number: number
}

export interface Listing {
  /** Latest first. */
  readonly snapshots: ReadonlyArray<Named>
  readonly journals: ReadonlyArray<Named>
  readonly temporaries: ReadonlyArray<Named>
  /** A journal of the first format. */
  readonly outdated: string | undefined
}

export interface Directory {
  readonly root: string
  readonly create: Effect.Effect<void, Fault.Fault>
  readonly path: (name: string) => string
  readonly list: Effect.Effect<Listing, Fault.Fault>
  /** What the file system takes for the time, in milliseconds; `undefined` when it does not tell. */
  readonly time: Effect.Effect<number | undefined>
  /** Makes the first journal and the first snapshot, unless somebody else was first. */
  readonly begin: (moment: Line.Moment) => Effect.Effect<void, Fault.Fault>
  /** Makes an empty journal, on disk with its name, and gives the name. */
  readonly prepare: (number: number) => Effect.Effect<string, Fault.Fault>
  /** Makes a file complete before it gets its name, and gives the name. */
  readonly publish: (
    number: number,
    write: (file: FileSystem.File, path: string) => Effect.Effect<void, Fault.Fault>
  ) => Effect.Effect<string, Fault.Fault>
  /** Removes files, if it can. */
  readonly remove: (names: Iterable<string>) => Effect.Effect<void>
}

const first = "snapshot-0.jsonl"

/**
 * `unique` tells this process's files from those of others.
 */
export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly paths: Path.Path
  readonly directory: string
  readonly unique: string
}): Directory => {
  const { directory, fs, paths } = options
  const failed = Fault.fromPlatform(directory)
  const path = (name: string): string => paths.join(directory, name)
  let made = 0
  const unique = (kind: string, number: number, extension: string): string =>
    `${kind}-${number}-${options.unique}-${++made}.${extension}`

  const sync = (directory: string): Effect.Effect<void, PlatformError> =>
    Effect.scoped(Effect.flatMap(fs.open(directory), (handle) => handle.sync)).pipe(
      Effect.catchIf(cannotSyncDirectories, () => Effect.void)
    )

  const remove: Directory["remove"] = (names) =>
    Effect.ignore(Effect.forEach(names, (name) => fs.remove(path(name), { force: true }), { discard: true }))

  // A directory that is made is lost with the power as long as the one above it is not on disk.
  const create = (directory: string): Effect.Effect<void, PlatformError> =>
    Effect.flatMap(fs.exists(directory), (exists) => {
      const parent = paths.dirname(directory)
      if (exists || parent === directory) return Effect.void
      return create(parent).pipe(
        // Somebody else may have been first. Making all of the path at once hides what stands in the way.
        Effect.andThen(
          Effect.catchIf(
            fs.makeDirectory(directory, { mode: 0o700 }),
            ({ reason }) => reason._tag === "AlreadyExists",
            () => Effect.void
          )
        ),
        // It may belong to somebody else.
        Effect.andThen(Effect.ignore(sync(parent)))
      )
    })

  /** Writes a new file and puts it on disk. What is not complete is removed again. */
  const writeFile = (
    name: string,
    write: (file: FileSystem.File, path: string) => Effect.Effect<void, Fault.Fault>
  ): Effect.Effect<void, Fault.Fault> =>
    Effect.scoped(Effect.gen(function*() {
      const file = yield* fs.open(path(name), { flag: "wx", mode: 0o600 })
      yield* write(file, path(name))
      yield* file.sync
    })).pipe(
      Effect.mapError((error) => "inDoubt" in error ? error : Fault.fromPlatform(path(name))(error)),
      Effect.onError(() => remove([name]))
    )

  const writeLines = (...lines: ReadonlyArray<Line.Line>) => (file: FileSystem.File, path: string) =>
    Effect.mapError(
      Effect.forEach(lines, (line, i) => file.writeAll(Line.encode(line).subarray(i === 0 ? 1 : 0)), { discard: true }),
      Fault.fromPlatform(path)
    )

  const syncNames = Effect.mapError(sync(directory), failed)

  const prepare: Directory["prepare"] = (number) =>
    Effect.suspend(() => {
      const name = unique("journal", number, "jsonl")
      return writeFile(name, writeLines({ format: Line.format, journal: number })).pipe(
        Effect.andThen(Effect.onError(syncNames, () => remove([name]))),
        Effect.as(name)
      )
    })

  return {
    root: directory,
    create: Effect.mapError(Effect.suspend(() => create(directory)), failed),
    path,
    list: fs.readDirectory(directory).pipe(Effect.map(readNames), Effect.mapError(failed)),
    time: Effect.suspend(() => {
      const probe = path(unique("probe", 0, "tmp"))
      return Effect.scoped(
        Effect.flatMap(fs.open(probe, { flag: "wx", mode: 0o600 }), (file) => file.stat)
      ).pipe(
        Effect.map(({ mtime }) => Option.getOrUndefined(mtime)?.getTime()),
        Effect.ensuring(Effect.ignore(fs.remove(probe, { force: true }))),
        Effect.orElseSucceed(() => undefined)
      )
    }),
    begin: Effect.fnUntraced(function*(moment) {
      // The journal of one who was not first is removed by whoever tidies up: what failed may have been done.
      const journal = yield* prepare(1)
      const temporary = unique("snapshot", 0, "tmp")
      yield* writeFile(
        temporary,
        writeLines({ format: Line.format, snapshot: 0, ...moment, next: journal }, { end: true })
      )
      yield* fs.link(path(temporary), path(first)).pipe(
        // Somebody else was first, or was so long ago that the temporary file was tidied away.
        Effect.catchIf(
          ({ reason }) => reason._tag === "AlreadyExists" || reason._tag === "NotFound",
          () => Effect.void
        ),
        Effect.mapError(Fault.fromPlatform(path(temporary))),
        Effect.ensuring(remove([temporary]))
      )
      yield* syncNames
    }),
    prepare,
    publish: (number, write) =>
      Effect.suspend(() => {
        const temporary = unique("snapshot", number, "tmp")
        const name = temporary.replace(/tmp$/, "jsonl")
        return writeFile(temporary, write).pipe(
          Effect.andThen(
            fs.rename(path(temporary), path(name)).pipe(
              // Somebody else has gone on and tidied up.
              Effect.mapError((error) => ({
                ...Fault.fromPlatform(path(temporary))(error),
                gone: error.reason._tag === "NotFound"
              })),
              Effect.onError(() => remove([temporary]))
            )
          ),
          Effect.andThen(syncNames),
          Effect.as(name)
        )
      }),
    remove
  }
}

const readNames = (names: ReadonlyArray<string>): Listing => {
  const matching = (pattern: RegExp): ReadonlyArray<Named> =>
    names.filter((name) => pattern.test(name))
      .map((name) => ({ name, number: Number(/\d+/.exec(name)) }))
      .sort((a, b) => b.number - a.number)
  return {
    snapshots: matching(/^snapshot-(0|[1-9]\d{0,14}-[\w-]+)\.jsonl$/),
    journals: matching(/^journal-[1-9]\d{0,14}-[\w-]+\.jsonl$/),
    temporaries: matching(/^(snapshot|probe)-\d{1,15}-[\w-]+\.tmp$/),
    outdated: names.find((name) => /^journal-[1-9]\d{0,14}\.jsonl$/.test(name))
  }
}

// Windows has no way to, and some file systems refuse.
const cannotSyncDirectories = (error: PlatformError): boolean => {
  const code = Fault.code(error)
  return code === "EPERM" || code === "EISDIR" || code === "EINVAL" || code === "EBADF" || code === "ENOTSUP"
}
