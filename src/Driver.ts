/**
 * The contract between the engine and a backend. Write a driver by implementing {@link Driver} and run the shared test
 * suite over it; hand it to `Storage.layer` to use it.
 *
 * Rules that every driver keeps:
 *
 * - `commit` is linearizable per transaction, and durable as the driver's documentation promises, before it answers.
 * - The transactions of a batch are independent, but two of one batch may name the same scope; each gets a verdict
 *   that is true.
 * - A refusal carries the records as they stand, or stood at one moment after the call began: a retry needs no read,
 *   and reads of several scopes are such refusals. A transaction that only checks waits for no lock and writes nothing.
 * - No command that can fail stands between the first and the last write of a transaction, whatever the rights, limits
 *   and version of the server: a failing call may have applied any part of its batch as whole transactions, never a
 *   part of a transaction.
 * - Every call ends within its timeout, also when the backend is gone. After its end nothing of it is sent any more:
 *   what is on its way may still arrive, what waits in a client's queue may not leave.
 * - What was once in doubt stays so until a verdict.
 * - **Revisions outlive the data.** Data that expires leaves a tombstone by itself, on the store's clock, whose revision
 *   is `expired(revision)`. It stays for `retention`, as that of a removal does. So for at least `retention` after a
 *   commit its revision, or one made from it, is there to be found.
 * - Names are compared byte for byte, data is stored as the exact bytes given.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { DriverError } from "./ScopedError.ts"

/**
 * What a backend keeps for a scope.
 *
 * - `revision`: an opaque token, compared for equality; it never repeats.
 * - `data`: JSON text, or `null` for a tombstone: a scope that was removed or has expired, and whose revision is
 *   remembered for a while.
 * - `expiresIn`: how long the data had left on the store's clock when it was read. Only in what a driver answers, and
 *   there only for data that expires.
 *
 * @category models
 * @since 0.1.0
 */
export interface Record {
  readonly revision: string
  readonly data: string | null
  readonly expiresIn?: Duration.Duration | undefined
}

/**
 * The revision of the tombstone that a record leaves when it expires.
 *
 * It differs from the record's own: a commit that was made on the data must not be accepted once the data is gone.
 *
 * @category utils
 * @since 0.1.0
 */
export const expired = (revision: string): string => `${revision} expired`

/**
 * One scope's part of a transaction.
 *
 * - `expected`: the revision that must be current; `null` when there may be no record, not even a tombstone.
 * - `next`: the record to store; `undefined` only checks `expected`.
 * - `expiresIn`: this long after the commit, on the store's clock, the data turns into a tombstone whose revision is
 *   {@link expired}. Absent for data that stays, and for a tombstone.
 * - `retention`: how long a tombstone stays, counted from when it became one; after that there is no record. Present
 *   where `next` is a tombstone or expires.
 * - `claim`: the writer that asks, where others come before it again and again. A driver may let it go before the others
 *   for a moment, see `turn` of {@link Driver}. That is advice: it must not change any verdict, and nobody may wait
 *   longer than some milliseconds for a writer that does not come.
 *
 * @category models
 * @since 0.1.0
 */
export interface Write {
  readonly name: string
  readonly expected: string | null
  readonly next: Record | undefined
  readonly expiresIn?: Duration.Duration | undefined
  readonly retention?: Duration.Duration | undefined
  readonly claim?: string | undefined
}

/**
 * Writes and checks over distinct names that are applied together or not at all.
 *
 * @category models
 * @since 0.1.0
 */
export type Transaction = ReadonlyArray<Write>

/**
 * What became of a transaction. A refused one changed nothing; `current` holds the record of each of its writes, in
 * their order, `null` where there is none. `shortfall` is what keeps these records from being as durable as was asked
 * for: the transaction may be among what they follow from, where it was sent before.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly committed: true }
  | {
    readonly committed: false
    readonly current: ReadonlyArray<Record | null>
    readonly shortfall?: DriverError | undefined
  }

/**
 * A backend.
 *
 * - `limits`: the longest name and the largest data in UTF-8 bytes, and the most scopes of one transaction.
 * - `parallelism`: how many batches the engine keeps in flight. While that many are, the next batch grows.
 * - `batchSize`: how many transactions a batch holds at the most, unless the storage is told otherwise. Default: 256.
 * - `lane`: which part of the backend a name belongs to, where these can be slow one by one, such as the nodes of a
 *   cluster. Batches hold names of one lane only, and each lane has `parallelism` of its own. It may change its mind
 *   about a name. Default: all in one.
 * - `read`: the current records in the order of `names`, `null` for none. An error that is about one of several names
 *   says so in its `scope`: the others are read without it then.
 * - `commit`: a verdict for each transaction of the batch, in order. A transaction that failed on its own while others
 *   got their verdicts has the `DriverError` in its place.
 * - `turn`: waits until this process has the turn at scopes that several want at once: at those of the names that have
 *   turns. The engine asks before it runs the handlers of a commit to these names. It answers with the current records in
 *   the order of `names`, read since then, or with `undefined` where the engine is to read what others wrote meanwhile.
 *   `undefined` instead of an effect: there is nothing to wait for. Never fails, and ends in time. Default: no turns.
 * - `changes`: hints that a name may have changed ("look again"): at least one after the last change, also across
 *   reconnects. Once the subscription stands, and when it stands again after it was lost, every name is hinted at, so
 *   that nothing falls between a look and the subscription. An expiry need not be hinted at: `expiresIn` of what was
 *   read tells when to look.
 * - `names`: every name that starts with the prefix and has data, once each.
 *
 * A `DriverError` of `commit` says in `inDoubt` whether the transaction may have been applied.
 *
 * @category models
 * @since 0.1.0
 */
export interface Driver {
  readonly name: string
  readonly limits: {
    readonly nameBytes: number
    readonly dataBytes: number
    readonly scopesPerTransaction: number
  }
  readonly parallelism: number
  readonly batchSize?: number | undefined
  readonly lane?: ((name: string) => string) | undefined
  readonly read: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null>, DriverError>
  readonly commit: (
    batch: ReadonlyArray<Transaction>
  ) => Effect.Effect<ReadonlyArray<Verdict | DriverError>, DriverError>
  readonly turn?:
    | ((names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null> | undefined> | undefined)
    | undefined
  readonly changes: (names: ReadonlyArray<string>) => Stream.Stream<string, DriverError>
  readonly names: (prefix: string) => Stream.Stream<string, DriverError>
}
