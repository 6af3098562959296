/**
 * Ways to break the engine on purpose. Each is a text that is replaced in a file; where the text is no more, the mutant
 * has to be aimed anew. `killers` are the simulations that must find it.
 */
export interface Mutant {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly killers: ReadonlyArray<"calls" | "watchers" | "crowds">
}

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "the mark is not searched for: a refused resending is run again",
    file: "src/internal/verdict.ts",
    find: "if (applied === true) return",
    replace: "if (applied === true && run.mark === \"\") return",
    killers: ["calls"]
  },
  {
    name: "the mark is searched for only when an answer was lost",
    file: "src/internal/verdict.ts",
    find: "  let unknown = false\n",
    replace:
      "  if (run.doubtSince === undefined) return { _tag: \"NotApplied\", current: answer.current }\n  let unknown = false\n",
    killers: ["calls"]
  },
  {
    name: "what is in doubt counts as failed",
    file: "src/internal/verdict.ts",
    find: "answer.inDoubt || run.doubtSince !== undefined",
    replace: "run.doubtSince !== undefined",
    killers: ["calls"]
  },
  {
    name: "what was once in doubt is forgotten when a resending fails without doubt",
    file: "src/internal/verdict.ts",
    find: "answer.inDoubt || run.doubtSince !== undefined",
    replace: "answer.inDoubt",
    killers: ["calls"]
  },
  {
    name: "a commit on too few replicas counts as failed",
    file: "src/internal/verdict.ts",
    find: "if (answer.reason === \"NotReplicated\") return { _tag: \"Applied\", shortfall: answer.description }",
    replace: "",
    killers: ["calls"]
  },
  {
    name: "a revision is the writer's mark alone: others are forgotten",
    file: "src/internal/revision.ts",
    find: "return [mark, ...others.slice(0, capacity - 1)].join(\" \")",
    replace: "return [mark, ...others.slice(0, 0)].join(\" \")",
    killers: ["calls"]
  },
  {
    name: "the handlers are not run again after a refusal: their old answers go out",
    file: "src/internal/committer.ts",
    find: "        refuse(run, decision.current)\n        return Metrics.refused",
    replace: "        return reply(run)",
    killers: ["calls"]
  },
  {
    name: "a check of the whole guess is left out where nothing changes: answers come from a stale guess",
    file: "src/internal/run.ts",
    find:
      "const holds = !changed && cells.every((cell) => cell.known!.moment === moment) &&\n    updates.every((update) => update.joinedAt <= asOf)",
    replace: "const holds = !changed && (moment >= 0 || asOf < 0)",
    killers: ["calls"]
  },
  {
    name: "parts that are only read are not checked in the commit (write skew)",
    file: "src/internal/run.ts",
    find: "      transaction.push({ name: cell.name, expected: known.revision, next: undefined })\n",
    replace: "",
    killers: ["calls"]
  },
  {
    name: "a resending has a new mark",
    file: "src/internal/committer.ts",
    find: "    outbox.push(run)\n    pump.wake()",
    replace: "    lines.free(run.cells)\n    refuse(run, run.transaction!.map(() => null))\n    pump.wake()",
    killers: ["calls"]
  },
  {
    name: "an interrupted caller is let go while its commit is in flight",
    file: "src/internal/lines.ts",
    find: "        update.abandoned = () => resume(Effect.void)",
    replace: "        update.abandoned = () => {}\n        resume(Effect.void)",
    killers: ["calls"]
  },
  {
    name: "closing a layer does not wait for what is in flight",
    file: "src/internal/committer.ts",
    find: "if (inFlight.size === 0) onIdle()",
    replace: "onIdle()",
    killers: ["calls"]
  },
  {
    name: "a get joins a read that began before it",
    file: "src/internal/reader.ts",
    find: "    if (batch.length === asked.size) {\n      asked = new Map()\n    } else {",
    replace: "    if (batch.length < 0) {\n      asked = new Map()\n    } else if (batch.length > maxNames) {",
    killers: ["calls"]
  },
  {
    name: "the first hint of a subscription is lost",
    file: "src/internal/watch.ts",
    find: "        const ended = yield* Effect.result(Stream.runForEach(options.hints, () => {",
    replace: "        const ended = yield* Effect.result(Stream.runForEach(Stream.drop(options.hints, 1), () => {",
    killers: ["watchers"]
  },
  {
    name: "nobody looks when a state may have expired",
    file: "src/internal/watch.ts",
    find: "const hint = options.idleTimeToLive === undefined",
    replace: "const hint = options.recovery !== undefined",
    killers: ["watchers"]
  },
  {
    name: "a subscription that was lost is not made again",
    file: "src/internal/watch.ts",
    find: "        if (delay === undefined && Result.isFailure(ended)) return yield* Queue.fail(hints, ended.failure)",
    replace: "        if (delay === undefined || Result.isFailure(ended)) return yield* Effect.never",
    killers: ["watchers"]
  },
  {
    name: "an abort writes the state it has seen",
    file: "src/internal/fusion.ts",
    find: "          update.outcome = Exit.fail(output.failure)\n          return",
    replace:
      "          update.outcome = Exit.fail(output.failure)\n          this.leave(this.states.map((state) => Array.isArray(state) ? [...state, -1] : state), none)\n          return",
    killers: ["calls"]
  },
  {
    name: "a removal writes an empty state instead of a tombstone",
    file: "src/internal/run.ts",
    find: "next: { revision, data: text },",
    replace: "next: { revision, data: text ?? \"[]\" },",
    killers: ["calls"]
  },
  {
    name: "the mark of one commit is given to the next, too",
    file: "src/internal/committer.ts",
    find: "(sequence++).toString(36)",
    replace: "(sequence++ >> 1).toString(36)",
    killers: ["calls"]
  },
  {
    name: "what is known is not forgotten after it could not be known what became of it",
    file: "src/internal/committer.ts",
    find: "    for (const cell of run.cells) cell.known = undefined\n",
    replace: "    run.cells.forEach((cell, i) => cell.known = { ...run.next[i]!, asOf: tick(), moment: tick() })\n",
    killers: ["calls"]
  },
  {
    name: "what expires is written without its time to live",
    file: "src/internal/run.ts",
    find: "expiresIn: text === null ? undefined : part.idleTimeToLive,",
    replace: "expiresIn: undefined,",
    killers: ["calls"]
  },
  {
    name: "a refused update waits for ever",
    file: "src/internal/committer.ts",
    find: "      lines.rejoin(updates, Duration.isZero(delay))",
    replace: "      if (cohort.attempts < 2) lines.rejoin(updates, Duration.isZero(delay))",
    killers: ["calls"]
  },
  {
    name: "a refused update gives up at once",
    file: "src/internal/committer.ts",
    find: "      if (delay === undefined) {",
    replace: "      if (delay === undefined || cohort.attempts > 1) {",
    killers: ["calls"]
  }
]
