import type { Mutant } from "./mutant.ts"

const tests = { test: "test/FileDriver.test.ts" }
const faults = { test: "test/file/faults.test.ts" }
const compaction = { test: "test/file/compaction.test.ts" }
const crashes = { test: "test/file/crashes.test.ts" }

export const file: ReadonlyArray<Mutant> = [
  {
    name: "file: the answer does not wait for the sync",
    file: "src/internal/file/journal.ts",
    edits: [["Effect.result(file.sync)", "Effect.result(Effect.void)"]],
    killers: [crashes, tests]
  },
  {
    name: "file: what comes after the seal is applied, too",
    file: "src/internal/file/journal.ts",
    edits: [["        if (seal !== undefined) return\n      }", "      }"]],
    killers: [compaction]
  },
  {
    name: "file: the seal comes before the journal that it names is on disk",
    file: "src/internal/file/directory.ts",
    edits: [["        Effect.andThen(Effect.onError(syncNames, () => remove([name]))),\n", ""]],
    killers: [crashes]
  },
  {
    name: "file: a snapshot takes its place before it is on disk",
    file: "src/internal/file/directory.ts",
    edits: [["      yield* write(file, path(name))\n      yield* file.sync", "      yield* write(file, path(name))"]],
    killers: [crashes]
  },
  {
    name: "file: a line is not checked",
    file: "src/internal/file/line.ts",
    edits: [["crc32(bytes, checkedFrom, head.end) === head.crc", "crc32(bytes, checkedFrom, head.end) !== -1"]],
    killers: [{ test: "test/file/line.test.ts" }]
  },
  {
    name: "file: after a sync that failed all goes on as before",
    file: "src/internal/file/store.ts",
    edits: [["unsynced === undefined ? Effect.void : distrust(journal)", "Effect.void"]],
    killers: [faults]
  },
  {
    name: "file: what was appended and then failed is said to have failed",
    file: "src/internal/file/commit.ts",
    edits: [["appended || outcomes.includes(true) ? { ...fault, inDoubt: true } : fault", "fault"]],
    killers: [faults]
  },
  {
    name: "file: what has expired keeps its revision",
    file: "src/internal/file/records.ts",
    edits: [["revision: expired(entry.revision)", "revision: entry.revision"]],
    killers: [tests, { test: "test/file/time.test.ts" }]
  },
  {
    name: "file: a tombstone is dropped at once",
    file: "src/internal/file/records.ts",
    edits: [["if (entry.forgetAt <= now) return undefined", "return undefined"]],
    killers: [tests]
  },
  {
    name: "file: only the last scope of a transaction is checked",
    file: "src/internal/file/records.ts",
    edits: [["for (const [name, expected] of line.tx) {", "for (const [name, expected] of line.tx.slice(-1)) {"]],
    killers: [tests]
  },
  {
    name: "file: what comes after the seal is not written again",
    file: "src/internal/file/commit.ts",
    edits: [["        if (waiting.length === 0) break\n        // The seal", "        break\n        // The seal"]],
    killers: [compaction]
  },
  {
    name: "file: what comes after a torn line is not read",
    file: "src/internal/file/journal.ts",
    edits: [
      ["  let watermark = 0\n", "  let watermark = 0\n  let torn = false\n"],
      [
        "    if (typeof line === \"string\") return undefined\n    if (\"tx\" in line) {",
        "    if (torn ||= typeof line === \"string\") return undefined\n    if (\"tx\" in line) {"
      ]
    ],
    killers: [{ test: "test/file/damage.test.ts", named: "leaves it out, and keeps what is written after it" }]
  },
  {
    name: "file: a turn that nobody takes never ends",
    file: "src/internal/file/claims.ts",
    edits: [[
      "absent: now >= head.since + patience ? head.who : undefined",
      "absent: now < head.since ? head.who : undefined"
    ]],
    killers: [{ test: "test/file/claims.test.ts", named: "are lost where they are not taken" }]
  },
  {
    name: "file: a program that ends does not wait for the compaction that it began",
    file: "src/FileDriver.ts",
    edits: [["    yield* Effect.addFinalizer(() => compaction.settle)\n", ""]],
    killers: [compaction]
  },
  {
    name: "file: others that begin a compaction in vain put ours off for ever",
    file: "src/internal/file/compaction.ts",
    edits: [[" || garbage - mark > 2 * step", ""]],
    killers: [compaction]
  }
]
