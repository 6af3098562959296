/**
 * The rules of the driver contract as tests, for authors of drivers. The drivers of this library are run through the
 * same suite. Needs `vitest` and `@effect/vitest`.
 *
 * **Write a driver**
 *
 * 1. Choose what keeps a scope: a row, a hash, a document, with its revision, its data, when it expires, and until when
 *    its tombstone stays.
 * 2. Make `commit` one atomic step of the backend: compare the revisions of all writes of a transaction, then write
 *    all of them, or answer with the records as they are. A script, a stored procedure or a transaction with locks
 *    does; a read followed by a write does not.
 * 3. Say of each failure whether the transaction may have been applied (`inDoubt`). In doubt about that, say so: the
 *    engine sends it again, and finds its mark.
 * 4. Let what expires turn into a tombstone by itself, on the backend's clock: `expired(revision)`, for `retention`.
 * 5. Hint at changes with what the backend has: subscriptions or polls. A hint too many is no fault.
 * 6. Run this suite.
 *
 * A whole driver, over the SQLite that comes with Node, is `examples/sqlite.ts` in the repository. This is its test:
 *
 * ```typescript
 * import { Effect, FileSystem } from "effect"
 * import { NodeFileSystem } from "@effect/platform-node"
 * import { suite } from "effect-scoped/testing/DriverSuite"
 * import * as SqliteDriver from "./sqlite.ts"
 *
 * suite("sqlite", {
 *   store: Effect.gen(function*() {
 *     const directory = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
 *     return SqliteDriver.make({ file: `${directory}/scopes.db` })
 *   }).pipe(Effect.provide(NodeFileSystem.layer))
 * })
 * ```
 *
 * @since 0.1.0
 */
import { it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { Driver } from "../Driver.ts"
import { batches } from "./driver/batches.ts"
import { changes } from "./driver/changes.ts"
import { data } from "./driver/data.ts"
import { durability } from "./driver/durability.ts"
import { expiry } from "./driver/expiry.ts"
import { lifecycle, sharing } from "./driver/lifecycle.ts"
import { listing } from "./driver/listing.ts"
import { model } from "./driver/model.ts"
import { names } from "./driver/names.ts"
import { races } from "./driver/races.ts"
import { TestStore } from "./driver/TestStore.ts"
import { tombstones } from "./driver/tombstones.ts"
import { transactions } from "./driver/transactions.ts"

/**
 * What a driver says about itself.
 *
 * - `store`: prepares a fresh, empty store, and gives back how to open it: an effect that the suite runs several times,
 *   as several processes would. What it opens it closes.
 * - `durable`: whether what is committed is there when the store is opened again after all had closed it. Default:
 *   `true`.
 * - `shared`: whether several drivers can be open over one store and see each other's commits. Otherwise the store is
 *   opened once. Default: `true`.
 * - `hintsWithin`: how long after a change its hint comes, at the latest: what a driver that polls takes between two
 *   polls, and some. Default: 10 seconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<E = never, E2 = never> {
  readonly store: Effect.Effect<Effect.Effect<Driver, E2, Scope.Scope>, E, Scope.Scope>
  readonly durable?: boolean | undefined
  readonly shared?: boolean | undefined
  readonly hintsWithin?: Duration.Input | undefined
}

/**
 * Declares the tests of a driver.
 *
 * They run in real time, and take some ten seconds, in which they wait for records to expire.
 *
 * @category tests
 * @since 0.1.0
 */
export const suite = <E, E2>(name: string, options: Options<E, E2>): void => {
  const shared = options.shared ?? true
  const durable = options.durable ?? true
  const layer = Layer.effect(
    TestStore,
    Effect.gen(function*() {
      const open = Effect.orDie(yield* options.store)
      const a = yield* open
      const b = shared ? yield* open : a
      const hintsWithin = Duration.fromInputUnsafe(options.hintsWithin ?? "10 seconds")
      return { open, a, b, hintsWithin, prepare: Effect.orDie(options.store) }
    })
  )
  // Drivers talk to real servers and disks: real time, not the clock of the tests.
  it.layer(layer, { excludeTestServices: true, timeout: "30 seconds" })(`driver: ${name}`, (it) => {
    for (
      const rules of [
        transactions,
        batches,
        tombstones,
        expiry,
        names,
        data,
        listing,
        changes,
        model,
        races,
        lifecycle,
        ...(shared ? [sharing] : []),
        ...(durable ? [durability] : [])
      ]
    ) {
      rules(it)
    }
  })
}
