/**
 * The store as a whole: a snapshot and the journals after it, the last of which grows.
 *
 * A journal is followed by the one that its first seal names, which was there before the seal. So there is no moment at
 * which a store has no journal that can be written, whoever dies or fails.
 */
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type { Claims } from "./claims.ts"
import type { Directory, Listing } from "./directory.ts"
import * as Fault from "./fault.ts"
import * as Journal from "./journal.ts"
import * as Line from "./line.ts"
import { type Frozen, Records } from "./records.ts"
import * as Segment from "./segment.ts"
import * as Snapshot from "./snapshot.ts"
import type { Time } from "./time.ts"

/** What is open. */
export interface Chain {
  readonly records: Records
  /** All files in which states may be. */
  readonly files: Set<Segment.Segment>
  /** The snapshot that it began with, or a later one. */
  base: { readonly segment: Segment.Segment; readonly size: number }
  /** Journals that are sealed, oldest first. */
  sealed: ReadonlyArray<Journal.Journal>
  journal: Journal.Journal
}

export interface Store {
  /**
   * What is open, with a journal that can be written. `fresh` reads on first, so that what was committed before the
   * call is seen.
   *
   * One call at a time, as for all that follows.
   */
  readonly current: (fresh: boolean, seen?: Journal.Seen) => Effect.Effect<Chain, Fault.Fault>
  /** Appends own lines to the journal, as it does, and trusts it no more where it could not be put on disk. */
  readonly land: (
    chain: Chain,
    ...lines: Parameters<Journal.Journal["land"]>
  ) => Effect.Effect<Journal.Landing, Fault.Fault>
  /** Makes sure that what was read is on disk and in its place, so that it may be reported. */
  readonly settle: (chain: Chain) => Effect.Effect<void, Fault.Fault>
  /** Whether the journal is still in its place. Fails where it was taken away by something else than this driver. */
  readonly inPlace: (chain: Chain) => Effect.Effect<boolean, Fault.Fault>
  /**
   * Goes on with a new journal, unless nothing was written to this one yet. Gives the records as they are at the end
   * of the old one, frozen, unless somebody else was first.
   */
  readonly roll: (chain: Chain, freeze: boolean) => Effect.Effect<Frozen | undefined, Fault.Fault>
  /** Writes a snapshot of what was frozen, and gives its name. Runs beside all else. */
  readonly snapshot: (chain: Chain, frozen: Frozen) => Effect.Effect<string, Fault.Fault>
  /** Takes the data from a snapshot, and leaves the files behind that are in it. Runs beside all else. */
  readonly adopt: (chain: Chain, name: string) => Effect.Effect<void, Fault.Fault>
  /** What is open, or nothing before the first call and after something went wrong. */
  readonly open: Chain | undefined
  readonly close: Effect.Effect<void>
}

export const make = (options: {
  readonly fs: FileSystem.FileSystem
  readonly directory: Directory
  readonly time: Time
  readonly claims: Claims
  readonly touch: (name: string) => void
  /** Called when all was read anew. */
  readonly moved: () => void
  /** Called when a journal tells of a snapshot. */
  readonly taken: (chain: Chain, snapshot: string) => void
}): Store => {
  const { claims, directory, fs, time } = options
  let chain: Chain | undefined
  let started = false
  // After a sync that failed, what is read may never reach the disk. So nothing of this journal is reported any more
  // before it was written once more, into a snapshot.
  let distrusted = 0

  const close = Effect.suspend(() => {
    const open = chain
    chain = undefined
    return open === undefined ? Effect.void : closeAll(open.files)
  })

  const openJournal = (name: string, number: number, records: Records): Effect.Effect<Journal.Journal, Fault.Fault> =>
    Journal.open({
      fs,
      name,
      number,
      path: directory.path(name),
      effects: {
        apply: (line, segment, position, bytes) => {
          time.see(line.at)
          const applied = records.apply(line, segment, position, bytes)
          if (applied) claims.serve(line)
          return applied
        },
        // What happened before the store was opened is over.
        claimed: ({ claim, names }) => {
          if (chain?.records === records) claims.add(claim, names)
        },
        taken: (snapshot) => {
          // What is distrusted is being written anew.
          if (chain?.records === records && chain.base.segment.number >= distrusted) options.taken(chain, snapshot)
        }
      }
    })

  /** Reads a snapshot and the journals after it. */
  const openChain = Effect.fnUntraced(function*(name: string, number: number) {
    const records = new Records(options.touch)
    const files = new Set<Segment.Segment>()
    return yield* Effect.gen(function*() {
      const segment = yield* Segment.open({ fs, path: directory.path(name), number, flag: "r" })
      files.add(segment)
      let next = ""
      const { size } = yield* Snapshot.scan(
        segment,
        (state, position, meta) => records.restore(state, segment, position, meta),
        (header) => {
          records.advance(header)
          next = header.next
        }
      )
      const sealed: Array<Journal.Journal> = []
      while (true) {
        const journal = yield* openJournal(next, number + sealed.length + 1, records)
        files.add(journal.segment)
        if (journal.seal === undefined) {
          const chain: Chain = { records, files, base: { segment, size }, sealed, journal }
          return chain
        }
        yield* syncSealed(journal)
        sealed.push(journal)
        next = journal.seal.seal
      }
    }).pipe(Effect.onError(() => closeAll(files)))
  })

  // What comes after a sealed journal must not be on disk without it.
  const syncSealed = (journal: Journal.Journal): Effect.Effect<void, Fault.Fault> =>
    journal.segment.number <= distrusted || journal.synced === journal.size
      ? Effect.void
      : Effect.onError(journal.sync, () => distrust(journal))

  const openLatest = Effect.gen(function*() {
    for (let tries = 1;; tries++) {
      const listing = yield* directory.list
      const latest = listing.snapshots[0]
      if (latest === undefined) {
        const fault = yield* alreadyUsed(listing)
        if (fault === undefined) yield* directory.begin(time.moment(0))
        // Somebody else may have begun since it was listed.
        else if ((yield* directory.list).snapshots.length === 0) return yield* Effect.fail(fault)
        continue
      }
      const opened = yield* Effect.result(openChain(latest.name, latest.number))
      if (opened._tag === "Failure") {
        // Others may have gone on and removed what was listed.
        if (opened.failure.gone === true && tries < maxTries) continue
        return yield* Effect.fail(opened.failure)
      }
      chain = opened.success
      if (!started) time.start(chain.records.moment)
      started = true
      options.moved()
      yield* tidy(chain)
      return chain
    }
  })

  /** Why a directory without a snapshot is not one that nobody has used yet, if it is not. */
  const alreadyUsed = Effect.fnUntraced(function*({ journals, outdated }: Listing) {
    if (outdated !== undefined) {
      const path = directory.path(outdated)
      const bytes = new Uint8Array(256)
      yield* Effect.scoped(Effect.flatMap(fs.open(path), (file) => file.read(bytes))).pipe(
        Effect.mapError(Fault.fromPlatform(path))
      )
      return new TextDecoder().decode(bytes).includes("\"effect-scoped/1\"")
        ? Fault.outdated(path)
        : Fault.foreign(path)
    }
    if (started || journals.some(({ number }) => number > 1)) return Fault.gone(directory.root)
    for (const { name } of journals) {
      const { size } = yield* Effect.mapError(fs.stat(directory.path(name)), Fault.fromPlatform(directory.path(name)))
      if (Number(size) > Line.encode({ format: Line.format, journal: 1 }).length) return Fault.gone(directory.root)
    }
    return undefined
  })

  /** Removes what nobody needs any more: files from before the snapshot, and journals that no seal names. */
  const tidy = Effect.fnUntraced(function*(chain: Chain) {
    const { journals, snapshots, temporaries } = yield* directory.list
    const kept = new Set(journalsOf(chain).map(({ name }) => name))
    const base = chain.base.segment.number
    yield* directory.remove(
      [
        ...snapshots.filter(({ number }) => number < base && number > 0),
        ...journals.filter(({ name, number }) => number <= chain.journal.segment.number && !kept.has(name)),
        ...temporaries.filter(({ number }) => number <= base)
      ].map(({ name }) => name)
    )
  }, (tidying) => Effect.ignore(tidying))

  const distrust = (journal: Journal.Journal): Effect.Effect<void> => {
    distrusted = Math.max(distrusted, journal.segment.number)
    return close
  }

  /** Leaves a sealed journal for the next one, or all that is open where others are so far ahead that it is gone. */
  const follow = Effect.fnUntraced(function*(chain: Chain) {
    const { journal } = chain
    yield* syncSealed(journal)
    const next = yield* openJournal(journal.seal!.seal, journal.segment.number + 1, chain.records)
    chain.files.add(next.segment)
    chain.sealed = [...chain.sealed, journal]
    chain.journal = next
  }, Effect.catchIf((fault) => fault.gone === true, () => close))

  const current: Store["current"] = Effect.fnUntraced(function*(fresh, seen) {
    while (true) {
      const opened: Chain = chain ?? (yield* openLatest)
      const { journal } = opened
      if (fresh) yield* journal.readOn(seen)
      if (journal.seal !== undefined) {
        yield* follow(opened)
      } else if (opened.base.segment.number < distrusted) {
        const frozen = yield* roll(opened, true)
        if (frozen !== undefined) yield* renew(opened, frozen)
      } else if (journal.damaged) {
        yield* roll(opened, false)
      } else {
        return opened
      }
    }
  })

  const roll: Store["roll"] = Effect.fnUntraced(function*(chain, freeze) {
    const { journal, records, sealed } = chain
    const { number, path } = journal.segment
    const before = sealed.at(-1)
    // An attempt that failed has left an empty journal. However often it is tried again, one is enough to keep open.
    if (freeze && journal.empty && before !== undefined) return records.freeze(before.segment.number)
    const next = yield* directory.prepare(number + 1)
    const failure = yield* journal.append(
      Line.encode({ seal: next, ...journal.damaged && { damaged: true } })
    )
    yield* journal.readOn(undefined, () => false)
    // What was prepared in vain is removed by whoever tidies up: a seal that was cut short may still come to its end.
    if (journal.seal === undefined) {
      return yield* Effect.fail(failure === undefined ? Fault.gone(path) : Fault.fromPlatform(path)(failure))
    }
    if (!freeze || journal.seal.seal !== next) return undefined
    const frozen = records.freeze(number)
    yield* Effect.onError(follow(chain), () => Effect.sync(() => records.thaw()))
    return self.open === chain ? frozen : undefined
  })

  const snapshot: Store["snapshot"] = (chain, frozen) =>
    Effect.suspend(() => {
      const { moment, number } = frozen
      const next = journalsOf(chain).find(({ segment }) => segment.number === number + 1)!.name
      return directory.publish(
        number,
        (file, path) =>
          Snapshot.write(
            file,
            { snapshot: number, ...moment, next },
            chain.records,
            frozen,
            Fault.fromPlatform(path)
          )
      )
    }).pipe(Effect.ensuring(Effect.sync(() => chain.records.thaw())))

  // It may be interrupted while it reads, and else not: what is opened must be known, and what is left be closed.
  const adopt: Store["adopt"] = (opened, name) =>
    Effect.uninterruptibleMask((restore) => adoptWith(restore, opened, name))

  const adoptWith = Effect.fnUntraced(function*(
    restore: <A, E>(scan: Effect.Effect<A, E>) => Effect.Effect<A, E>,
    opened: Chain,
    name: string
  ): Effect.fn.Return<void, Fault.Fault> {
    const number = Number(/\d+/.exec(name))
    if (number <= opened.base.segment.number) return
    const segment = yield* Segment.open({ fs, path: directory.path(name), number, flag: "r" })
    if (chain !== opened) return yield* segment.close
    // From the first record on there are states that are read from it, also if it cannot be read to its end.
    opened.files.add(segment)
    const { size } = yield* restore(Snapshot.scan(
      segment,
      (state, position, meta) => opened.records.move(state, segment, position, meta),
      () => {}
    ))
    if (chain !== opened) return yield* segment.close
    opened.base = { segment, size }
    opened.sealed = opened.sealed.filter((journal) => journal.segment.number > number)
    const left = [...opened.files].filter((file) => file.number <= number && file !== segment)
    for (const file of left) opened.files.delete(file)
    yield* closeAll(left)
    yield* tidy(opened)
  })

  /** Writes anew what is distrusted, or leaves all that is open where others have done so and gone on. */
  const renew = Effect.fnUntraced(function*(chain: Chain, frozen: Frozen) {
    yield* adopt(chain, yield* snapshot(chain, frozen))
  }, Effect.catchIf((fault) => fault.gone === true, () => close))

  const inPlace: Store["inPlace"] = Effect.fnUntraced(function*({ journal }) {
    if (yield* journal.inPlace) return true
    // Others go on and remove it, but not before they have sealed it.
    yield* journal.readOn()
    return journal.seal === undefined ? yield* Effect.fail(Fault.gone(journal.segment.path)) : false
  })

  const self: Store = {
    current,
    land: ({ journal }, ...lines) =>
      Effect.tap(journal.land(...lines), ({ unsynced }) => unsynced === undefined ? Effect.void : distrust(journal)),
    settle: Effect.fnUntraced(function*(chain) {
      const { journal } = chain
      while (true) {
        const sync = journal.synced === journal.size ? Effect.void : journal.sync
        // It must not be closed while it is looked at.
        const [synced, found] = yield* Journal.beside(sync, inPlace(chain))
        if (synced._tag === "Failure") yield* distrust(journal)
        yield* synced
        if (yield* found) return
        if (journal.synced === journal.size) return
      }
    }),
    inPlace,
    roll,
    snapshot,
    adopt,
    get open() {
      return chain
    },
    close
  }
  return self
}

const journalsOf = ({ journal, sealed }: Chain): ReadonlyArray<Journal.Journal> => [...sealed, journal]

/** How many bytes the files of a chain take. */
export const sizeOf = (chain: Chain): number =>
  journalsOf(chain).reduce((size, journal) => size + journal.size, chain.base.size)

const closeAll = (segments: Iterable<Segment.Segment>): Effect.Effect<void> =>
  Effect.forEach(segments, (segment) => segment.close, { discard: true })

const maxTries = 10
