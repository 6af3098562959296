/**
 * One journal, open for appending and reading.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { type PlatformError, systemError } from "effect/PlatformError"
import * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import type { Own } from "./own.ts"
import * as Segment from "./segment.ts"
import * as Tail from "./tail.ts"

/** Is told of each transaction what became of it. */
export type Seen = (id: string, applied: boolean) => void

/** How far own lines have come. */
export interface Landing {
  /** What kept them from being appended, all of them. */
  readonly failure?: PlatformError
  /** What kept them from being put on disk. */
  readonly unsynced?: Fault.Fault
  /** They are on disk with all before them, in a file that was still in its place when they were in it. */
  readonly settled: boolean
}

export interface Journal {
  readonly name: string
  readonly segment: Segment.Segment
  /** How far the file was read and understood. */
  readonly size: number
  /** How far it was read and is known to be on disk. */
  readonly synced: number
  /** The first seal, when it was read: the records are final, and the next journal takes over. */
  readonly seal: Line.Seal | undefined
  /** Nothing was written to it yet. */
  readonly empty: boolean
  /** There are remains of a power loss, after which nothing may be written but the seal. */
  readonly damaged: boolean
  /**
   * Reads and applies what was appended since. One who has appended says until when: a read that is short is no proof
   * that there is no more.
   */
  readonly readOn: (seen?: Seen, until?: () => boolean) => Effect.Effect<void, Fault.Fault>
  /** Appends a line and gives the error that kept it from appending all of it. */
  readonly append: (line: Uint8Array) => Effect.Effect<PlatformError | undefined>
  /**
   * Appends own lines and puts them on disk, and beside that finds out what has become of them, and says so until there
   * is nothing more to say.
   */
  readonly land: (own: Own, seen: Seen, until: () => boolean) => Effect.Effect<Landing, Fault.Fault>
  /** Puts on disk what was read. */
  readonly sync: Effect.Effect<void, Fault.Fault>
  /** Whether the name still leads to this file. */
  readonly inPlace: Effect.Effect<boolean, Fault.Fault>
  /** Whether the file ends with this transaction, of which but the newline is missing. */
  readonly endsWith: (id: string) => boolean
}

/** What the lines of a journal do. */
export interface Effects {
  /** Applies a transaction whose states begin at a position. */
  readonly apply: (line: Line.Commit, segment: Segment.Segment, position: number, bytes: number) => boolean
  readonly taken: (snapshot: string) => void
  readonly claimed: (claim: Line.Claim) => void
}

/**
 * Opens a journal and reads it.
 */
export const open = Effect.fnUntraced(function*(options: {
  readonly fs: FileSystem.FileSystem
  readonly path: string
  readonly name: string
  readonly number: number
  readonly effects: Effects
}): Effect.fn.Return<Journal, Fault.Fault> {
  const { effects, fs, name, path } = options
  const failed = Fault.fromPlatform(path)
  // Opening for appending would make a file that is not there.
  yield* Effect.mapError(fs.stat(path), Fault.fromOpening(path))
  const segment = yield* Segment.open({ fs, path, number: options.number, flag: "a+" })
  const { file } = segment

  const tail = Tail.make()
  let position = 0
  let size = 0
  let began = 0
  let synced = 0
  let seal: Line.Seal | undefined
  // Damage before an offset that some writer knew to be on disk is damage to what was acknowledged.
  let firstDamage = Infinity
  let watermark = 0

  const consume = (bytes: Uint8Array, seen: Seen | undefined): Fault.Fault | undefined => {
    const at = size
    size += bytes.length + 1
    if (at === 0) {
      began = size
      return readHeader(bytes)
    }
    if (bytes.length === 0) return undefined
    const line = Line.decode(bytes)
    if (line === "damaged") firstDamage = Math.min(firstDamage, at)
    if (typeof line === "string") return undefined
    if ("tx" in line) {
      if (line.synced > at) return Fault.damaged(path, at, "was cut short by something else: bytes are missing")
      apply(line, at, bytes.length, seen)
    } else if ("seal" in line) {
      seal = line
      if (line.damaged !== true) watermark = at
    } else if ("taken" in line) {
      effects.taken(line.taken)
    } else if ("claim" in line) {
      effects.claimed(line)
    }
    return firstDamage < watermark ? Fault.damaged(path, firstDamage) : undefined
  }

  const apply = (line: Line.Commit, at: number, length: number, seen: Seen | undefined): void => {
    watermark = Math.max(watermark, line.synced)
    const applied = effects.apply(line, segment, at + Line.statesOf(line, length), length)
    seen?.(line.id, applied)
  }

  const readHeader = (bytes: Uint8Array): Fault.Fault | undefined => {
    const line = Line.decode(bytes)
    if (line === "damaged" && Line.begins(bytes)) return Fault.damaged(path, 0)
    if (typeof line === "string" || !("format" in line)) return Fault.foreign(path)
    return line.format === Line.format && "journal" in line ? undefined : Fault.foreign(path, line.format)
  }

  // Up to where the file was read when the last was known that somebody waited for.
  let answered = 0

  const readOn = Effect.fnUntraced(function*(seen?: Seen, until?: () => boolean) {
    let waiting = until !== undefined && !until()
    while (true) {
      if (seal !== undefined) return
      const room = tail.room()
      const bytes = yield* Effect.mapError(file.read(room, { position: BigInt(position) }), failed)
      tail.fill(bytes)
      position += bytes
      for (let line = tail.next(); line !== undefined; line = tail.next()) {
        const fault = consume(line, seen)
        if (fault !== undefined) return yield* Effect.fail(fault)
        if (waiting && until!()) {
          waiting = false
          answered = size
        }
        if (seal !== undefined) return
      }
      // A file of something else may have no newline at all, and must not be read into memory to its end.
      if (size === 0 && !Line.begins(tail.rest())) return yield* Effect.fail(Fault.foreign(path))
      if (bytes === 0 || bytes < room.length && !waiting) return
    }
  })

  /** Appends lines, and says whether they are there as they were given, one behind the other. */
  const write = function*(bytes: Uint8Array, ends: ReadonlyArray<number>) {
    let whole = true
    for (let begin = 0;; whole = false) {
      const written = yield* Effect.result(file.write(begin === 0 ? bytes : bytes.subarray(begin)))
      if (written._tag === "Failure" || written.success === 0) {
        // The line that was cut, if any, must not wait for somebody else to end it.
        yield* Effect.ignore(file.write(newline))
        return { failure: written._tag === "Failure" ? written.failure : nothingWritten(path) }
      }
      const upTo = begin + written.success
      if (upTo === bytes.length) return { whole }
      // A line that was cut short is written once more, after the newline that ends its remains.
      begin = ends.findLast((end) => end <= upTo) ?? 0
    }
  }

  const look = fs.stat(path).pipe(
    Effect.map(({ dev, ino, size }) => ({
      inPlace: dev === opened.dev && Option.getOrUndefined(ino) === Option.getOrUndefined(opened.ino),
      size: Number(size)
    })),
    Effect.catchIf(({ reason }) => reason._tag === "NotFound", () => Effect.succeed({ inPlace: false, size: 0 })),
    Effect.mapError(failed)
  )

  /** Finds own lines that were appended, and says whether they are in their place. */
  const find = ({ bytes, commits, ends }: Own, whole: boolean, seen: Seen, until: () => boolean) =>
    Effect.flatMap(look, (found) => {
      if (!whole || position > size || found.size !== size + bytes.length || !found.inPlace) {
        return Effect.as(readOn(seen, until), found.inPlace)
      }
      // Nobody else has written, so what stands there need not be read.
      const before = size
      for (let i = 0; i < commits.length; i++) {
        const at = size + 1
        size = before + ends[i]!
        apply(commits[i]!, at, size - at - 1, seen)
      }
      position = answered = size
      return Effect.succeed(true)
    })

  const opened = yield* Effect.mapError(file.stat, failed).pipe(
    Effect.tap(() => readOn()),
    Effect.tap(() =>
      size > 0 ? Effect.void : Effect.fail(
        // One that was removed just now is made again by opening it.
        position === 0 ? Fault.gone(path) : Fault.damaged(path, 0)
      )
    ),
    Effect.onError(() => segment.close)
  )

  const journal: Journal = {
    name,
    segment,
    get size() {
      return size
    },
    get synced() {
      return synced
    },
    get seal() {
      return seal
    },
    get empty() {
      return size === began
    },
    get damaged() {
      return firstDamage < Infinity
    },
    readOn,
    append: Effect.fnUntraced(function*(line) {
      const { failure } = yield* write(line, [line.length])
      return failure
    }),
    land: Effect.fnUntraced(function*(own, seen, until): Effect.fn.Return<Landing, Fault.Fault> {
      const { failure, whole } = yield* write(own.bytes, own.ends)
      if (failure !== undefined) {
        yield* readOn(seen, until)
        return { failure, settled: false }
      }
      // All that comes before them in the file was there before this begins.
      const [syncing, found] = yield* beside(Effect.result(file.sync), find(own, whole, seen, until))
      const written = yield* syncing
      if (written._tag === "Failure") return { unsynced: failed(written.failure), settled: false }
      const inPlace = yield* found
      if (!until()) return { settled: false }
      synced = Math.max(synced, answered)
      return { settled: inPlace }
    }),
    sync: Effect.suspend(() => {
      const upTo = size
      return Effect.map(Effect.mapError(file.sync, failed), () => {
        synced = upTo
      })
    }),
    inPlace: Effect.map(look, ({ inPlace }) => inPlace),
    endsWith: (id) => {
      const line = Line.decode(tail.rest())
      return typeof line === "object" && "tx" in line && line.id === id
    }
  }
  return journal
})

/** Does something while something is put on disk, and waits for both, whatever comes of them. */
export const beside = Effect.fnUntraced(
  function*<A, E, A2, E2>(sync: Effect.Effect<A, E>, work: Effect.Effect<A2, E2>) {
    const syncing = yield* Effect.forkDetach(Effect.exit(sync), { startImmediately: true, uninterruptible: true })
    const worked = yield* Effect.exit(work)
    return [yield* Fiber.join(syncing), worked] as const
  }
)

const newline = new Uint8Array([10])

const nothingWritten = (path: string): PlatformError =>
  systemError({ _tag: "WriteZero", module: "FileSystem", method: "write", pathOrDescriptor: path })
