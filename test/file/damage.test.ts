/** What the driver makes of files that are not as it left them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Line from "../../src/internal/file/line.ts"
import { DriverError } from "../../src/ScopedError.ts"
import { fails } from "./faults.ts"
import {
  commit,
  committed,
  files,
  get,
  journalOf,
  latest,
  line,
  open,
  put,
  record,
  services,
  temporaryDirectory,
  until,
  write
} from "./helpers.ts"

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
        const whole = line("x:1", "a", first, { revision: "x", data: "{}" })
        let last = first
        for (let length = 0; length < whole.length - 1; length++) {
          appendFileSync(journalOf(directory), whole.subarray(0, length))
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
        const whole = line("x:1", "a", first, { revision: "x", data: "{}" })
        appendFileSync(journalOf(directory), whole.subarray(0, -1))
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
        const at = flip(journalOf(directory), "find me")
        const before = readFileSync(journalOf(directory))
        isCorrupt(yield* openFails(directory), journalOf(directory), `byte ${at}`, "backup")
        assert.deepStrictEqual(readFileSync(journalOf(directory)), before)
      }))

    it.effect("was not so by the driver itself, whatever the names that are removed or wanted by several", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const names = Array.from({ length: 60 }, (_, i) => "名".repeat(i + 1))
        const last = yield* Effect.scoped(Effect.gen(function*() {
          const [a, b] = [yield* open({ directory }), yield* open({ directory })]
          return yield* Effect.forEach(names, (name) =>
            Effect.gen(function*() {
              const first = yield* put(a, name, null)
              // The second of these leaves a claim.
              for (let i = 0; i < 2; i++) assert.isFalse((yield* commit(b, write(name, null, record()))).committed)
              const removed = record(null)
              assert.deepStrictEqual(yield* commit(b, write(name, first, removed)), committed)
              return yield* put(b, name, removed)
            }))
        }))
        assert.deepStrictEqual(yield* Effect.flatMap(open({ directory }), (a) => a.read(names)), last)
      }))

    it.effect("finds out while it is open, and stops", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory })
        const b = yield* open({ directory })
        yield* put(a, "a", null, "\"find me\"")
        yield* put(a, "c", null)
        const at = flip(journalOf(directory), "find me")
        isCorrupt(yield* Effect.flip(get(b, "a")), `byte ${at}`)
        const before = readFileSync(journalOf(directory))
        isCorrupt(yield* Effect.flip(b.commit([[write("x", null, record())]])))
        isCorrupt(yield* Effect.flip(get(b, "a")))
        assert.deepStrictEqual(readFileSync(journalOf(directory)), before)
      }))

    it.effect("refuses a sealed journal that lost something", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* Effect.scoped(Effect.gen(function*() {
          const a = yield* open({ directory, compactAt: 1 }, { rename: () => fails("ENOSPC") })
          let last = yield* put(a, "a", null, "\"find me\"")
          for (let i = 0; i < 5; i++) last = yield* put(a, "a", last, "\"find me\"")
          yield* until("a seal", Effect.sync(() => readFileSync(journalOf(directory)).includes("\"seal\"")))
        }))
        // The last line before the seal: nothing after it tells that it was on disk, but the seal itself.
        const file = journalOf(directory)
        const bytes = readFileSync(file)
        const at = bytes.lastIndexOf("find me")
        bytes[at]! ^= 1
        writeFileSync(file, bytes)
        isCorrupt(yield* openFails(directory), file, `byte ${bytes.lastIndexOf(10, at) + 1}`)
      }))

    const compacted = Effect.fnUntraced(function*(directory: string) {
      yield* Effect.scoped(Effect.gen(function*() {
        const a = yield* open({ directory, compactAt: 1 })
        yield* put(a, "b", null, "\"find me\"")
        let last = yield* put(a, "a", null)
        for (let i = 0; latest(directory) === 0; i++) {
          assert.isBelow(i, 500)
          last = yield* put(a, "a", last, "\"and me\"")
        }
      }))
      const name = readdirSync(directory).find((name) => name.startsWith(`snapshot-${latest(directory)}-`))!
      return join(directory, name)
    })

    it.effect("refuses a snapshot that is damaged or cut short", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const file = yield* compacted(directory)
        const whole = readFileSync(file)
        for (const length of [0, 1, 20, 60, whole.length >> 1, whole.length - 30, whole.length - 3]) {
          writeFileSync(file, whole.subarray(0, length))
          isCorrupt(yield* openFails(directory), file)
        }
        for (const text of ["\"b\"", "states", "next", "end"]) {
          writeFileSync(file, whole)
          flip(file, text)
          isCorrupt(yield* openFails(directory), file)
        }
        writeFileSync(file, whole)
        assert.deepStrictEqual(yield* (yield* open({ directory })).read(["x"]), [null])
      }))

    it.effect("refuses a state that is damaged, keeps it, and goes on with the others", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const file = yield* compacted(directory)
        const at = flip(file, "find me")
        const damaged = readFileSync(file)
        const a = yield* open({ directory, compactAt: 1 })
        isCorrupt(yield* Effect.flip(get(a, "b")), file, "backup")
        const [verdict] = yield* a.commit([[write("b", null, record())]])
        assert.instanceOf(verdict, DriverError)
        isCorrupt(verdict, file)
        assert.isFalse(verdict.inDoubt)
        let last = yield* get(a, "a")
        for (let i = 0; i < 50; i++) last = yield* put(a, "a", last)
        // It cannot be written anew, so all is kept.
        yield* Effect.sleep("50 millis")
        assert.deepStrictEqual(readFileSync(file), damaged)
        assert.isAbove(at, 0)
      }))

    it.effect("finds a state that is cut off while it is open", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const file = yield* compacted(directory)
        const a = yield* open({ directory })
        truncateSync(file, 150)
        isCorrupt(yield* Effect.flip(get(a, "b")), file)
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
            appendFileSync(journalOf(directory), line("x:1", "a", last, { revision: "lost", data: "{}" }))
            flip(journalOf(directory), "lost")
          } else appendFileSync(journalOf(directory), remains)
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
        yield* Effect.scoped(open({ directory }))
        for (
          const [content, hint] of [
            ["hello\n", "not written by this driver"],
            ["\n", "not written by this driver"],
            ["x".repeat(1_000_000), "not written by this driver"],
            [Line.encode({ seal: "x" }).subarray(1), "not written by this driver"],
            [Line.encode({ format: "effect-scoped/9", journal: 1 }).subarray(1), "effect-scoped/9"],
            ["", "emptied"]
          ] as const
        ) {
          writeFileSync(journalOf(directory), content)
          isCorrupt(yield* openFails(directory), journalOf(directory), hint)
          assert.deepStrictEqual(readFileSync(journalOf(directory)), Buffer.from(content))
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
          "journal-0-x.jsonl",
          "snapshot-00.jsonl",
          "snapshot-7.jsonl"
        ]
        for (const other of others) writeFileSync(join(directory, other), other)
        const a = yield* open({ directory, compactAt: 1 })
        let last = yield* put(a, "a", null)
        for (let i = 0; latest(directory) === 0; i++) {
          assert.isBelow(i, 500)
          last = yield* put(a, "a", last)
        }
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
        writeFileSync(journalOf(directory), readFileSync(journalOf(directory)).subarray(0, -150))
        const error = yield* Effect.flip(a.commit([[write("c", null, record())]]))
        isCorrupt(error, journalOf(directory))
        assert.isTrue(error.inDoubt)
        isCorrupt(yield* Effect.flip(get(b, "a")), "cut short")
      }))

    for (
      const [what, taken, put_] of [
        ["the journal is removed", (directory: string) => rmSync(journalOf(directory)), undefined],
        [
          "the journal is replaced by a copy",
          (directory: string) => {
            const file = journalOf(directory)
            const bytes = readFileSync(file)
            rmSync(file)
            writeFileSync(`${file}.other`, "so that it is not the same inode")
            writeFileSync(file, bytes)
          },
          undefined
        ],
        ["the directory is removed", (directory: string) => rmSync(directory, { recursive: true }), undefined],
        [
          "the directory is moved away and a new one put in its place",
          (directory: string) => renameSync(directory, `${directory}-moved`),
          open
        ]
      ] as const
    ) {
      it.effect(`acknowledges nothing more when ${what}`, () =>
        Effect.gen(function*() {
          const directory = join(yield* temporaryDirectory, "data")
          const a = yield* open({ directory })
          const b = yield* open({ directory })
          const first = yield* put(a, "a", null)
          const c = yield* open({ directory, pollInterval: 5 })
          const watching = yield* Effect.forkChild(Effect.flip(Stream.runDrain(c.changes(["a"]))), {
            startImmediately: true
          })
          taken(directory)
          if (put_ !== undefined) yield* put_({ directory })
          const error = yield* Effect.flip(commit(a, write("a", first, record())))
          isCorrupt(error, directory, "removed, emptied or replaced")
          assert.isTrue(error.inDoubt)
          isCorrupt(yield* Effect.flip(get(b, "a")), "removed, emptied or replaced")
          isCorrupt(yield* Effect.flip(get(a, "a")), "removed, emptied or replaced")
          isCorrupt(yield* Fiber.join(watching), "removed, emptied or replaced")
        }))
    }

    it.effect("does not begin anew where files are missing", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* Effect.scoped(Effect.flatMap(open({ directory }), (a) => put(a, "a", null)))
        rmSync(join(directory, "snapshot-0.jsonl"))
        isCorrupt(yield* openFails(directory), directory, "restore")
        assert.deepStrictEqual(files(directory), ["journal-1.jsonl"])
      }))

    it.effect("says what to do with files of the first format", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        writeFileSync(
          join(directory, "journal-3.jsonl"),
          "{\"crc\":\"00000000\",\"bytes\":36,\"format\":\"effect-scoped/1\",\"at\":0}\n"
        )
        isCorrupt(yield* openFails(directory), "journal-3.jsonl", "effect-scoped/1", "another directory")
        writeFileSync(join(directory, "journal-3.jsonl"), "something else\n")
        isCorrupt(yield* openFails(directory), "journal-3.jsonl", "not written by this driver")
        assert.deepStrictEqual(readdirSync(directory), ["journal-3.jsonl"])
      }))
  })
})
