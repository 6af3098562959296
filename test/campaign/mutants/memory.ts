import type { Mutant } from "./mutant.ts"

const file = "src/MemoryDriver.ts"
const tests = { test: "test/MemoryDriver.test.ts" }

export const memory: ReadonlyArray<Mutant> = [
  {
    name: "memory: a tombstone is dropped at once",
    file,
    edits: [["if (at + retention > now) return entry", "if (at > now) return entry"]],
    killers: [tests]
  },
  {
    name: "memory: what has expired keeps its revision",
    file,
    edits: [["revision: expired(entry.record.revision)", "revision: entry.record.revision"]],
    killers: [tests]
  },
  {
    name: "memory: only the first scope of a transaction is checked",
    file,
    edits: [[
      "const { expected, name } = transaction[i]!",
      "const { expected, name } = transaction[i]!\n      if (i > 0) continue"
    ]],
    killers: [{ simulation: "calls" }, tests]
  },
  {
    name: "memory: what a transaction only checks is not checked",
    file,
    edits: [[
      "const { expected, name } = transaction[i]!",
      "const { expected, name } = transaction[i]!\n      if (transaction[i]!.next === undefined) continue"
    ]],
    killers: [{ simulation: "calls" }, tests]
  },
  {
    name: "memory: a commit gives no hint",
    file,
    edits: [["    watchers.hint(name)\n", ""]],
    killers: [tests]
  },
  {
    name: "memory: who begins to watch is not told to look",
    file: "src/internal/watchers.ts",
    edits: [["            for (const name of names) watcher.hint(name)\n", ""]],
    killers: [tests]
  },
  {
    name: "memory: a refusal tells of the first scope only",
    file,
    edits: [[
      "current: transaction.map((write) => read(write.name, now))",
      "current: transaction.map(() => read(name, now))"
    ]],
    killers: [{ simulation: "calls" }, tests]
  },
  {
    name: "memory: a turn that nobody takes never ends",
    file: "src/internal/memory/claims.ts",
    edits: [["if (!this.lapsed(head)) return head", "return head"]],
    killers: [{ simulation: "crowds" }, { test: "test/engine/fairness.test.ts", named: "is lost in a moment" }]
  },
  {
    name: "memory: who claims a name is the last to get it",
    file: "src/internal/memory/claims.ts",
    edits: [["if (head.writer === claim || head.ticket > own) break", "if (head.writer === claim) break"]],
    killers: [{ simulation: "crowds" }]
  }
]
