/**
 * A machine that can crash: at a given call to its file system everything stops, and what was not synced is lost.
 */
import { Context, Deferred, Effect, FileSystem, Layer, Option, Path } from "effect"
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { type Faults, faulty } from "./faults.ts"

interface Inode {
  /** A name that keeps the content after the file was removed. */
  readonly kept: string
  synced: number
}

export interface Machine {
  readonly directory: string
  readonly layer: Layer.Layer<FileSystem.FileSystem | Path.Path>
  readonly steps: () => number
  readonly crashed: Effect.Effect<void>
  /** The directory as it may be found after the crash of all processes. */
  readonly afterKill: () => string
  /** The directory as it may be found after a loss of power. */
  readonly afterPowerLoss: (random: (bound: number) => number) => string
}

/**
 * Crashes in the middle of the given step; steps are the calls that change something.
 */
export const machine = Effect.fnUntraced(function*(root: string, crashAt = Infinity) {
  const base = mkdtempSync(join(root, "machine-"))
  const directory = join(base, "data")
  const grave = join(base, "kept")
  mkdirSync(grave)
  mkdirSync(directory)
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const crash = yield* Deferred.make<void>()
  let steps = 0
  const names = new Map<string, Inode>()
  let durable = new Map<string, Inode>()
  let changes = 0
  let durableAt = 0
  const inodes = new Map<string, Inode>()
  const inodeOf = ({ ino }: FileSystem.File.Info, path: string): Inode => {
    const key = String(Option.getOrThrow(ino))
    const known = inodes.get(key)
    if (known !== undefined) return known
    const inode = { kept: join(grave, key), synced: 0 }
    linkSync(path, inode.kept)
    inodes.set(key, inode)
    changes++
    return inode
  }

  // What the system has been told to do it does, whoever dies meanwhile.
  let underWay = 0
  const counted = <A, E, R>(proceed: Effect.Effect<A, E, R>) => {
    underWay++
    return Effect.ensuring(proceed, Effect.sync(() => underWay--))
  }
  const still: Effect.Effect<void> = Effect.suspend(() =>
    underWay === 0 ? Effect.void : Effect.andThen(Effect.sleep(1), still)
  )

  /** What only looks comes to nothing as well after the crash. */
  const look = <A, E, R>(proceed: Effect.Effect<A, E, R>) =>
    Effect.flatMap(
      Effect.suspend((): Effect.Effect<A, E, R> => steps >= crashAt ? Effect.never : counted(proceed)),
      (done) => steps >= crashAt ? Effect.never : Effect.succeed(done)
    )
  /** Counts a step; in the crash only `half` of it is done. */
  const step = <A, E>(proceed: Effect.Effect<A, E>, half: Effect.Effect<unknown, E> = Effect.void) =>
    Effect.suspend((): Effect.Effect<A, E> =>
      ++steps === crashAt
        ? Effect.andThen(half, Effect.andThen(Deferred.succeed(crash, undefined), Effect.never))
        : look(proceed)
    )

  const faults: Faults = {
    open: (path, proceed) =>
      look(Effect.tap(proceed, (file) =>
        Effect.map(file.stat, (info) => {
          if (info.type === "File") names.set(basename(path), inodeOf(info, path))
        }))),
    read: (_, proceed) => look(proceed),
    list: (_, proceed) => look(proceed),
    write: (_, proceed, bytes) => step(proceed(bytes), proceed(bytes.subarray(0, bytes.length >> 1))),
    sync: (path, proceed, file) =>
      Effect.flatMap(file.stat, (info) => {
        if (info.type === "Directory") {
          // Of two syncs at once the one that began later may end earlier.
          const [listed, at] = [new Map(names), changes]
          return step(Effect.map(proceed, () => {
            if (at >= durableAt) [durable, durableAt] = [listed, at]
          }))
        }
        const inode = inodeOf(info, path)
        return step(Effect.map(proceed, () => {
          inode.synced = Math.max(inode.synced, Number(info.size))
        }))
      }),
    link: (path, proceed, from) => {
      const inode = names.get(basename(from))!
      return step(Effect.map(proceed, () => {
        names.set(basename(path), inode)
        changes++
      }))
    },
    rename: (path, proceed, from) => {
      const inode = names.get(basename(from))!
      return step(Effect.map(proceed, () => {
        names.delete(basename(from))
        names.set(basename(path), inode)
        changes++
      }))
    },
    remove: (path, proceed) =>
      step(Effect.map(proceed, () => {
        names.delete(basename(path))
        changes++
      }))
  }

  const fresh = (): string => mkdtempSync(join(base, "after-"))

  const self: Machine = {
    directory,
    layer: Layer.succeedContext(
      Context.make(FileSystem.FileSystem, faulty(fs, faults)).pipe(Context.add(Path.Path, path))
    ),
    steps: () => steps,
    crashed: Effect.andThen(Deferred.await(crash), still),
    afterKill: () => {
      const to = fresh()
      for (const name of readdirSync(directory)) copyFileSync(join(directory, name), join(to, name))
      return to
    },
    afterPowerLoss: (random) => {
      const to = fresh()
      for (const name of new Set([...names.keys(), ...durable.keys()])) {
        // Of the names that were not synced any may have come to the disk.
        const inode = random(2) === 0 ? names.get(name) : durable.get(name)
        if (inode === undefined) continue
        const bytes = readFileSync(inode.kept)
        const end = random(2) === 0 ? bytes.length : inode.synced + random(bytes.length - inode.synced + 1)
        const block = 1 + random(200)
        for (let at = inode.synced; at < end; at += block) {
          // And of the bytes any block, in any order.
          if (random(2) === 0) bytes.fill(random(3) === 0 ? random(256) : 0, at, Math.min(at + block, end))
        }
        writeFileSync(join(to, name), bytes.subarray(0, end))
      }
      return to
    }
  }
  return self
})
