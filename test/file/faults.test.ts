/** What the driver says, and what it keeps, when calls to the file system fail. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { PlatformError } from "effect/PlatformError"
import type { Driver, Record } from "../../src/Driver.ts"
import { DriverError } from "../../src/ScopedError.ts"
import { fails, type Faults } from "./faults.ts"
import {
  commit,
  committed,
  files,
  get,
  journalOf,
  open,
  put,
  record,
  services,
  temporaryDirectory,
  write
} from "./helpers.ts"
import { numbers } from "./seeded.ts"

const one = (driver: Driver, name: string, from: Record | null, next: Record) =>
  Effect.result(commit(driver, write(name, from, next)))

const isError = (error: unknown, reason: DriverError["reason"], inDoubt: boolean, ...parts: ReadonlyArray<string>) => {
  assert.instanceOf(error, DriverError)
  assert.deepStrictEqual([error.reason, error.inDoubt], [reason, inDoubt])
  for (const part of parts) assert.include(error.message, part)
}

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  describe("when the directory cannot be used", () => {
    it.effect("fails to open, and says why", () =>
      Effect.gen(function*() {
        const base = yield* temporaryDirectory
        const directory = `${base}/new/data`
        const opening = (faults: Faults) => Effect.scoped(Effect.flip(open({ directory }, faults)))
        isError(
          yield* opening({ makeDirectory: () => fails("EACCES", "makeDirectory", "PermissionDenied") }),
          "Forbidden",
          false,
          directory,
          "could not open",
          "permission denied"
        )
        isError(yield* opening({ makeDirectory: () => fails("EROFS") }), "Forbidden", false, "read-only")
        isError(yield* opening({ makeDirectory: () => fails("ENOSPC") }), "Full", false, directory)
        yield* Effect.scoped(open({ directory }))
        isError(
          yield* opening({
            open: (path, proceed) =>
              /journal.*jsonl$/.test(path) ? fails("EACCES", "open", "PermissionDenied") : proceed
          }),
          "Forbidden",
          false,
          "journal-1-"
        )
        isError(yield* opening({ read: () => fails("EIO", "read") }), "Unavailable", false, "snapshot-0.jsonl")
        isError(yield* opening({ list: () => fails("EMFILE") }), "Unavailable", false, "ulimit")
        isError(yield* opening({ list: () => fails("EWEIRD") }), "Unknown", false, "EWEIRD")
        isError(
          yield* Effect.scoped(Effect.flip(open({ directory: `${base}/other` }, {
            link: () => fails("EPERM", "link", "PermissionDenied")
          }))),
          "Forbidden",
          false,
          "hard links"
        )
        // After all of that it opens.
        assert.deepStrictEqual(yield* (yield* open({ directory })).read(["a"]), [null])
      }))

    it.effect("fails to open where the path leads to a file", () =>
      Effect.gen(function*() {
        const base = yield* temporaryDirectory
        yield* open({ directory: base })
        for (const directory of [journalOf(base), `${journalOf(base)}/deeper`]) {
          isError(yield* Effect.flip(open({ directory })), "Unavailable", false, directory, "choose a path")
        }
      }))
  })

  describe("when the disk is full", () => {
    it.effect("does not apply what it could not write, and goes on when there is room", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const b = yield* open({ directory })
        let last = yield* put(a, "a", null)
        let length = Infinity
        for (let room = 0; room < length - 1; room += 3) {
          let left = room
          faults.write = (_, proceed, bytes) => {
            length = Math.min(length, bytes.length === 1 ? Infinity : bytes.length)
            if (left === 0) return fails("ENOSPC")
            const fits = Math.min(left, bytes.length)
            left -= fits
            return proceed(bytes.subarray(0, fits))
          }
          const next = record()
          const verdict = yield* one(a, "a", last, next)
          assert.strictEqual(verdict._tag, "Failure")
          if (verdict._tag === "Failure") isError(verdict.failure, "Full", false, directory)
          assert.deepStrictEqual(yield* get(b, "a"), last)
          assert.deepStrictEqual(yield* get(a, "a"), last)
          delete faults.write
          last = yield* put(a, "a", last)
          assert.deepStrictEqual(yield* get(b, "a"), last)
        }
      }))

    it.effect("gives the verdicts of what it could write, and is in doubt where but the last byte is missing", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const batch = ["a", "b", "c"].map((name) => [write(name, null, record())])
        faults.write = () => fails("ENOSPC")
        for (const verdict of yield* a.commit(batch)) isError(verdict, "Full", false)
        let left: number | undefined
        faults.write = (_, proceed, bytes) => {
          left ??= Buffer.from(bytes).lastIndexOf("\n{") - 1
          if (left === 0) return fails("ENOSPC")
          const fits = Math.min(left, bytes.length)
          left -= fits
          return proceed(bytes.subarray(0, fits))
        }
        const verdicts = yield* a.commit(batch)
        assert.deepStrictEqual(verdicts[0], committed)
        isError(verdicts[1], "Full", true)
        isError(verdicts[2], "Full", false)
        assert.deepStrictEqual((yield* a.read(["a", "b", "c"])).map((record) => record !== null), [true, false, false])
        // The next to write ends the line, and it counts.
        delete faults.write
        yield* put(a, "d", null)
        assert.deepStrictEqual((yield* a.read(["a", "b", "c"])).map((record) => record !== null), [true, true, false])
      }))

    it.effect("ends a line that lacks but its last byte, where there is room for that, and knows", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        let writes = 0
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        faults.write = (_, proceed, bytes) =>
          bytes.length === 1 ? proceed(bytes) : ++writes === 1 ? proceed(bytes.subarray(0, -1)) : fails("ENOSPC")
        const next = record()
        assert.deepStrictEqual(yield* commit(a, write("a", null, next)), committed)
        assert.strictEqual(writes, 2)
        assert.deepStrictEqual(yield* get(yield* open({ directory }), "a"), next)
      }))
  })

  describe("when a write is short", () => {
    it.effect("writes the rest", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const random = numbers(7)
        const a = yield* open({ directory }, {
          write: (_, proceed, bytes) => proceed(bytes.subarray(0, 1 + random(bytes.length)))
        })
        const b = yield* open({ directory })
        let last: ReadonlyArray<Record | null> = [null, null, null]
        for (let i = 0; i < 40; i++) {
          const next = last.map(() => record())
          const verdicts = yield* a.commit(next.map((record, k) => [write(`${k}`, last[k]!, record)]))
          assert.deepStrictEqual(verdicts, [committed, committed, committed])
          assert.deepStrictEqual(yield* b.read(["0", "1", "2"]), next)
          last = next
        }
      }))

    it.effect("gives up when nothing is written at all", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        faults.write = () => Effect.succeed(0)
        const [verdict] = yield* a.commit([[write("a", null, record())]])
        isError(verdict, "Unknown", false)
      }))
  })

  describe("when a read is short", () => {
    it.effect("reads the rest of what it has written", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        // As from a file system that gives no more than this at a time.
        faults.read = (_, __, buffer, read) => read(buffer.subarray(0, 10))
        let last = yield* put(a, "a", null)
        for (let i = 0; i < 5; i++) last = yield* put(a, "a", last)
        assert.deepStrictEqual(yield* get(a, "a"), last)
      }))
  })

  describe("when a sync fails", () => {
    it.effect("is in doubt, and reports nothing more before all is written anew", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const b = yield* open({ directory })
        const first = yield* put(a, "a", null)
        const second = record()
        let syncs = 0
        faults.sync = (path, proceed) => path.endsWith(".jsonl") && syncs++ === 0 ? fails("EIO", "sync") : proceed
        const verdict = yield* Effect.flip(commit(a, write("a", first, second)))
        isError(verdict, "Unavailable", true, "journal-1-")
        assert.deepStrictEqual(files(directory), ["journal-1.jsonl", "snapshot-0.jsonl"])
        assert.deepStrictEqual(yield* get(a, "a"), second)
        assert.deepStrictEqual(files(directory), ["journal-2.jsonl", "snapshot-0.jsonl", "snapshot-1.jsonl"])
        assert.deepStrictEqual(yield* get(b, "a"), second)
        assert.deepStrictEqual(yield* commit(a, write("a", first, second)), { committed: false, current: [second] })
      }))

    it.effect("reports nothing as long as it fails", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const first = yield* put(a, "a", null)
        faults.sync = () => fails("EIO", "sync")
        const second = record()
        isError(yield* Effect.flip(commit(a, write("a", first, second))), "Unavailable", true)
        for (let i = 0; i < 3; i++) {
          isError(yield* Effect.flip(get(a, "a")), "Unavailable", false)
          isError(yield* Effect.flip(commit(a, write("a", second, record()))), "Unavailable", false)
        }
        delete faults.sync
        assert.deepStrictEqual(yield* get(a, "a"), second)
        assert.deepStrictEqual(yield* get(yield* open({ directory }), "a"), second)
      }))

    it.effect("leaves no more files with each attempt to write all anew that fails, and loses nothing", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const b = yield* open({ directory })
        const names = Array.from({ length: 1500 }, (_, i) => `${i}`)
        const first = names.map(() => record())
        yield* a.commit(names.map((name, i) => [write(name, null, first[i])]))
        let syncs = 0
        faults.sync = (path, proceed) => path.endsWith(".jsonl") && syncs++ === 0 ? fails("EIO", "sync") : proceed
        isError(yield* Effect.flip(commit(a, write("a", null, record()))), "Unavailable", true)
        // Some of it can be written each time.
        let writes = 0
        faults.write = (path, proceed, bytes) =>
          path.endsWith(".tmp") && ++writes % 3 === 0 ? fails("ENOSPC", "write") : proceed(bytes)
        for (let i = 0; i < 5; i++) {
          isError(yield* Effect.flip(get(a, "a")), "Full", false)
          assert.deepStrictEqual(files(directory), ["journal-1.jsonl", "journal-2.jsonl", "snapshot-0.jsonl"])
        }
        const second = yield* put(b, "0", first[0]!)
        isError(yield* Effect.flip(get(a, "a")), "Full", false)
        delete faults.write
        for (const driver of [a, b, yield* open({ directory })]) {
          assert.deepStrictEqual(yield* driver.read(names), [second, ...first.slice(1)])
        }
      }))

    for (const what of ["rename", "open"] as const) {
      it.effect(`goes on from what others have written anew when they are faster at the ${what}`, () =>
        Effect.gen(function*() {
          const directory = yield* temporaryDirectory
          const faults: Faults = {}
          const a = yield* open({ directory }, faults)
          const first = yield* put(a, "a", null)
          const second = record()
          let syncs = 0
          faults.sync = (path, proceed) => path.endsWith(".jsonl") && syncs++ === 0 ? fails("EIO", "sync") : proceed
          isError(yield* Effect.flip(commit(a, write("a", first, second))), "Unavailable", true)
          let gone = 0
          const fault = <A extends Effect.Effect<unknown, PlatformError, unknown>>(path: string, proceed: A) =>
            /snapshot-1-.*\.jsonl$/.test(path) && gone++ === 0
              ? fails("ENOENT", what, "NotFound")
              : proceed
          Object.assign(faults, { [what]: fault })
          assert.deepStrictEqual(yield* get(a, "a"), second)
          assert.isAbove(gone, 0)
          assert.deepStrictEqual(yield* put(a, "b", null), yield* get(a, "b"))
        }))
    }

    it.effect("does not rely on others for what it has not synced itself", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const b = yield* open({ directory, compactAt: 1 })
        yield* a.read([])
        let writes = 0
        // The first of two lines is written, then others move on, then the second one comes too late.
        faults.write = (_, proceed, bytes) =>
          ++writes === 1
            ? Effect.tap(proceed(bytes.subarray(0, Buffer.from(bytes).lastIndexOf("\n{"))), () =>
              Effect.gen(function*() {
                let last = yield* put(b, "b", null)
                while (!files(directory).includes("journal-2.jsonl")) {
                  last = yield* put(b, "b", last)
                  yield* b.read([])
                }
              }).pipe(Effect.orDie))
            : proceed(bytes)
        faults.sync = (path, proceed) => /journal-1-/.test(path) ? fails("EIO", "sync") : proceed
        const batch = ["one", "two"].map((name) => [write(name, null, record())])
        isError(yield* Effect.flip(a.commit(batch)), "Unavailable", true, "journal-1-")
        delete faults.sync
        assert.deepStrictEqual((yield* a.read(["one", "two"])).map((record) => record !== null), [true, false])
      }))

    it.effect("is not in doubt about a refusal", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        const b = yield* open({ directory })
        const first = yield* put(b, "a", null)
        faults.sync = () => fails("EIO", "sync")
        isError(yield* Effect.flip(commit(a, write("a", null, record()))), "Unavailable", false)
        delete faults.sync
        assert.deepStrictEqual(yield* get(a, "a"), first)
      }))
  })

  describe("when a read fails", () => {
    it.effect("is in doubt about what it had written, and reads it later", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const faults: Faults = {}
        const a = yield* open({ directory }, faults)
        // Only what others have written, too, needs to be read.
        yield* put(yield* open({ directory }), "b", null)
        const next = record()
        faults.read = () => fails("EIO", "read")
        isError(yield* Effect.flip(commit(a, write("a", null, next))), "Unavailable", true)
        isError(yield* Effect.flip(get(a, "a")), "Unavailable", false)
        delete faults.read
        assert.deepStrictEqual(yield* get(a, "a"), next)
      }))
  })

  describe("when anything fails at random", () => {
    it.effect("loses nothing, doubles nothing and makes nothing up", () =>
      Effect.gen(function*() {
        const calls = ["write", "read", "sync", "link", "rename", "stat", "remove", "list", "open"] as const
        for (let seed = 1; seed <= 8; seed++) {
          const directory = yield* temporaryDirectory
          const random = numbers(seed)
          let failing = true
          const fault = <A, E, R>(proceed: Effect.Effect<A, E, R>) =>
            Effect.suspend(() =>
              failing && random(12) === 0
                // Before it was done, or after.
                ? Effect.andThen(
                  random(2) === 0 ? proceed : Effect.void,
                  fails(["EIO", "ENOSPC", "EACCES"][random(3)]!)
                )
                : proceed
            )
          const faults: Faults = {
            open: (_, proceed) => failing && random(12) === 0 ? fails("EMFILE") : proceed,
            read: (_, proceed) => failing && random(12) === 0 ? fails("EIO") : proceed,
            write: (_, proceed, bytes) =>
              failing && random(6) === 0
                ? Effect.andThen(proceed(bytes.subarray(0, random(bytes.length))), fails("ENOSPC"))
                : proceed(bytes),
            sync: (_, proceed) => fault(proceed),
            link: (_, proceed) => fault(proceed),
            rename: (_, proceed) => fault(proceed),
            stat: (_, proceed) => failing && random(12) === 0 ? fails("EIO") : proceed,
            remove: (_, proceed) => fault(proceed),
            list: (_, proceed) => fault(proceed)
          }
          assert.includeMembers(Object.keys(faults), [...calls])
          const options = { directory, compactAt: 400 }
          const drivers = [
            yield* Effect.retry(open(options, faults), { times: 100 }),
            yield* Effect.retry(open(options, faults), { times: 100 })
          ]
          let errors = 0
          // Each driver counts on a name of its own and on a common one.
          const counted = yield* Effect.forEach(drivers, (driver, self) =>
            Effect.gen(function*() {
              const told = new Map<string, { done: number; doubt: number }>()
              let current: Record | null = null
              for (let round = 0; round < 60; round++) {
                const name = round % 2 === 0 ? "common" : `own ${self}`
                const sums = told.get(name) ?? { done: 0, doubt: 0 }
                told.set(name, sums)
                const read = yield* Effect.result(get(driver, name))
                if (read._tag === "Failure") {
                  errors++
                  assert.notStrictEqual(read.failure.reason, "Corrupt")
                  continue
                }
                current = read.success
                const next: Record = record(String(Number(current?.data ?? 0) + 1))
                const verdict = yield* one(driver, name, current, next)
                if (verdict._tag === "Success") {
                  if (verdict.success.committed) sums.done++
                } else {
                  errors++
                  assert.notStrictEqual(verdict.failure.reason, "Corrupt", verdict.failure.message)
                  if (verdict.failure.inDoubt) sums.doubt++
                }
              }
              return told
            }), { concurrency: 2 })
          assert.isAbove(errors, 10)
          failing = false
          const fresh = yield* open(options)
          for (const name of ["common", "own 0", "own 1"]) {
            const current = yield* get(fresh, name)
            for (const driver of drivers) assert.deepStrictEqual(yield* get(driver, name), current)
            const value = Number(current?.data ?? 0)
            const sums = counted.flatMap((told) => told.get(name) ?? [])
            const done = sums.reduce((sum, { done }) => sum + done, 0)
            const doubt = sums.reduce((sum, { doubt }) => sum + doubt, 0)
            assert.isAtLeast(value, done, `seed ${seed}: ${name} lost`)
            assert.isAtMost(value, done + doubt, `seed ${seed}: ${name} doubled`)
          }
        }
      }))
  })
})
