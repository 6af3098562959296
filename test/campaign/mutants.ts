/**
 * Ways to break the engine on purpose. Each is a text that is replaced in a file; where the text is no more, the mutant
 * has to be aimed anew. `killers` are the simulations that must find it; where there are none, none does: the
 * simulated store never loses a part of a transaction.
 */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly killers: ReadonlyArray<"calls" | "watchers" | "forgetful" | "crowds">
}

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "the mark is not searched for: a refused resending is run again",
    file: "src/internal/engine/verdict.ts",
    find: "    if (applied === true) found++\n",
    replace: "    if (applied === true) missed++\n",
    killers: ["calls"]
  },
  {
    name: "the mark is searched for only when an answer was lost",
    file: "src/internal/engine/verdict.ts",
    find: "  if (mark === undefined) return",
    replace: "  if (mark === undefined || !run.doubt) return",
    killers: ["calls"]
  },
  {
    name: "what is in doubt counts as failed",
    file: "src/internal/engine/verdict.ts",
    find: "answer.inDoubt || run.doubt ?",
    replace: "run.doubt ?",
    killers: ["calls"]
  },
  {
    name: "what was once in doubt is forgotten when a resending fails without doubt",
    file: "src/internal/engine/verdict.ts",
    find: "answer.inDoubt || run.doubt ?",
    replace: "answer.inDoubt ?",
    killers: ["calls"]
  },
  {
    name: "a commit on too few replicas counts as failed",
    file: "src/internal/engine/verdict.ts",
    find: "if (answer.reason === \"NotReplicated\") return",
    replace: "if (answer.reason === \"Closed\") return",
    killers: ["calls"]
  },
  {
    name: "one part that lacks the mark is enough to say that nothing was applied",
    file: "src/internal/engine/verdict.ts",
    find: "  if (found > 0) {\n    return missed === 0 ?",
    replace: "  if (found > 0) {\n    return missed >= 0 ?",
    killers: []
  },
  {
    name: "a revision is the writer's mark alone: others are forgotten",
    file: "src/internal/engine/revision.ts",
    find: "let length = Math.min(marks.length, capacity - 1)",
    replace: "let length = Math.min(marks.length, 0)\n  marks.length = 0",
    killers: ["calls"]
  },
  {
    name: "a forgotten mark counts as one that never was",
    file: "src/internal/engine/revision.ts",
    find: "< mark.sequence ? false : undefined",
    replace: "< mark.sequence ? false : false",
    killers: ["forgetful"]
  },
  {
    name: "marks have no age: the sequence of a writer starts again with each commit",
    file: "src/internal/engine/committer.ts",
    find: "sequence = Math.max(sequence + 1, latest + 1, Math.floor(clock.currentTimeMillisUnsafe()))",
    replace: "sequence = latest + 1",
    killers: ["forgetful"]
  },
  {
    name: "two commits of a writer share a mark",
    file: "src/internal/engine/committer.ts",
    find: "sequence = Math.max(sequence + 1, latest + 1, Math.floor(clock.currentTimeMillisUnsafe()))",
    replace: "sequence = Math.max(sequence, 1)",
    killers: ["calls"]
  },
  {
    name: "the handlers are not run again after a refusal: their old answers go out",
    file: "src/internal/engine/committer.ts",
    find:
      "        this.again.refused(run, decision.current)\n        lane.hurry = true\n        this.land(run)\n        return false",
    replace: "        return true",
    killers: ["calls"]
  },
  {
    name: "answers that change nothing come from a stale guess",
    file: "src/internal/engine/run.ts",
    find: "!updates.every((update) => update.joinedAt <= asOf)",
    replace: "asOf < 0",
    killers: ["calls"]
  },
  {
    name: "what is known of several scopes at different moments counts as one moment",
    file: "src/internal/engine/run.ts",
    find: "return writes || !slots.every((slot) => slot.known.moment === moment) ||",
    replace: "return writes || moment < 0 ||",
    killers: ["calls"]
  },
  {
    name: "a lost commit is run anew instead of being sent again",
    file: "src/internal/engine/again.ts",
    find: "        lane.outbox.push(run)\n        this.lines.wake(lane)",
    replace:
      "        run.slots.forEach(({ cell }) => cell.known = undefined)\n        this.lines.free(run.slots.map((slot) => slot.cell))\n        this.refused(run, run.slots.map(() => null))",
    killers: ["calls"]
  },
  {
    name: "a commit is sent again however long ago it was first sent",
    file: "src/internal/engine/again.ts",
    find: "this.elapsed() - run.sentAt! > this.resendFor",
    replace: "this.elapsed() < 0",
    killers: ["forgetful"]
  },
  {
    name: "an interrupted caller is let go while its commit is in flight",
    file: "src/internal/engine/lines.ts",
    find: "        update.abandoned = () => resume(Effect.void)",
    replace: "        update.abandoned = () => {}\n        resume(Effect.void)",
    killers: ["calls"]
  },
  {
    name: "closing a layer does not wait for what is in flight",
    file: "src/internal/engine/committer.ts",
    find: "    if (this.inFlight.size === 0) this.onIdle()\n  })",
    replace: "    this.onIdle()\n  })",
    killers: ["calls"]
  },
  {
    name: "nobody looks when a state may have expired",
    file: "src/internal/engine/watch.ts",
    find: "if (last === undefined || last.expiresAt === Infinity)",
    replace: "if (last === undefined || last.expiresAt > 0)",
    killers: ["watchers"]
  },
  {
    name: "the first hint of a subscription is lost",
    file: "src/internal/engine/watch.ts",
    find: "Stream.runForEach(options.hints, () => {",
    replace: "Stream.runForEach(Stream.drop(options.hints, 1), () => {",
    killers: ["watchers"]
  },
  {
    name: "what was refused is not learnt: the old guess stays",
    file: "src/internal/engine/committer.ts",
    find: "          cell.known = toKnown(decision.current[i]!, asOf, moment, now)\n",
    replace: "",
    killers: ["calls"]
  },
  {
    name: "a refused update gives up at once",
    file: "src/internal/engine/again.ts",
    find: "this.elapsed() - attempts.since < Schedules.patience",
    replace: "this.elapsed() - attempts.since < 0",
    killers: ["calls"]
  },
  {
    name: "a refused update is left out of its line",
    file: "src/internal/engine/again.ts",
    find: "        ? this.lines.rejoin(updates, true)",
    replace: "        ? undefined",
    killers: ["calls"]
  },
  {
    name: "nobody is told when a layer closes",
    file: "src/internal/engine/committer.ts",
    find: "this.failAll(this.lines.drain(cell), this.calls.closed)",
    replace: "this.lines.drain(cell)",
    killers: ["calls"]
  },
  {
    name: "a failed update is told that it may have been applied",
    file: "src/internal/engine/committer.ts",
    find: "      if (!update.wrote && error !== undefined) update.settle",
    replace: "      if (error !== undefined) update.settle",
    killers: ["calls"]
  }
]
