import { assert, it } from "@effect/vitest"
import { type Cause, Effect, Exit, Layer, Result, Schedule, Schema } from "effect"
import { Scoped, Storage } from "effect-scoped"
import * as Scripted from "./support/scripted.ts"

const Kind = Schema.Literals(["append", "append", "append", "read", "abort", "throw", "bad", "bulk"])
const Fault = Schema.Literals(["none", "none", "lost", "dropped", "resent", "overtaken", "lostAndOvertaken", "failing"])

class Boom {
  readonly seen: ReadonlyArray<string>
  constructor(seen: ReadonlyArray<string>) {
    this.seen = seen
  }
}

/** What each fault does to a commit; `other` is another writer's update. */
const scenes = (other: Effect.Effect<unknown, unknown>): Record<typeof Fault.Type, Scripted.Scene> => ({
  none: (batch, commit) => commit(batch),
  lost: Scripted.lost,
  dropped: Scripted.dropped,
  resent: Scripted.resent,
  failing: Scripted.failing,
  overtaken: Scripted.after(other),
  lostAndOvertaken: (batch, commit) => Effect.ensuring(Scripted.lost(batch, commit), Effect.orDie(other))
})

/**
 * Every handler tells what it saw, and those that write append their own name. So the final state is a serial order,
 * and an answer is right exactly when what its handler saw is what that order had written before it.
 */
const serial = (schema: Schema.Codec<ReadonlyArray<string>, unknown>) =>
({
  kinds,
  faults
}: {
  readonly kinds: ReadonlyArray<typeof Kind.Type>
  readonly faults: ReadonlyArray<typeof Fault.Type>
}) =>
  Effect.gen(function*() {
    const Log = Scoped.make("log", { schema, initial: [] })
    const scripted = yield* Scripted.make()
    const elsewhere = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
    let others = 0
    const other = Effect.suspend(() => {
      const name = `other${others++}`
      return Scoped.update(Log, (log) => [log, [...log, name]])
    }).pipe(Effect.provide(elsewhere))
    scripted.script.push(...faults.map((fault) => scenes(other)[fault]))

    const operations = kinds.map((kind, i) => {
      const own = `${kind}${i}`
      const update = Scoped.updateResult(Log, (log) => {
        switch (kind) {
          case "append":
            return Result.succeed([log, [...log, own]] as const)
          case "bulk":
            return Result.succeed([log, [...log, own, own, own]] as const)
          case "read":
            return Result.succeed([log, log] as const)
          case "abort":
            return Result.fail(new Boom(log))
          case "throw":
            throw new Boom(log)
          case "bad":
            return Result.succeed([log, [...log, 1 as unknown as string]] as const)
        }
      })
      return Effect.map(Effect.exit(update), (exit) => ({ kind, own, exit }))
    })
    // Some at once, some later, so that lines, guesses and refusals all occur.
    const outcomes = yield* Effect.forEach(
      operations,
      (operation, i) => Effect.andThen(Effect.yieldNow.pipe(Effect.repeat({ times: (i * 7) % 5 })), operation),
      { concurrency: 6 }
    ).pipe(Effect.provide(Scripted.layer(scripted, {
      retry: Schedule.recurs(30),
      recovery: Schedule.recurs(30),
      batchSize: 2
    })))

    const final = yield* Effect.provide(Scoped.get(Log), elsewhere)
    for (const { exit, kind, own } of outcomes) {
      const written = final.filter((name) => name === own).length
      const error = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
      if (error?._tag === "Fail" && (error.error as { _tag?: string })._tag === "DriverError") {
        assert.strictEqual(written, 0, own)
        continue
      }
      if (kind === "bad") {
        assert.strictEqual((error as Cause.Fail<{ _tag: string }>).error._tag, "StateError")
        continue
      }
      const seen = Exit.isSuccess(exit)
        ? exit.value
        : error?._tag === "Fail"
        ? (error.error as Boom).seen
        : (error as Cause.Die).defect instanceof Boom
        ? ((error as Cause.Die).defect as Boom).seen
        : assert.fail(String(exit))
      assert.deepStrictEqual(seen, final.slice(0, seen.length), `${own} saw a state that never was`)
      const times = kind === "append" ? 1 : kind === "bulk" ? 3 : 0
      assert.strictEqual(written, times, own)
      if (times > 0) assert.strictEqual(final[seen.length], own)
    }
    assert.strictEqual(final.filter((name) => name.startsWith("other")).length, others)
  })

const Input = Schema.Struct({
  kinds: Schema.Array(Kind).check(Schema.isMaxLength(30)),
  faults: Schema.Array(Fault).check(Schema.isMaxLength(20))
})

it.effect.prop(
  "concurrent updates are those of some serial order",
  [Input],
  ([input]) => serial(Schema.Array(Schema.NonEmptyString))(input),
  { arbitrary: { runs: 300 }, timeout: 60_000 }
)

it.effect.prop(
  "also under a schema without checks",
  [Input],
  ([input]) => serial(Schema.Array(Schema.String))({ ...input, kinds: input.kinds.filter((kind) => kind !== "bad") }),
  {
    arbitrary: { runs: 300 },
    timeout: 60_000
  }
)

/** Whether every edge can point forward in some order. */
const acyclic = (edges: ReadonlyMap<string, ReadonlySet<string>>): boolean => {
  const state = new Map<string, "open" | "done">()
  const visit = (node: string): boolean => {
    if (state.has(node)) return state.get(node) === "done"
    state.set(node, "open")
    for (const next of edges.get(node) ?? []) {
      if (!visit(next)) return false
    }
    state.set(node, "done")
    return true
  }
  return [...edges.keys()].every(visit)
}

const Step = Schema.Struct({
  logs: Schema.Array(Schema.Literals([0, 1, 2, 3])).check(Schema.isMinLength(1), Schema.isMaxLength(4)),
  kind: Schema.Literals(["append", "append", "copy", "read"])
})

it.effect.prop("updates of several scopes are serializable", [
  Schema.Struct({
    steps: Schema.Array(Step).check(Schema.isMaxLength(25)),
    faults: Schema.Array(Fault).check(Schema.isMaxLength(15))
  })
], ([{ faults, steps }]) =>
  Effect.gen(function*() {
    const logs = [0, 1, 2, 3].map((i) => Scoped.make(`log${i}`, { schema: Schema.Array(Schema.String), initial: [] }))
    const scripted = yield* Scripted.make()
    const elsewhere = yield* Layer.build(Storage.layer(Effect.succeed(scripted.store)))
    let others = 0
    const other = Effect.suspend(() => {
      const name = `other${others++}`
      return Scoped.update(logs[others % 4]!, (log) => [log, [...log, name]])
    }).pipe(Effect.provide(elsewhere))
    scripted.script.push(...faults.map((fault) => scenes(other)[fault]))

    const outcomes = yield* Effect.forEach(steps, ({ kind, logs: chosen }, i) => {
      const distinct = [...new Set(chosen)]
      const own = `${kind}${i}`
      const product = Scoped.all(distinct.map((log) => logs[log]!))
      return Effect.yieldNow.pipe(
        Effect.repeat({ times: (i * 7) % 5 }),
        Effect.andThen(Scoped.update(product, (seen) => {
          switch (kind) {
            case "append":
              return [seen, seen.map((log) => [...log, own])]
            // Writes one of them, having read all
            case "copy":
              return [seen, seen.map((log, j) => j === 0 ? [...log, own] : log)]
            case "read":
              return [seen, seen]
          }
        })),
        Effect.exit,
        Effect.map((exit) => ({ kind, own, exit, logs: distinct }))
      )
    }, { concurrency: 8 }).pipe(
      Effect.provide(
        Scripted.layer(scripted, { retry: Schedule.recurs(50), recovery: Schedule.recurs(30), batchSize: 2 })
      )
    )

    const final = yield* Effect.forEach(logs, Scoped.get).pipe(Effect.provide(elsewhere))
    const edges = new Map<string, Set<string>>()
    const before = (a: string | undefined, b: string | undefined) => {
      if (a === undefined || b === undefined || a === b) return
      if (!edges.has(a)) edges.set(a, new Set())
      edges.get(a)!.add(b)
    }
    for (const log of final) log.forEach((name, i) => before(name, log[i + 1]))
    for (const { exit, kind, logs: chosen, own } of outcomes) {
      const written = chosen.filter((log) => final[log]!.includes(own)).length
      if (Exit.isFailure(exit)) {
        assert.include(String(exit), "DriverError")
        assert.strictEqual(written, 0, own)
        continue
      }
      assert.strictEqual(written, kind === "read" ? 0 : kind === "copy" ? 1 : chosen.length, own)
      exit.value.forEach((seen, i) => {
        const log = final[chosen[i]!]!
        assert.deepStrictEqual(seen, log.slice(0, seen.length), `${own} saw a state that never was`)
        before(seen.at(-1), own)
        before(own, log.slice(seen.length).find((name) => name !== own))
      })
    }
    assert.isTrue(acyclic(edges), "no serial order explains what was seen")
  }), { arbitrary: { runs: 300 }, timeout: 60_000 })
