/** What the driver makes of files that are not as it left them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem } from "effect"
import { appendFileSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Line from "../../src/internal/file/line.ts"
import type { DriverError } from "../../src/ScopedError.ts"
import { commit, committed, get, open, put, record, services, temporaryDirectory, write } from "./helpers.ts"

const journal = (directory: string, generation = 1) => join(directory, `journal-${generation}.jsonl`)

const openFails = (directory: string) => Effect.scoped(Effect.flip(open({ directory })))

const isCorrupt = (error: DriverError, ...parts: ReadonlyArray<string>) => {
  assert.strictEqual(error._tag, "DriverError")
  assert.strictEqual(error.reason, "Corrupt")
  for (const part of parts) assert.include(error.message, part)
}

/** Flips a bit of the first place where the text stands. */
const flip = (file: string, text: string): number => {
  const bytes = readFileSync(file)
  const at = bytes.indexOf(text)
  assert.isAtLeast(at, 0)
  bytes[at]! ^= 1
  writeFileSync(file, bytes)
  return bytes.lastIndexOf(10, at) + 1
}

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  describe("when a line was torn", () => {
    it.effect("leaves it out, and keeps what is written after it", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory })
        const first = yield* put(a, "a", null)
        const whole = Line.encode({ id: "x:1", at: 0, synced: 0, tx: [["a", first.revision, "x", "{}"]] })
        let last = first
        for (let length = 0; length < whole.length - 1; length++) {
          appendFileSync(journal(directory), whole.subarray(0, length))
          // One who already knows the torn line, and one who sees it together with what follows.
          if (length % 2 === 0) assert.deepStrictEqual(yield* get(a, "a"), last)
          last = yield* put(a, "a", last)
        }
        assert.deepStrictEqual(yield* get(yield* open({ directory }), "a"), last)
      }))

    it.effect("applies it when only its newline was missing", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory })
        const first = yield* put(a, "a", null)
        const whole = Line.encode({ id: "x:1", at: 0, synced: 0, tx: [["a", first.revision, "x", "{}"]] })
        appendFileSync(journal(directory), whole.subarray(0, -1))
        assert.deepStrictEqual(yield* get(a, "a"), first)
        assert.deepStrictEqual(yield* commit(a, write("a", first, record())), {
          committed: false,
          current: [{ revision: "x", data: "{}" }]
        })
      }))
  })

  describe("when a line is damaged", () => {
    it.effect("refuses the journal where it had been acknowledged, and writes nothing", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* Effect.scoped(Effect.gen(function*() {
          const a = yield* open({ directory })
          yield* put(a, "b", yield* put(a, "a", null, "\"find me\"").pipe(Effect.as(null)))
        }))
        const at = flip(journal(directory), "find me")
        const before = readFileSync(journal(directory))
        isCorrupt(yield* openFails(directory), journal(directory), `byte ${at}`, "backup")
        assert.deepStrictEqual(readFileSync(journal(directory)), before)
      }))

    it.effect("finds out while it is open, and stops", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory })
        const b = yield* open({ directory })
        yield* put(a, "a", null, "\"find me\"")
        yield* put(a, "c", null)
        const at = flip(journal(directory), "find me")
        isCorrupt(yield* Effect.flip(get(b, "a")), `byte ${at}`)
        const before = readFileSync(journal(directory))
        isCorrupt(yield* Effect.flip(b.commit([[write("x", null, record())]])))
        isCorrupt(yield* Effect.flip(get(b, "a")))
        assert.deepStrictEqual(readFileSync(journal(directory)), before)
      }))

    it.effect("refuses every generation whose first records are damaged or cut short", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* Effect.scoped(Effect.gen(function*() {
          const a = yield* open({ directory, compactAt: 1 })
          let last = yield* put(a, "a", null)
          for (let i = 0; i < 5; i++) last = yield* put(a, "a", last, "\"find me\"")
        }))
        const [name] = yield* FileSystem.FileSystem.use((fs) => fs.readDirectory(directory))
        const file = join(directory, name!)
        assert.notStrictEqual(file, journal(directory))
        const whole = readFileSync(file)
        const snapshot = whole.indexOf("\n", whole.indexOf("started")) + 1
        for (const length of [1, 20, 60, snapshot >> 1, snapshot - 30, snapshot - 1]) {
          writeFileSync(file, whole.subarray(0, length))
          isCorrupt(yield* openFails(directory), file)
        }
        writeFileSync(file, whole.subarray(0, snapshot))
        flip(file, "find me")
        isCorrupt(yield* openFails(directory), file)
      }))

    it.effect("leaves out what nobody was told of, and moves to a new generation", () =>
      Effect.gen(function*() {
        for (const remains of [Buffer.alloc(5000), Buffer.from("\n\n{}\n"), Buffer.from("garbage"), "flip"]) {
          const directory = yield* temporaryDirectory
          const last = yield* Effect.scoped(Effect.gen(function*() {
            const a = yield* open({ directory })
            return yield* put(a, "a", yield* put(a, "a", null))
          }))
          if (typeof remains === "string") {
            const line = Line.encode({ id: "x:1", at: 0, synced: 0, tx: [["a", last.revision, "lost", "{}"]] })
            appendFileSync(journal(directory), line)
            flip(journal(directory), "lost")
          } else appendFileSync(journal(directory), remains)
          const [a, b] = [yield* open({ directory }), yield* open({ directory })]
          assert.deepStrictEqual(yield* get(a, "a"), last)
          const next = yield* put(b, "a", last)
          // What is written later must not vouch for the damaged bytes before it.
          const later = yield* put(a, "b", null)
          for (const driver of [a, b, yield* open({ directory })]) {
            assert.deepStrictEqual(yield* driver.read(["a", "b"]), [next, later])
          }
        }
      }))
  })

  describe("when the file is not a journal", () => {
    it.effect("refuses it", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        for (
          const [content, hint] of [
            ["hello\n", "not written by this driver"],
            ["\n", "not written by this driver"],
            ["x".repeat(1_000_000), "not written by this driver"],
            [Line.encode({ seal: true }).subarray(1), "not written by this driver"],
            [Line.encode({ format: "effect-scoped/2", at: 0 }).subarray(1), "effect-scoped/2"],
            ["", "empty"]
          ] as const
        ) {
          writeFileSync(journal(directory), content)
          isCorrupt(yield* openFails(directory), journal(directory), hint)
          assert.deepStrictEqual(readFileSync(journal(directory)), Buffer.from(content))
        }
      }))

    it.effect("does not mind other files", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const others = [
          "journal-x.jsonl",
          "journal-01.jsonl",
          "journal-2.json",
          "xjournal-3.jsonl",
          "README",
          "journal-0.jsonl"
        ]
        for (const other of others) writeFileSync(join(directory, other), other)
        const a = yield* open({ directory, compactAt: 1 })
        let last = yield* put(a, "a", null)
        for (let i = 0; i < 5; i++) last = yield* put(a, "a", last)
        for (const other of others) assert.strictEqual(readFileSync(join(directory, other), "utf8"), other)
      }))
  })

  describe("when the file is taken away under it", () => {
    it.effect("says so when it was cut short", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const [a, b] = [yield* open({ directory }), yield* open({ directory })]
        yield* put(a, "a", null)
        yield* put(a, "b", null)
        writeFileSync(journal(directory), readFileSync(journal(directory)).subarray(0, -150))
        const error = yield* Effect.flip(a.commit([[write("c", null, record())]]))
        isCorrupt(error, journal(directory))
        assert.isTrue(error.inDoubt)
        isCorrupt(yield* Effect.flip(get(b, "a")), "cut short")
      }))

    it.effect("says so when it was removed, at the latest when it moves on", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory, compactAt: 1 })
        const first = yield* put(a, "a", null)
        yield* FileSystem.FileSystem.use((fs) => fs.remove(journal(directory)))
        const errors: Array<DriverError> = []
        let last = first
        while (errors.length === 0) {
          const next = record()
          const verdict = yield* commit(a, write("a", last, next)).pipe(
            Effect.catch((error) => Effect.sync(() => (errors.push(error), committed)))
          )
          assert.deepStrictEqual(verdict, committed)
          last = next
        }
        isCorrupt(errors[0]!, journal(directory), "removed or replaced")
      }))
  })
})
