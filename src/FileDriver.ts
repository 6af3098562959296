/**
 * Scopes in files: for one machine and any number of processes, without a server and without lock files.
 *
 * **Details**
 *
 * A directory holds an append-only journal, `journal-<n>-<id>.jsonl`, of one JSON line per transaction. The order of the
 * lines decides: a commit appends its lines with one write, syncs the file, sees meanwhile what became of them, and only
 * then answers. What was acknowledged survives a crash of the process, of all processes and of the machine, as
 * far as the disk keeps what it says it has synced. Nothing that another process wrote is reported before it is synced,
 * and nothing is acknowledged into a file that was removed or replaced.
 *
 * When most of it is garbage, a new journal takes its place at once, and beside the work a snapshot of what is current,
 * `snapshot-<n>-<id>.jsonl`, that of all older files. Commits and reads go on meanwhile. Where that fails, as on a full
 * disk, or its process is killed, all stays as it was, and it is tried again when there is that much more garbage.
 * `snapshot-0.jsonl` is the first file of a directory and stays for ever.
 *
 * A process that is killed at any point leaves nothing to clean up, and nobody waits for it. Stored data that is damaged
 * is reported with the file and the byte where it is, and nothing is written over it.
 *
 * In memory are the names, the revisions and the places of the states: about 250 bytes per scope. The states are read
 * from the files when they are asked for, and checked. Opening a directory reads the journals whole, and the snapshot
 * but for large states: six seconds for a journal of 1.2 GB with a million scopes on two cores.
 *
 * Time is that of the store: it goes on by as much as the processes that have it open see pass on their monotonic
 * clocks, and for the time in which none has, by the clock of the file system. It never goes back, so what has expired
 * stays so, and a process whose clock is wrong does no harm. Processes agree on it to within a few milliseconds; commits
 * are judged by the times that stand in the journal, the same for all.
 *
 * Processes that are busy on the same scope take turns: who was refused again and again leaves a claim in the journal,
 * and from then on each commits a few times in a row while the others wait.
 *
 * **Gotchas**
 *
 * - Use it on local file systems only. It relies on appends that do not overlap, and on every process seeing at once
 *   what others wrote: NFS, SMB and most file systems that synchronize folders or share them with a virtual machine
 *   promise neither, and this cannot be detected. They also must have hard links, which FAT has not.
 * - Nothing else may change the files while a process uses them.
 * - The files are for their owner only, and so is a directory that is made for them. Processes of different users cannot
 *   share one.
 * - Time in which the machine sleeps, or by which its clocks are set forward, does not count while a process has the
 *   store open, once that process has committed after it.
 * - Damage to what was written last, with nothing written after it, looks like what a power loss leaves behind: it is left
 *   out and not reported.
 * - A process that neither reads nor writes keeps files open that others have removed, and their space with them.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as FiberSet from "effect/FiberSet"
import * as FileSystem from "effect/FileSystem"
import type * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import * as RcRef from "effect/RcRef"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Driver } from "./Driver.ts"
import * as Answer from "./internal/file/answer.ts"
import { Claims } from "./internal/file/claims.ts"
import * as Commit from "./internal/file/commit.ts"
import * as Compaction from "./internal/file/compaction.ts"
import * as Directory from "./internal/file/directory.ts"
import * as Fault from "./internal/file/fault.ts"
import * as GiveWay from "./internal/file/giveWay.ts"
import * as Poll from "./internal/file/poll.ts"
import * as Store from "./internal/file/store.ts"
import * as Time from "./internal/file/time.ts"
import * as Turns from "./internal/file/turns.ts"
import { Watchers } from "./internal/watchers.ts"
import type { DriverError } from "./ScopedError.ts"
import * as Storage from "./Storage.ts"

/**
 * Options of the file driver.
 *
 * - `directory`: where the files are, absolute or relative to the working directory; created where it does not exist.
 *   Nothing else should be in it.
 * - `compactAt`: how many bytes of garbage the files may hold before they are written anew, and at least as many as
 *   there are bytes of current records. Default: 8 MiB.
 * - `pollInterval`: how often `changes` looks for the commits of other processes where the system does not tell of
 *   them, in milliseconds when it is a number. Default: 100 milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly directory: string
  readonly compactAt?: number | undefined
  readonly pollInterval?: Duration.Input | undefined
}

/**
 * Opens a directory.
 *
 * **Details**
 *
 * Fails with a `DriverError` where the directory cannot be created, read or written (`Forbidden`, `Unavailable`,
 * `Full`), and where it holds files that are damaged, incomplete or were written by something else (`Corrupt`). A state
 * that is damaged fails those who ask for it; other damage ends the driver.
 *
 * When the scope closes, an operation that runs is waited for, and those that come later fail with `Closed`. So are files
 * that are being written anew, for 5 seconds at the most.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (
  options: Options
) => Effect.Effect<Driver, DriverError, FileSystem.FileSystem | Path.Path | Scope.Scope> = Effect.fnUntraced(
  function*(options: Options) {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const clock = yield* Clock.Clock
    const instance = yield* randomId
    const directory = Directory.make({ fs, paths, directory: paths.resolve(options.directory), unique: instance })
    const turns = Turns.make()
    const watchers = new Watchers()

    // An error that does not pass ends the driver.
    let ended: Fault.Fault | undefined

    /** Runs an operation while no other does, and then, beside others, what it gives. `late`: also once it is closed. */
    const inTurn = <A>(
      operation: (isAwaited: () => boolean) => Effect.Effect<Effect.Effect<A, Fault.Fault>, Fault.Fault>,
      late = false
    ) =>
      turns.take((isAwaited) =>
        (ended === undefined || late && ended === Fault.closed
          ? operation(isAwaited)
          : Effect.fail({ ...ended, inDoubt: false })).pipe(
            Effect.tapError((fault) =>
              Effect.sync(() => {
                if (fault.reason === "Corrupt") ended ??= fault
              })
            )
          )
      )
    const turn = <A>(operation: Effect.Effect<A, Fault.Fault>) => inTurn(() => Effect.map(operation, Effect.succeed))

    const named = (operation: DriverError["operation"]) =>
      Effect.mapError((fault: Fault.Fault) => Fault.toDriverError(fault, operation))
    yield* named("open")(turn(directory.create))
    const time = Time.make(clock, yield* directory.time)
    const claims = new Claims(instance, GiveWay.now)
    const store = Store.make({
      fs,
      directory,
      time,
      claims,
      touch: (name) => watchers.hint(name),
      moved: () => watchers.hintAll(),
      taken: (chain, snapshot) => compaction.follow(chain, snapshot)
    })
    yield* Effect.addFinalizer(() => turns.take(() => Effect.succeed(store.close)))
    const background = yield* FiberSet.makeRuntime<never>()
    const compaction: Compaction.Compaction = Compaction.make({
      store,
      compactAt: options.compactAt ?? 8 * 1024 * 1024,
      turn: (operation) => inTurn(() => Effect.map(operation, Effect.succeed), true),
      background
    })
    yield* Effect.addFinalizer(() => compaction.settle)

    /** The records that were committed before now, all of them on disk. */
    const settled = Effect.tap(store.current(true), store.settle)
    const giveWay = GiveWay.make({ store, claims, turn, background })
    const commit = Commit.make({ store, time, claims, instance })
    const polling = yield* RcRef.make({
      acquire: Effect.forkScoped(Poll.make({
        fs,
        time,
        store,
        watchers,
        directory: directory.root,
        interval: Duration.fromInputUnsafe(options.pollInterval ?? 100),
        turn: (look) => named("changes")(turn(look))
      }))
    })

    // The first to run: who waits for something is told before it is waited for what runs.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        ended ??= Fault.closed
        watchers.fail(Fault.toDriverError(ended, "changes"))
      })
    )

    yield* named("open")(turn(settled))

    return {
      name: "file",
      limits: { nameBytes: 512, dataBytes: 16 * 1024 * 1024, scopesPerTransaction: 1000 },
      parallelism: 1,
      // All of a batch costs one write and one sync.
      batchSize: 1024,
      read: (names) =>
        named("read")(inTurn(() =>
          Effect.map(settled, ({ records }) => {
            const now = time.now()
            return Effect.flatMap(Answer.take(names.map((name) => records.view(name, now)), now), (answers) => {
              const records = Answer.all(answers)
              return "reason" in records ? Effect.fail(records) : Effect.succeed(records)
            })
          })
        )),
      commit: (batch) => {
        const committing = inTurn((isAwaited) =>
          Effect.map(commit(batch, isAwaited), (answers) => {
            compaction.look()
            return answers
          })
        )
        return named("commit")(giveWay.around(batch, committing))
      },
      changes: (names) =>
        Stream.suspend(() =>
          ended === undefined
            ? Stream.unwrap(Effect.as(RcRef.get(polling), watchers.watch(names)))
            : Stream.fail(Fault.toDriverError(ended, "changes"))
        ),
      names: (prefix) =>
        named("names")(turn(settled)).pipe(
          Effect.map(({ records }) =>
            // What is written from now on is seen or not, but a name never comes twice.
            Stream.fromIterable([...records.entries.keys()], { chunkSize: 1024 }).pipe(
              Stream.filter((name) => name.startsWith(prefix) && (records.view(name, time.now())?.size ?? 0) > 0)
            )
          ),
          Stream.unwrap
        )
    }
  }
)

// Not from `Random`, which a program may seed: two processes with the same id would take each other's lines for theirs.
const randomId = SecureRandom.SecureRandom.use((random) => Effect.map(random.randomBytes(9), Base64Url.encode)).pipe(
  Effect.provide(SecureRandom.layerWebCrypto)
)

/**
 * A storage in the files of a directory.
 *
 * **Example** (A counter that survives restarts)
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Effect, Schema } from "effect"
 * import { FileDriver, Scoped } from "effect-scoped"
 *
 * const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
 * const visit = Scoped.update(Visits, (n) => [n + 1, n + 1])
 *
 * visit.pipe(
 *   Effect.provide(FileDriver.layer({ directory: "data" })),
 *   Effect.provide(NodeServices.layer),
 *   Effect.runPromise
 * )
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, DriverError, FileSystem.FileSystem | Path.Path> => Storage.layer(make(options), storage)

/**
 * Like {@link layer}, with options from configuration.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Config.Wrap<Options>,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, Config.ConfigError | DriverError, FileSystem.FileSystem | Path.Path> =>
  Storage.layer(Effect.flatMap(Config.unwrap(options), make), storage)
