import type { Mutant } from "./mutant.ts"

const verdict = "src/internal/engine/verdict.ts"

export const engine: ReadonlyArray<Mutant> = [
  {
    name: "the mark is not searched for: a refused resending is run again",
    file: verdict,
    edits: [["    if (applied === true) found++\n", "    if (applied === true) missed++\n"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "the mark is searched for only when an answer was lost",
    file: verdict,
    edits: [["  if (mark === undefined) return", "  if (mark === undefined || !run.doubt) return"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "what is in doubt counts as failed",
    file: verdict,
    edits: [["answer.inDoubt || run.doubt ?", "run.doubt ?"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "what was once in doubt is forgotten when a resending fails without doubt",
    file: verdict,
    edits: [["answer.inDoubt || run.doubt ?", "answer.inDoubt ?"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a commit on too few replicas counts as failed",
    file: verdict,
    edits: [["if (answer.reason === \"NotReplicated\") return", "if (answer.reason === \"Closed\") return"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "one part with the mark is enough to say that all was applied",
    file: verdict,
    edits: [[
      "    if (missed > 0) {\n      return {\n        _tag: \"Unknowable\"",
      "    if (missed < 0) {\n      return {\n        _tag: \"Unknowable\""
    ]],
    killers: [{ test: "test/engine/parts.test.ts" }]
  },
  {
    name: "a revision is the writer's mark alone: others are forgotten",
    file: "src/internal/engine/revision.ts",
    edits: [[
      "let length = Math.min(marks.length, capacity - 1)",
      "let length = Math.min(marks.length, 0)\n  marks.length = 0"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a forgotten mark counts as one that never was",
    file: "src/internal/engine/revision.ts",
    edits: [["< mark.sequence ? false : undefined", "< mark.sequence ? false : false"]],
    killers: [{ simulation: "forgetful" }]
  },
  {
    name: "marks have no age: the sequence of a writer starts again with each commit",
    file: "src/internal/engine/committer.ts",
    edits: [[
      "sequence = Math.max(sequence + 1, latest + 1, Math.floor(now))",
      "sequence = latest + 1"
    ]],
    killers: [{ simulation: "forgetful" }]
  },
  {
    name: "two commits of a writer share a mark",
    file: "src/internal/engine/committer.ts",
    edits: [[
      "sequence = Math.max(sequence + 1, latest + 1, Math.floor(now))",
      "sequence = Math.max(sequence, 1)"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "the handlers are not run again after a refusal: their old answers go out",
    file: "src/internal/engine/outcomes.ts",
    edits: [[
      "        this.again.refused(run, decision.current)\n        lane.hurry = true\n        this.flights.land(run)\n        return false",
      "        return true"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "answers that change nothing come from a stale guess",
    file: "src/internal/engine/run.ts",
    edits: [["if (this.updates[i]!.joinedAt > tick) return true", "if (tick < 0) return true"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "what is known of several scopes at different moments counts as one moment",
    file: "src/internal/engine/run.ts",
    edits: [[
      "sameMoment &&= slot.known.moment === slots[0]!.known.moment",
      "sameMoment &&= slot.known.moment > -1"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a lost commit is run anew instead of being sent again",
    file: "src/internal/engine/again.ts",
    edits: [[
      "        lane.outbox.push({ run, tooLate })\n        this.lines.wake(lane)",
      "        run.slots.forEach(({ cell }) => cell.known = undefined)\n        this.lines.free(run.cells)\n        this.refused(run, run.slots.map(() => null))"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a commit is sent again however long ago it was first sent",
    file: "src/internal/engine/again.ts",
    edits: [["this.elapsed() - run.sentAt! > this.resendFor", "this.elapsed() < 0"]],
    killers: [{ simulation: "forgetful" }]
  },
  {
    name: "an interrupted caller is let go while its commit is in flight",
    file: "src/internal/engine/lines.ts",
    edits: [[
      "        update.abandoned = settled",
      "        update.abandoned = () => {}\n        settled()"
    ]],
    killers: [{ test: "test/engine/engine.test.ts", named: "waits for a commit in flight" }]
  },
  {
    name: "closing a layer does not wait for what is in flight",
    file: "src/internal/engine/flights.ts",
    edits: [["    this.onIdle = onIdle\n    if (this.count === 0) onIdle()", "    this.onIdle = onIdle\n    onIdle()"]],
    killers: [{ test: "test/engine/engine.test.ts", named: "ends the commit in flight and answers it" }]
  },
  {
    name: "nobody looks when a state may have expired",
    file: "src/internal/engine/watch.ts",
    edits: [[
      "if (last === undefined || last.expiresAt === Infinity)",
      "if (last === undefined || last.expiresAt > 0)"
    ]],
    killers: [{ simulation: "watchers" }]
  },
  {
    name: "the first hint of a subscription is lost",
    file: "src/internal/engine/watch.ts",
    edits: [["Stream.runForEach(options.hints, () =>", "Stream.runForEach(Stream.drop(options.hints, 1), () =>"]],
    killers: [{ simulation: "watchers" }]
  },
  {
    name: "what was refused is not learnt: the old guess stays",
    file: "src/internal/engine/outcomes.ts",
    edits: [["          cell.known = toKnown(decision.current[i]!, asOf, moment, now)\n", ""]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a refused update gives up at once",
    file: "src/internal/engine/again.ts",
    edits: [["this.elapsed() - attempts.since < Schedules.patience", "this.elapsed() - attempts.since < 0"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "a refused update is left out of its line",
    file: "src/internal/engine/again.ts",
    edits: [["        ? this.lines.rejoin(updates, true)", "        ? undefined"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "nobody is told when a layer closes",
    file: "src/internal/engine/committer.ts",
    edits: [["failAll(this.lines.drain(cell), this.calls.closed)", "this.lines.drain(cell)"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "an update that may have been applied is told that it failed",
    file: "src/internal/engine/outcomes.ts",
    edits: [["error !== undefined && !update.wrote", "error !== undefined"]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "whether it is too late to send again is looked at when it is queued, not when it is sent",
    file: "src/internal/engine/gather.ts",
    edits: [["if (!tooLate()) this.add(batch, run)", "this.add(batch, run)"]],
    killers: [{ simulation: "corners" }, {
      test: "test/engine/engine.test.ts",
      named: "also not what waited for others"
    }]
  },
  {
    name: "how long something is in doubt is counted from when it was last sent",
    file: "src/internal/engine/committer.ts",
    edits: [["run.sentAt ??= sentAt", "run.sentAt = sentAt"]],
    killers: [{ simulation: "corners" }, { test: "test/engine/engine.test.ts", named: "nothing is sent again later" }]
  },
  {
    name: "a lost commit is sent again under a new mark",
    file: "src/internal/engine/again.ts",
    edits: [[
      "        lane.outbox.push({ run, tooLate })",
      "        run.seal()\n        lane.outbox.push({ run, tooLate })"
    ]],
    killers: [{ simulation: "calls" }]
  },
  {
    name: "updates of one name are fused, whatever their schemas",
    file: "src/internal/engine/update.ts",
    edits: [[
      "if (j === -1 || !samePart(some.target.parts[i]!, all.target.parts[j]!)) return false",
      "if (j === -1) return false"
    ]],
    killers: [{ test: "test/engine/engine.test.ts", named: "two schemas for one name are not fused" }]
  },
  {
    name: "a scope waits where it waited before, whichever storage that was of, and whether it is still looked at",
    file: "src/internal/engine/lines.ts",
    edits: [["seat[i]!.key !== cells.key || ", ""]],
    killers: [{ test: "test/engine/seats.test.ts" }]
  },
  {
    name: "a name that was let in once is let in for ever",
    file: "src/internal/engine/lines.ts",
    edits: [[" || seat[i]!.nameBytes !== nameBytes", ""]],
    killers: [{ test: "test/engine/seats.test.ts", named: "once its limits are lower" }]
  },
  {
    name: "what came with a turn counts as read when the turn came",
    file: "src/internal/engine/gather.ts",
    edits: [["this.learn(cell, record, asOf)", "this.learn(cell, record, this.tick())"]],
    killers: [{ test: "test/engine/turns.test.ts", named: "counts as read when the turn was asked for" }]
  },
  {
    name: "what came with a turn is held for those who are gone",
    file: "src/internal/engine/gather.ts",
    edits: [["        this.unwanted(cell)\n      })", "      })"]],
    killers: [{ test: "test/engine/turns.test.ts", named: "that nobody waits for any more" }]
  }
]
