import type { Mutant } from "./mutant.ts"

const script = "src/internal/redis/script.ts"
const tests = { test: "test/RedisDriver.test.ts" }
const turn = "src/internal/redis/turn.ts"
const turns = { test: "test/redis/turn.test.ts" }

export const redis: ReadonlyArray<Mutant> = [
  {
    name: "redis: what has expired keeps its revision",
    file: script,
    edits: [["return true, revision .. '${suffix}' end", "return true, revision end"]],
    killers: [tests]
  },
  {
    name: "redis: a tombstone is dropped at once",
    file: "src/internal/redis/value.ts",
    edits: [["millis: millisOf(expiresIn) + kept }", "millis: millisOf(expiresIn) }"]],
    killers: [tests]
  },
  {
    name: "redis: what must not be there may be there",
    file: script,
    edits: [["      elseif found then\n        matches = false\n", ""]],
    killers: [tests]
  },
  {
    name: "redis: what is expected need not be there",
    file: script,
    edits: [["if revision ~= sub(expected, find(expected, '::', 1, true) + 2, -2) then matches = false end", ""]],
    killers: [tests]
  },
  {
    name: "redis: the records of a refusal are crossed",
    file: script,
    edits: [["verdict[j - first + 1] = record", "verdict[i - j] = record"]],
    killers: [tests]
  },
  {
    name: "redis: the verdicts of a batch are crossed",
    file: "src/internal/redis/commit.ts",
    edits: [["const one = told.answers[i]!", "const one = told.answers[chunk.places.length - 1 - i]!"]],
    killers: [tests]
  },
  {
    name: "redis: what WAIT answers is not looked at",
    file: "src/internal/redis/wait.ts",
    edits: [["if (missing !== undefined) {", "if (missing === \"\") {"]],
    killers: [{ test: "test/RedisDriver.durability.test.ts", named: "is committed where too few have it" }]
  },
  {
    name: "redis: what is found applied is not waited for",
    file: script,
    edits: [["then mine = i end", "then mine = nil end"]],
    killers: [{ test: "test/RedisDriver.durability.test.ts", named: "may not replicate it leaves no doubt" }]
  },
  {
    name: "redis: nobody is told of a commit",
    file: script,
    edits: [["local answer = pcall(publish, keys[i], '')", "local answer = 1"]],
    killers: [{ test: "test/RedisDriver.changes.test.ts", named: "are sent with each commit" }]
  },
  {
    name: "redis: who begins to watch is not told to look",
    file: "src/internal/redis/changes.ts",
    edits: [["            for (const name of names) watchers.hint(name)\n          }))", "          }))"]],
    killers: [{ test: "test/RedisDriver.changes.test.ts" }]
  },
  {
    name: "redis: whether all of several scopes can be written is not looked at before the first is",
    file: script,
    edits: [["if matches and not fault and (writes > 1 or removes) then", "if matches and not fault and removes then"]],
    killers: [{ test: "test/RedisDriver.refusals.test.ts", named: "refuses before it writes anything" }]
  },
  {
    name: "redis: what is expected is compared only where there is something",
    file: script,
    edits: [[
      "if revision ~= sub(expected, find(expected, '::', 1, true) + 2, -2) then",
      "if found and revision ~= sub(expected, find(expected, '::', 1, true) + 2, -2) then"
    ]],
    killers: [tests]
  },
  {
    name: "redis: what is found applied counts as refused, however few replicas have it",
    file: "src/internal/redis/commit.ts",
    edits: [[
      "answers[place] = refused(one.map(decode), shortfall)",
      "answers[place] = refused(one.map(decode), undefined)"
    ]],
    killers: [{ test: "test/RedisDriver.durability.test.ts", named: "as well when others have written on top" }]
  },
  {
    name: "redis: whoever has work keeps the turn",
    file: turn,
    edits: [["return ++this.commits >= least && millis >= slice || millis >= longest", "return millis < 0"]],
    killers: [turns]
  },
  {
    name: "redis: nobody takes a turn that its holder does not hand on",
    file: turn,
    edits: [["    else this.beginTerm(this.queue.slice(place))\n", "    else this.watch()\n"]],
    killers: [turns]
  },
  {
    name: "redis: of two turns at once both go on",
    file: turn,
    edits: [["if (claims && this.wantedAt - this.toldAt >= pause) this.tell(this.queue)", ""]],
    killers: [turns]
  },
  {
    name: "redis: an old turn is taken for a new one",
    file: turn,
    edits: [["message._tag === \"Queue\" && !isLater(this.term, message.term)", "message._tag === \"Queue\""]],
    killers: [turns]
  },
  {
    name: "redis: whoever is told that there is nobody to hand on to keeps it to himself",
    file: turn,
    edits: [[
      "    if (this.since !== undefined || this.queue[0]?.name !== who) return\n",
      "    if (who !== \"\") return\n"
    ]],
    killers: [turns]
  },
  {
    name: "redis: a turn can come before it is waited for",
    file: turn,
    edits: [["    if (others === undefined ? this.isFree : this.isFreeOfOthers) return whenever()\n", ""]],
    killers: [turns]
  },
  {
    name: "redis: who is never refused does not hear whom he keeps out",
    file: "src/internal/redis/crowds.ts",
    edits: [["heard: (keys) => keys.forEach(look)", "heard: () => {}"]],
    killers: [{ test: "test/RedisDriver.turns.test.ts", named: "so far away" }]
  },
  {
    name: "redis: who is far away takes his own late message for another turn",
    file: turn,
    edits: [["      this.unheardSince = undefined\n      return\n", "      this.unheardSince = undefined\n"]],
    killers: [turns]
  },
  {
    name: "redis: a turn comes with any record, however large",
    file: "src/internal/redis/read.ts",
    edits: [["maxLittle = 2 ** 16", "maxLittle = 2 ** 26"]],
    killers: [{ test: "test/RedisDriver.turns.test.ts", named: "where the state is small" }]
  },
  {
    name: "redis: a turn is handed on behind its last commit",
    file: "src/internal/redis/crowds.ts",
    edits: [["else handOn()", "else queueMicrotask(handOn)"]],
    killers: [{ test: "test/RedisDriver.turns.test.ts", named: "hand on before the last commit" }]
  },
  {
    name: "redis: a turn is handed on before its last commit, however large",
    file: "src/internal/redis/crowds.ts",
    edits: [["large = 2 ** 14", "large = 2 ** 30"]],
    killers: [{ test: "test/RedisDriver.turns.test.ts", named: "hand on behind a last commit" }]
  }
]
