/**
 * A process with a disk of its own that gets full and then read-only. Needs to run as root of its own mount namespace:
 * `unshare -rm node disk.ts <directory>`. Says "fine" when all is.
 */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import assert from "node:assert"
import { execFileSync } from "node:child_process"
import { rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Driver, Record } from "../../src/Driver.ts"
import * as FileDriver from "../../src/FileDriver.ts"
import { commit, get, record, write } from "./helpers.ts"

const [root = ""] = process.argv.slice(2)
const ballast = join(root, "ballast")
const directory = join(root, "data")
execFileSync("mount", ["-t", "tmpfs", "-o", "size=512k", "none", root])

const data = JSON.stringify("x".repeat(3000))

/** Writes until the disk is full. */
const fill = Effect.fnUntraced(function*(driver: Driver, from: Record | null) {
  let last = from
  for (let i = 0; i < 1000; i++) {
    const next = record(data)
    const verdict = yield* Effect.result(commit(driver, write("a", last, next)))
    if (verdict._tag === "Failure") {
      assert.strictEqual(verdict.failure.reason, "Full", verdict.failure.message)
      assert.strictEqual(verdict.failure.inDoubt, false)
      return last
    }
    assert.deepStrictEqual(verdict.success, { committed: true })
    last = next
  }
  throw new Error("never full")
})

Effect.gen(function*() {
  for (const compactAt of [1e9, 20_000]) {
    writeFileSync(ballast, new Uint8Array(320 * 1024))
    const options = { directory: `${directory}-${compactAt}`, compactAt }
    let last: Record | null = null
    yield* Effect.scoped(Effect.gen(function*() {
      const [a, b] = [yield* FileDriver.make(options), yield* FileDriver.make(options)]
      if (compactAt === 1e9) last = yield* fill(a, null)
      else {
        // With compaction it never gets full by itself.
        for (let i = 0; i < 300; i++) {
          const next = record(data)
          yield* commit(a, write("a", last, next))
          last = next
        }
        for (let i = 0, full = false; i < 100 && !full; i++) {
          const verdict = yield* Effect.result(commit(a, write(`${i}`, null, record(data))))
          full = verdict._tag === "Failure"
        }
      }
      for (const driver of [a, b]) assert.deepStrictEqual(yield* get(driver, "a"), last)
      rmSync(ballast)
      for (const driver of [b, a]) {
        const next = record(data)
        assert.deepStrictEqual(yield* commit(driver, write("a", last, next)), { committed: true })
        last = next
      }
      for (const driver of [a, b]) assert.deepStrictEqual(yield* get(driver, "a"), last)
    }))
    const reopened = Effect.scoped(Effect.flatMap(FileDriver.make(options), (driver) => get(driver, "a")))
    assert.deepStrictEqual(yield* reopened, last)
    execFileSync("mount", ["-o", "remount,ro", root])
    const error = yield* Effect.flip(reopened)
    assert.deepStrictEqual([error.reason, error.operation], ["Forbidden", "open"])
    assert.match(error.message, /read-only/)
    assert.ok(error.message.includes(options.directory))
    const elsewhere = yield* Effect.flip(Effect.scoped(FileDriver.make({ directory: join(root, "new/one") })))
    assert.deepStrictEqual([elsewhere.reason, elsewhere.operation], ["Forbidden", "open"])
    execFileSync("mount", ["-o", "remount,rw", root])
    rmSync(options.directory, { recursive: true })
  }
  console.log("fine")
}).pipe(Effect.provide(NodeServices.layer), Effect.runPromise)
