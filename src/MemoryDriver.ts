/**
 * Scopes in the memory of this process: for tests, and for state that need not outlive the process.
 *
 * A commit is one synchronous step, so nothing comes between its checks and its writes. What is committed is gone when
 * the process ends, and no other process sees it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { type Driver, expired, type Record, type Transaction, type Verdict, type Write } from "./Driver.ts"
import { Machine } from "./internal/machine.ts"
import { Claims } from "./internal/memory/claims.ts"
import { Watchers } from "./internal/watchers.ts"
import * as Storage from "./Storage.ts"

/**
 * Options of the memory driver.
 *
 * - `limits.nameBytes`: the longest name in UTF-8 bytes. Default: 512.
 * - `limits.dataBytes`: the largest stored state in UTF-8 bytes of JSON. Default: 16 MiB.
 * - `limits.scopesPerTransaction`: the most scopes of one transaction. Default: 1,000.
 *
 * Set limits to those of the store used in production, and tests meet the same errors.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly limits?: {
    readonly nameBytes?: number | undefined
    readonly dataBytes?: number | undefined
    readonly scopesPerTransaction?: number | undefined
  } | undefined
}

interface Entry {
  record: Record
  /** Absent where the record stays, as nearly all do. */
  expiry: Expiry | undefined
}

interface Expiry {
  /** In milliseconds of the store's clock. */
  readonly at: number
  /** How long the tombstone stays that is left then; `Infinity` for ever. */
  readonly retention: number
}

/**
 * Makes an empty memory driver.
 *
 * **Details**
 *
 * The store reads the `Clock` that it was made with, so expiry follows the `TestClock` in a test. Give one driver to
 * several storages to have several writers over one store.
 *
 * **Example** (Two writers over one store)
 *
 * ```ts
 * import { Effect } from "effect"
 * import { MemoryDriver, Storage } from "effect-scoped"
 *
 * const program = Effect.gen(function*() {
 *   const driver = yield* MemoryDriver.make()
 *   const first = Storage.layer(Effect.succeed(driver))
 *   const second = Storage.layer(Effect.succeed(driver))
 * })
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: (options?: Options) => Effect.Effect<Driver> = Effect.fnUntraced(function*(options?: Options) {
  const clock = yield* Clock.Clock
  const entries = new Map<string, Entry>()
  const expiring = new Set<string>()
  const watchers = new Watchers()
  const claims = new Claims(clock, yield* Machine)

  const drop = (name: string): void => {
    entries.delete(name)
    expiring.delete(name)
  }

  const find = (name: string, now: number): Entry | undefined => {
    const entry = entries.get(name)
    if (entry === undefined || entry.expiry === undefined || entry.expiry.at > now) return entry
    if (entry.record.data !== null) {
      const { at, retention } = entry.expiry
      entry.record = { revision: expired(entry.record.revision), data: null }
      entry.expiry = { at: at + retention, retention }
      if (at + retention > now) return entry
    }
    drop(name)
    return undefined
  }

  const read = (name: string, now: number): Record | null => {
    const entry = find(name, now)
    if (entry === undefined) return null
    return entry.record.data === null || entry.expiry === undefined
      ? entry.record
      : { ...entry.record, expiresIn: Duration.millis(entry.expiry.at - now) }
  }

  // Each write looks at two of the records that expire, going round: what has expired is dropped within half as many
  // writes as there are such records, and no write ever pays for a sweep of them all.
  let round = expiring.values()
  const sweep = (now: number): void => {
    for (let looked = 0; looked < 2 && expiring.size > 0; looked++) {
      let step = round.next()
      if (step.done) {
        round = expiring.values()
        step = round.next()
      }
      if (!step.done) find(step.value, now)
    }
  }

  const store = (entry: Entry | undefined, write: Write, record: Record, now: number): void => {
    const { expiresIn, name, retention } = write
    const left = retention === undefined ? Infinity : Duration.toMillis(retention)
    const lasts = expiresIn !== undefined ? Duration.toMillis(expiresIn) : record.data === null ? left : Infinity
    const expiry = lasts === Infinity ? undefined : { at: now + lasts, retention: left }
    if (expiry !== undefined) expiring.add(name)
    else if (expiring.size > 0) expiring.delete(name)
    if (entry === undefined) entries.set(name, { record, expiry })
    else {
      entry.record = record
      entry.expiry = expiry
    }
    sweep(now)
    watchers.hint(name)
  }

  const decide = (transaction: Transaction, now: number): Verdict => {
    const verdict = apply(transaction, now)
    claims.note(transaction, verdict.committed)
    return verdict
  }

  const apply = (transaction: Transaction, now: number): Verdict => {
    let entry: Entry | undefined
    for (let i = 0; i < transaction.length; i++) {
      const { expected, name } = transaction[i]!
      entry = find(name, now)
      if ((entry === undefined ? null : entry.record.revision) !== expected) {
        return { committed: false, current: transaction.map((write) => read(write.name, now)) }
      }
    }
    for (let i = 0; i < transaction.length; i++) {
      const write = transaction[i]!
      if (write.next !== undefined) {
        store(transaction.length === 1 ? entry : entries.get(write.name), write, write.next, now)
      }
    }
    return committed
  }

  const decideAll = (batch: ReadonlyArray<Transaction>): ReadonlyArray<Verdict> => {
    const now = clock.currentTimeMillisUnsafe()
    return batch.map((transaction) => decide(transaction, now))
  }

  return {
    name: "memory",
    limits: {
      nameBytes: options?.limits?.nameBytes ?? 512,
      dataBytes: options?.limits?.dataBytes ?? 16 * 1024 * 1024,
      scopesPerTransaction: options?.limits?.scopesPerTransaction ?? 1000
    },
    // One that waits for somebody's turn does not hold up the others.
    parallelism: 8,
    read: (names) =>
      Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        return names.map((name) => read(name, now))
      }),
    commit: (batch) =>
      Effect.suspend(() =>
        claims.none ? Effect.succeed(decideAll(batch)) : Effect.forEach(
          batch,
          (transaction) =>
            Effect.map(claims.turn(transaction), () => decide(transaction, clock.currentTimeMillisUnsafe())),
          // One that waits must not keep back another of its batch, for which somebody else may wait in turn.
          { concurrency: "unbounded" }
        )
      ),
    changes: (names) => watchers.watch(names),
    names: (prefix) =>
      Stream.suspend(() => {
        const now = clock.currentTimeMillisUnsafe()
        const found: Array<string> = []
        for (const name of entries.keys()) {
          if (name.startsWith(prefix) && find(name, now)?.record.data != null) found.push(name)
        }
        return Stream.fromIterable(found)
      })
  }
})

const committed: Verdict = { committed: true }

/**
 * A storage in memory. Every layer is a store of its own, empty at first.
 *
 * **Example** (A counter in memory)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
 * const visit = Scoped.update(Visits, (n) => [n + 1, n + 1])
 *
 * Effect.runPromise(visit.pipe(Effect.provide(MemoryDriver.layer()))) // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options?: Options, storage?: Storage.Options): Layer.Layer<Storage.Storage> =>
  Storage.layer(make(options), storage)
