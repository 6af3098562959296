import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, FileSystem, type Path, type Scope } from "effect"
import type { Driver, Record, Transaction, Verdict, Write } from "../../src/Driver.ts"
import * as FileDriver from "../../src/FileDriver.ts"
import { DriverError } from "../../src/ScopedError.ts"
import { type Faults, faulty } from "./faults.ts"

let revisions = 0

/** A record with a revision that was never used. */
export const record = (data: string | null = "{}"): Record => ({ revision: `r:${++revisions}`, data })

export const write = (name: string, expected: Record | null, next: Record | undefined): Write => ({
  name,
  expected: expected?.revision ?? null,
  next
})

/** A fresh directory, removed at the end of the test. */
export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope | FileSystem.FileSystem> = FileSystem
  .FileSystem.use((fs) => fs.makeTempDirectoryScoped({ prefix: "effect-scoped-" })).pipe(Effect.orDie)

/** Opens a directory, as another process would, through a file system that may fail. */
export const open = (
  options: FileDriver.Options,
  faults: Faults = {}
): Effect.Effect<Driver, DriverError, Scope.Scope | FileSystem.FileSystem | Path.Path> =>
  Effect.updateService(FileDriver.make(options), FileSystem.FileSystem, (fs) => faulty(fs, faults))

/** The verdict of one transaction, which may not be an error. */
export const commit = Effect.fnUntraced(function*(driver: Driver, ...transaction: Transaction) {
  const [verdict] = yield* driver.commit([transaction])
  if (verdict instanceof DriverError) return yield* verdict
  return verdict!
})

export const committed: Verdict = { committed: true }

/** Stores a record over another one. */
export const put = Effect.fnUntraced(function*(driver: Driver, name: string, from: Record | null, data?: string) {
  const next = record(data)
  assert.deepStrictEqual(yield* commit(driver, write(name, from, next)), committed)
  return next
})

export const get = (driver: Driver, name: string) => Effect.map(driver.read([name]), (records) => records[0]!)

/** Everything the tests need of the system; with a real clock. */
export const services = NodeServices.layer
