import type { Mutant } from "./mutant.ts"

const tests = { test: "test/MysqlDriver.test.ts" }
const batches = { test: "test/MysqlDriver.batches.test.ts" }
const doubts = { test: "test/MysqlDriver.failover.test.ts", named: "stays so " }
const locks = { test: "test/MysqlDriver.locks.test.ts" }

export const mysql: ReadonlyArray<Mutant> = [
  {
    name: "mysql: the states of a batch are crossed",
    file: "src/internal/mysql/sql.ts",
    edits: [["THEN ${values[i]}`", "THEN ${values[(i + 1) % values.length]}`"]],
    killers: [tests]
  },
  {
    name: "mysql: what has expired keeps its revision",
    file: "src/internal/mysql/sql.ts",
    edits: [["CONCAT(${alias}.revision,${text(expired(\"\"))})", "${alias}.revision"]],
    killers: [tests]
  },
  {
    name: "mysql: a tombstone is dropped at once",
    file: "src/internal/mysql/sql.ts",
    edits: [["(stays ?? 0) + retention", "(stays ?? 0)"]],
    killers: [tests]
  },
  {
    name: "mysql: what a transaction only checks is not checked",
    file: "src/internal/mysql/block.ts",
    edits: [
      [
        "const names = transaction.map(({ name }) => name)\n  const held = `${holds}=${transaction.length}`",
        "const names = transaction.map(({ name }) => name)\n  const held = `${holds}=${transaction.filter(isWrite).length}`"
      ],
      ["${Sql.asExpected(transaction)} FOR UPDATE)", "${Sql.asExpected(transaction.filter(isWrite))} FOR UPDATE)"]
    ],
    killers: [tests]
  },
  {
    name: "mysql: what was in doubt is forgotten at the next attempt",
    file: "src/internal/mysql/commit.ts",
    edits: [["inDoubt ||= fault.inDoubt", "inDoubt = fault.inDoubt"]],
    killers: [doubts]
  },
  {
    name: "mysql: what was in doubt is forgotten where a lock is in the way then",
    file: "src/internal/mysql/commit.ts",
    edits: [["result.failure.remedy === \"wait\" && !result.failure.inDoubt", "result.failure.remedy === \"wait\""]],
    killers: [doubts]
  },
  {
    name: "mysql: a transaction that failed is left open, with its locks",
    file: "src/internal/mysql/connections.ts",
    edits: [[
      "return Effect.ignore(Effect.map(query(connection, undo), () => {\n            broken = false\n          }))",
      "broken = false\n          return Effect.void"
    ]],
    killers: [locks]
  },
  {
    name: "mysql: places that nothing was written to are left behind",
    file: "src/internal/mysql/plan.ts",
    edits: [["...(unfilled.length === 0 ? [] : [Lock.clear(table, unfilled.map(({ name }) => name))]),\n", ""]],
    killers: [{ test: "test/MysqlDriver.tables.test.ts", named: "is not taken by what is not written" }]
  },
  {
    name: "mysql: numbers of hints that come late are not waited for",
    file: "src/internal/mysql/hints.ts",
    edits: [["missed.set(gap, now())\n", "missed.delete(gap)\n"]],
    killers: [{ test: "test/MysqlDriver.changes.test.ts" }]
  },
  {
    name: "mysql: nobody is told of a commit",
    file: "src/internal/mysql/hints.ts",
    edits: [["for (const name of names) changed.add(name)", "if (names.length < 0) changed.add(names[0]!)"]],
    killers: [{ test: "test/MysqlDriver.changes.test.ts" }]
  },
  {
    name: "mysql: one write of several is enough for all to be committed",
    file: "src/internal/mysql/singles.ts",
    edits: [["update!.changed === writes.length ?", "update!.changed > 0 ?"]],
    killers: [tests]
  },
  {
    name: "mysql: a single write does not look at what it expects",
    file: "src/internal/mysql/one.ts",
    edits: [["s.name=? AND s.revision=? AND", "s.name=? AND (s.revision=? OR TRUE) AND"]],
    killers: [tests]
  },
  {
    name: "mysql: plain writes of one statement do not look at what they expect",
    file: "src/internal/mysql/many.ts",
    edits: [["s.revision=IF(s.revision=${own},", "s.revision=IF(s.revision=${own} OR TRUE,"]],
    killers: [batches]
  },
  {
    name: "mysql: plain writes of one statement are found as JavaScript sorts their names",
    file: "src/internal/mysql/many.ts",
    edits: [["Buffer.compare(a.name, b.name)", "`${a.name}` < `${b.name}` ? -1 : 1"]],
    killers: [batches]
  },
  {
    name: "mysql: plain writes of which some had no row all count as applied",
    file: "src/internal/mysql/many.ts",
    edits: [["answer.changed === writes.length", "answer.changed > 0"]],
    killers: [{ test: "test/mysql/many.test.ts" }]
  },
  {
    name: "mysql: a plain write that somebody else came after counts as not applied",
    file: "src/internal/mysql/many.ts",
    edits: [["isWhole ? \"again\" : \"unknown\"", "isWhole ? \"again\" : \"again\""]],
    killers: [{ test: "test/mysql/many.test.ts" }]
  },
  {
    name: "mysql: plain writes cannot be looked at, and count as not applied",
    file: "src/internal/mysql/prepared.ts",
    edits: [["Fault.fromMysql(\"query\", error), inDoubt: true }", "Fault.fromMysql(\"query\", error) }"]],
    killers: [{ test: "test/mysql/many.test.ts" }]
  },
  {
    name: "mysql: a commit whose connection was lost counts as failed",
    file: "src/internal/mysql/fault.ts",
    edits: [[
      "inDoubt: phase === \"query\" && (!server || doubtful.has(errno))",
      "inDoubt: phase === \"query\" && doubtful.has(errno)"
    ]],
    killers: [{ test: "test/MysqlDriver.faults.test.ts", named: "where no other connection is to be had" }]
  },
  {
    name: "mysql: a turn that nobody uses goes on",
    file: "src/internal/mysql/turns.ts",
    edits: [["if (!turn.busy && turn.commits === seen) return end(crowd, turn, true)", "if (turn.commits < 0) return"]],
    killers: [{ test: "test/MysqlDriver.turns.test.ts", named: "comes to an end by itself" }]
  },
  {
    name: "mysql: a turn that is over still has its connection",
    file: "src/internal/mysql/turns.ts",
    edits: [
      [
        "    let turn: Turn | undefined\n    return {",
        "    let turn: Turn | undefined\n    const own = crowd.turn\n    return {"
      ],
      ["if (crowd.turn === undefined || crowd.turn.busy) return", "if (own === undefined || own.busy) return"],
      ["        turn = crowd.turn\n        turn.busy", "        turn = own\n        turn.busy"]
    ],
    killers: [{ test: "test/mysql/turns.test.ts" }]
  }
]
