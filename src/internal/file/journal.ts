/**
 * One generation of the journal, open for appending and reading.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as FileSystem from "effect/FileSystem"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Scope from "effect/Scope"
import { concat } from "./bytes.ts"
import * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import * as Records from "./records.ts"
import * as Tail from "./tail.ts"

/** Is told what became of each transaction that is read. */
export type Seen = (id: string, applied: boolean) => void

export interface Journal {
  readonly generation: number
  readonly path: string
  readonly records: Records.Records
  /** How far the file was read and understood. */
  readonly size: number
  /** How far it was read and is known to be on disk. */
  readonly synced: number
  /** The seal was read: the records are final, and the next generation takes over. */
  readonly sealed: boolean
  /** There are remains of a power loss, after which nothing may be written but the seal. */
  readonly damaged: boolean
  /**
   * Reads and applies what was appended since. One who has appended says until when: a read that is short is no proof
   * that there is no more.
   */
  readonly readOn: (seen?: Seen, until?: () => boolean) => Effect.Effect<void, Fault.Fault>
  /** Appends lines and gives the error that kept it from appending them all. */
  readonly append: (lines: ReadonlyArray<Uint8Array>) => Effect.Effect<PlatformError | undefined>
  /** Puts on disk what was read. */
  readonly sync: Effect.Effect<void, Fault.Fault>
  /** Whether the file ends with this transaction, of which but the newline is missing. */
  readonly endsWith: (id: string) => boolean
  readonly close: Effect.Effect<void>
}

/**
 * Opens a generation and reads it. Yields `undefined` where there is no file, or one that was never written: opening
 * for appending creates a file that was removed a moment before.
 */
export const open = Effect.fnUntraced(function*(options: {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  readonly generation: number
  readonly touch: (name: string) => void
  readonly syncDirectory: Effect.Effect<void, Fault.Fault>
}): Effect.fn.Return<Journal | undefined, Fault.Fault> {
  const { fs, path } = options
  const scope = yield* Scope.make()
  const close = Effect.ignoreCause(Scope.close(scope, Exit.void))
  const failed = Fault.fromPlatform(path)
  const file = yield* fs.open(path, { flag: "a+" }).pipe(Scope.provide(scope), Effect.mapError(failed))

  const records = Records.make(options.touch)
  const tail = Tail.make()
  let position = 0
  let size = 0
  let synced = 0
  let started = false
  let sealed = false
  let directorySynced = false
  // Damage before an offset that some writer knew to be on disk is damage to what was acknowledged.
  let firstDamage = Infinity
  let watermark = 0

  const corrupt = (what: string, at: number): Fault.Fault =>
    Fault.corrupt(
      `${
        JSON.stringify(path)
      } ${what} at byte ${at}. Nothing is written to it any more: stop every process that uses ` +
        `the directory, then restore the directory from a backup`
    )
  const foreign = Fault.corrupt(
    `${JSON.stringify(path)} was not written by this driver: choose another directory, or move the file away`
  )
  const unknownFormat = (format: string): Fault.Fault =>
    Fault.corrupt(
      `${JSON.stringify(path)} has the format ${JSON.stringify(format)}, which this version does not know: use the ` +
        `version that wrote it, or a later one`
    )

  const consume = (bytes: Uint8Array, seen: Seen | undefined): Fault.Fault | undefined => {
    const at = size
    size += bytes.length + 1
    if (at === 0) return readHeader(bytes)
    if (bytes.length === 0) return undefined
    const line = Line.decode(bytes)
    if (typeof line === "string") {
      if (!started) return corrupt("is damaged", at)
      if (line === "damaged") firstDamage = Math.min(firstDamage, at)
    } else if ("started" in line) {
      started = true
    } else if ("seal" in line) {
      sealed = true
    } else if ("tx" in line) {
      if (line.synced > at) return corrupt("was cut short by something else: bytes are missing", at)
      watermark = Math.max(watermark, line.synced)
      const applied = records.apply(line, bytes.length)
      seen?.(line.id, applied)
    }
    return firstDamage < watermark ? corrupt("is damaged", firstDamage) : undefined
  }

  const readHeader = (bytes: Uint8Array): Fault.Fault | undefined => {
    const line = Line.decode(bytes)
    if (line === "damaged" && Line.begins(bytes)) return corrupt("is damaged", 0)
    if (typeof line === "string" || !("format" in line)) return foreign
    if (line.format !== Line.format) return unknownFormat(line.format)
    records.advance(line.at)
    return undefined
  }

  const readOn = Effect.fnUntraced(function*(seen?: Seen, until?: () => boolean) {
    while (!journal.sealed) {
      const room = tail.room()
      const bytes = yield* Effect.mapError(file.read(room, { position: BigInt(position) }), failed)
      tail.fill(bytes)
      position += bytes
      for (let line = tail.next(); line !== undefined && !journal.sealed; line = tail.next()) {
        const fault = consume(line, seen)
        if (fault !== undefined) return yield* Effect.fail(fault)
      }
      // A file of something else may have no newline at all, and must not be read into memory to its end.
      if (size === 0 && !Line.begins(tail.rest())) return yield* Effect.fail(foreign)
      if (bytes === 0 || bytes < room.length && (until === undefined || until())) return
    }
  })

  const journal: Journal = {
    generation: options.generation,
    path,
    records,
    get size() {
      return size
    },
    get synced() {
      return synced
    },
    get sealed() {
      return sealed
    },
    get damaged() {
      return firstDamage < Infinity
    },
    readOn,
    append: Effect.fnUntraced(function*(lines) {
      for (let rest = lines; rest.length > 0;) {
        const written = yield* Effect.result(file.write(concat(rest)))
        if (written._tag === "Failure" || written.success === 0) {
          // The line that was cut, if any, must not wait for somebody else to end it.
          yield* Effect.ignore(file.write(newline))
          return written._tag === "Failure" ? written.failure : nothingWritten(path)
        }
        // A line that was cut short is written once more, after the newline that ends its remains.
        let left = written.success
        let whole = 0
        while (whole < rest.length && left >= rest[whole]!.length) left -= rest[whole++]!.length
        rest = rest.slice(whole)
      }
      return undefined
    }),
    sync: Effect.suspend(() => {
      const upTo = size
      return Effect.mapError(file.sync, failed).pipe(
        Effect.andThen(directorySynced ? Effect.void : options.syncDirectory),
        Effect.map(() => {
          directorySynced = true
          synced = upTo
        })
      )
    }),
    endsWith: (id) => {
      const line = Line.decode(tail.rest())
      return typeof line === "object" && "tx" in line && line.id === id
    },
    close
  }

  yield* Effect.onError(
    Effect.andThen(
      readOn(),
      Effect.suspend(() =>
        started || position === 0
          ? Effect.void
          : Effect.fail(corrupt("ends too soon, in the records it starts with,", position))
      )
    ),
    () => close
  )
  if (position > 0) return journal
  yield* close
  return undefined
})

const newline = new Uint8Array([10])

const nothingWritten = (path: string): PlatformError =>
  systemError({ _tag: "WriteZero", module: "FileSystem", method: "write", pathOrDescriptor: path })
