import { Effect } from "effect"
import { type Driver, MemoryDriver, type ScopedError, Storage } from "effect-scoped"
import { DriverError } from "effect-scoped/ScopedError"

type Batch = ReadonlyArray<Driver.Transaction>
type Answers = ReadonlyArray<Driver.Verdict | ScopedError.DriverError>
type Commit = (batch: Batch) => Effect.Effect<Answers, ScopedError.DriverError>

/** What becomes of one call of `commit`; `commit` really commits. */
export type Scene = (batch: Batch, commit: Commit) => Effect.Effect<Answers, ScopedError.DriverError>

/** A driver whose commits follow a script, one scene a call, and then succeed. It remembers all calls. */
export interface Scripted {
  readonly driver: Driver.Driver
  /** The store below, as other processes see it. */
  readonly store: Driver.Driver
  readonly script: Array<Scene>
  readonly commits: Array<Batch>
  readonly reads: Array<ReadonlyArray<string>>
}

export const make = Effect.fnUntraced(function*(overrides: Partial<Driver.Driver> = {}) {
  const store = yield* MemoryDriver.make()
  const scripted: Scripted = {
    store,
    script: [],
    commits: [],
    reads: [],
    driver: {
      ...store,
      name: "scripted",
      read: (names) =>
        Effect.suspend(() => {
          scripted.reads.push(names)
          return store.read(names)
        }),
      commit: (batch) =>
        Effect.suspend(() => {
          scripted.commits.push(batch)
          const scene = scripted.script.shift()
          // Who comes first is for the script to say.
          const unclaimed = batch.map((transaction) => transaction.map(({ claim: _, ...write }) => write))
          return scene === undefined ? store.commit(unclaimed) : scene(unclaimed, store.commit)
        }),
      ...overrides
    }
  }
  return scripted
})

/** A storage over a scripted driver, which does not wait between attempts. */
export const layer = (scripted: Scripted, options?: Storage.Options) =>
  Storage.layer(Effect.succeed(scripted.driver), options)

/** The connection breaks before the commit arrives. */
export const dropped: Scene = () => Effect.fail(broken(true))

/** The connection breaks after the commit was applied. */
export const lost: Scene = (batch, commit) => Effect.andThen(commit(batch), Effect.fail(broken(true)))

/** The store says that it failed, and that nothing is stored. */
export const failing: Scene = () => Effect.fail(broken(false))

/** The client library sends the commit twice, and sees the answer to the second sending only. */
export const resent: Scene = (batch, commit) => Effect.andThen(commit(batch), commit(batch))

/** Something else happens first. */
export const after =
  (first: Effect.Effect<unknown, unknown>, scene: Scene = (batch, commit) => commit(batch)): Scene => (batch, commit) =>
    Effect.andThen(Effect.orDie(first), scene(batch, commit))

export const broken = (inDoubt: boolean) =>
  new DriverError({
    driver: "scripted",
    operation: "commit",
    reason: "Unavailable",
    description: "the connection broke",
    inDoubt
  })
