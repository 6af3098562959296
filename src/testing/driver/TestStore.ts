/**
 * What the rules are checked on: two drivers open over one store, and the few words that the tests are written in.
 */
import { assert, type Vitest } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Driver, expired, type Record, type Transaction, type Verdict, type Write } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"

export class TestStore extends Context.Service<TestStore, {
  /** Opens the store once more, as another process would. */
  readonly open: Effect.Effect<Driver, never, Scope.Scope>
  readonly a: Driver
  readonly b: Driver
  /** How long after a change it is hinted at, at the latest. */
  readonly hintsWithin: Duration.Duration
  /** Prepares another store, which nobody has opened yet. */
  readonly prepare: Effect.Effect<Effect.Effect<Driver, unknown, Scope.Scope>, never, Scope.Scope>
}>()("effect-scoped/testing/TestStore") {}

/** A group of rules. */
export type Rules = (it: Vitest.MethodsNonLive<TestStore>) => void

export const committed: Verdict = { committed: true }

export const refused = (...current: ReadonlyArray<Record | null>): Verdict => ({ committed: false, current })

/** The tombstone that a record leaves when it expires. */
export const tombstoneOf = (record: Record): Record => ({ revision: expired(record.revision), data: null })

// How long data has left is looked at by the tests of expiry alone.
const lasting = (record: Record | null): Record | null =>
  record === null ? null : { revision: record.revision, data: record.data }

// A store may outlive the run of the tests, so names and revisions differ between runs.
const run = crypto.randomUUID().slice(0, 8)
let names = 0
let revisions = 0

/** A name that no other test uses. */
export const fresh = (label = "scope"): string => `${run}/${++names}/${label}`

/** A record with a revision that was never used. */
export const record = (data: string | null = "{}"): Record => ({ revision: `${run}:${++revisions}`, data })

/** How long the tombstones of these tests stay, unless said otherwise. */
export const retention = Duration.minutes(10)

export const write = (
  name: string,
  expected: Record | null,
  next: Record,
  options: { readonly expiresIn?: Duration.Duration; readonly retention?: Duration.Duration } = {}
): Write => ({
  name,
  expected: expected?.revision ?? null,
  next,
  expiresIn: options.expiresIn,
  retention: next.data === null || options.expiresIn !== undefined ? options.retention ?? retention : undefined
})

export const check = (name: string, expected: Record | null): Write => ({
  name,
  expected: expected?.revision ?? null,
  next: undefined
})

/** The verdicts of a batch, none of which may be an error. */
export const commitAll = Effect.fnUntraced(function*(driver: Driver, batch: ReadonlyArray<Transaction>) {
  const verdicts: Array<Verdict> = []
  for (const verdict of yield* driver.commit(batch)) {
    if (verdict instanceof DriverError) return yield* verdict
    verdicts.push(verdict.committed ? verdict : refused(...verdict.current.map(lasting)))
  }
  assert.strictEqual(verdicts.length, batch.length, "a verdict for each transaction")
  return verdicts
})

/** The verdict of one transaction. */
export const commit = Effect.fnUntraced(function*(driver: Driver, ...transaction: Transaction) {
  const [verdict] = yield* commitAll(driver, [transaction])
  assert.isDefined(verdict)
  return verdict
})

/** Stores a record where there is none. */
export const create = Effect.fnUntraced(function*(driver: Driver, name: string, data?: string | null) {
  const next = record(data)
  assert.deepStrictEqual(yield* commit(driver, write(name, null, next)), committed)
  return next
})

/** The records of some names, without how long they have left. */
export const readAll = (driver: Driver, names: ReadonlyArray<string>) =>
  Effect.map(driver.read(names), (records) => {
    assert.strictEqual(records.length, names.length)
    return records.map(lasting)
  })

export const read = (driver: Driver, name: string) => Effect.map(readAll(driver, [name]), ([record]) => record ?? null)

/** Fails the test, instead of hanging, when an effect takes longer than anything here should. */
export const soon = <A, E, R>(
  what: string,
  effect: Effect.Effect<A, E, R>,
  within: Duration.Input = "10 seconds"
): Effect.Effect<A, E, R> =>
  Effect.timeoutOrElse(effect, {
    duration: within,
    orElse: () => Effect.die(new Error(`${what}: not within ${Duration.format(Duration.fromInputUnsafe(within))}`))
  })
