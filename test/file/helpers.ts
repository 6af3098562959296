import { NodeServices } from "@effect/platform-node"
import { assert } from "@effect/vitest"
import { Effect, FileSystem, type Path, type Scope } from "effect"
import { readdirSync } from "node:fs"
import { join } from "node:path"
import type { Driver, Record, Transaction, Verdict, Write } from "../../src/Driver.ts"
import * as FileDriver from "../../src/FileDriver.ts"
import { crc32 } from "../../src/internal/file/crc32.ts"
import * as Line from "../../src/internal/file/line.ts"
import { DriverError } from "../../src/ScopedError.ts"
import { type Faults, faulty } from "./faults.ts"

let revisions = 0

/** A record with a revision that was never used. */
export const record = (data: string | null = "{}"): Record => ({ revision: `r:${++revisions}`, data })

export const write = (
  name: string,
  expected: Record | null,
  next: Record | undefined,
  lasts: Pick<Write, "expiresIn" | "retention"> = {}
): Write => ({ name, expected: expected?.revision ?? null, next, ...lasts })

/** The files of a store: `journal-1`, `snapshot-0` and so on, without what makes each name unique. */
export const files = (directory: string): ReadonlyArray<string> =>
  readdirSync(directory).map((name) => name.replace(/^(\w+-\d+)-[\w-]+(\.\w+)$/, "$1$2")).sort()

/** The path of the only journal of a number. */
export const journalOf = (directory: string, number = 1): string => {
  const names = readdirSync(directory).filter((name) => name.startsWith(`journal-${number}-`))
  assert.strictEqual(names.length, 1)
  return join(directory, names[0]!)
}

/** The number of the latest snapshot. */
export const latest = (directory: string): number =>
  Math.max(
    ...readdirSync(directory).flatMap((name) => {
      const match = /^snapshot-(\d+).*\.jsonl$/.exec(name)
      return match === null ? [] : [Number(match[1])]
    })
  )

/** The line of a transaction as another process would write it. */
export const line = (id: string, name: string, expected: Record | null, next: Record, synced = 0): Uint8Array => {
  const state = Line.encodeState(next.data!)
  return Line.encode({
    id,
    at: 0,
    synced,
    tx: [[name, expected?.revision ?? null, next.revision, state.length, crc32(state)]]
  }, [state])
}

/** Waits for what comes about by itself. */
export const until = <E, R>(what: string, condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  Effect.gen(function*() {
    for (let i = 0; i < 4000; i++) {
      if (yield* condition) return
      yield* Effect.sleep("5 millis")
    }
    assert.fail(`not within 20 seconds: ${what}`)
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
