import { assert, describe, it } from "@effect/vitest"
import { Effect, Random, Schema, Stream } from "effect"
import { Scoped } from "effect-scoped"
import { Simulation } from "effect-scoped/testing"
import { simulations } from "../campaign/workload.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])

const operation = Random.choice(["increment", "read"] as const)
type Operation = "increment" | "read"

const model = {
  initial: 0,
  step: (count: number, operation: Operation): readonly [number, number] =>
    operation === "read" ? [count, count] : [count + 1, count + 1]
}

const right = (operation: Operation) => operation === "read" ? Scoped.get(Count) : increment

const observe = ["read"] as const

/** The first seed that fails, and how. */
const firstFault = <O, A>(simulation: Simulation.Simulation<O, A>) =>
  Effect.flip(Simulation.check(simulation, { runs: 500 }))

describe("Simulation", () => {
  for (const [name, simulation] of Object.entries(simulations)) {
    it(`one seed is one run, bit for bit: ${name}`, () => {
      const traces = new Set<string>()
      for (let seed = 1; seed <= 15; seed++) {
        const trace = Simulation.trace<unknown, unknown>(simulation as never, seed)
        assert.strictEqual(Simulation.trace<unknown, unknown>(simulation as never, seed), trace)
        traces.add(trace)
      }
      assert.strictEqual(traces.size, 15)
    })
  }

  it.effect("does not shrink what nobody could decide", () =>
    Effect.gen(function*() {
      const simulation = Simulation.make({ operation, run: right, model, observe })
      let judged = 0
      const undecided: typeof simulation = {
        ...simulation,
        judge: (ran, seed) => {
          judged++
          return { ...simulation.judge(ran, seed), fault: { kind: "undecided", message: "it takes too long" } }
        }
      }
      const error = yield* firstFault(undecided)
      assert.strictEqual(error.kind, "undecided")
      assert.isAtMost(judged, 3)
    }))

  it("nothing in it asks the machine for time, chance or patience", () => {
    const doors = [
      [Date, "now"],
      [Math, "random"],
      [performance, "now"],
      [process.hrtime, "bigint"],
      [crypto, "getRandomValues"],
      [crypto, "randomUUID"],
      [globalThis, "setTimeout"],
      [globalThis, "setImmediate"],
      [globalThis, "queueMicrotask"]
    ] as const
    const before = doors.map(([owner, name]) => Object.getOwnPropertyDescriptor(owner, name))
    try {
      for (const [owner, name] of doors) {
        Object.defineProperty(owner, name, {
          configurable: true,
          writable: true,
          value: () => {
            throw new Error(`the machine was asked for ${name}`)
          }
        })
      }
      for (const simulation of Object.values(simulations)) {
        for (let seed = 1; seed <= 40; seed++) {
          const { fault } = Simulation.run<unknown, unknown>(simulation as never, seed)
          if (fault !== undefined) throw new Error(fault.message)
        }
      }
    } finally {
      doors.forEach(([owner, name], i) => {
        const descriptor = before[i]
        if (descriptor === undefined) Reflect.deleteProperty(owner, name)
        else Object.defineProperty(owner, name, descriptor)
      })
    }
  })

  it.live("finds a lost update, and shows the shortest run that has it, lane by lane", () =>
    Effect.gen(function*() {
      const wrong = Simulation.make({
        operation,
        run: (operation: Operation) =>
          operation === "read"
            ? Scoped.get(Count)
            : Effect.flatMap(Scoped.get(Count), (count) => Scoped.update(Count, () => [count + 1, count + 1])),
        model,
        observe
      })
      const error = yield* firstFault(wrong)
      assert.strictEqual(error.kind, "order")
      assert.match(error.message, /^Seed \d+ fails \(order\)\. The shortest run found that does has [23] calls:/)
      assert.match(error.message, /ms +end +w\d/)
      assert.include(error.message, "No order of these calls explains their answers")
      assert.strictEqual(Simulation.explain(wrong, error.seed).message, error.message)
    }))

  it.live("finds an update that is run again when its outcome is not known", () =>
    Effect.gen(function*() {
      const wrong = Simulation.make({
        operation,
        run: (operation: Operation) =>
          Effect.retry(right(operation), {
            while: (error) => error._tag === "AmbiguousCommitError" || error._tag === "NotReplicatedError",
            times: 3
          }),
        model,
        observe
      })
      const error = yield* firstFault(wrong)
      assert.strictEqual(error.kind, "order")
    }))

  it.live("says so when a seed goes otherwise the second time", () =>
    Effect.gen(function*() {
      let chance = 0
      let most = 0
      for (
        const handler of [
          (count: number) => [chance++ % 50 === 20 ? -1 : count + 1, count + 1] as const,
          (count: number) => [most = Math.max(most, count) + 1, most] as const
        ]
      ) {
        const wrong = Simulation.make({
          operation,
          run: (operation: Operation) => operation === "read" ? Scoped.get(Count) : Scoped.update(Count, handler),
          model,
          observe
        })
        const error = yield* firstFault(wrong)
        assert.strictEqual(error.kind, "order")
        assert.match(error.message, /^Seed \d+ fails \(order\), but goes otherwise when it is run again/)
        assert.include(error.message, "No order of these calls explains their answers")
      }
    }))

  it.live("finds a call that is never answered", () =>
    Effect.gen(function*() {
      const wrong = Simulation.make({
        operation,
        run: (operation: Operation) => operation === "read" ? Effect.never : increment,
        model
      })
      const error = yield* firstFault(wrong)
      assert.strictEqual(error.kind, "hangs")
      assert.include(error.message, "Never answered")
    }))

  it.live("finds one that goes round in circles", () =>
    Effect.gen(function*() {
      const wrong = Simulation.make({
        operation,
        run: (operation: Operation) => operation === "read" ? Effect.forever(Effect.yieldNow) : increment,
        model
      })
      const seed = Array.from({ length: 50 }, (_, i) => i).find((seed) =>
        Simulation.run(wrong, seed).fault !== undefined
      )!
      assert.strictEqual(Simulation.run(wrong, seed).fault?.kind, "circles")
    }))

  it.live("finds a handler that throws", () =>
    Effect.gen(function*() {
      const wrong = Simulation.make({
        operation,
        run: (operation: Operation) =>
          operation === "read" ? Scoped.get(Count) : Scoped.update(Count, (count) => {
            if (count === 1) throw new Error("boom")
            return [count + 1, count + 1]
          }),
        model
      })
      const error = yield* firstFault(wrong)
      assert.strictEqual(error.kind, "defect")
      assert.include(error.message, "boom")
    }))

  it.live("finds a watcher that misses the last state, and one that goes back", () =>
    Effect.gen(function*() {
      const deaf = Simulation.make({
        operation,
        run: right,
        model,
        observe,
        watch: [{
          operation: "read" as const,
          changes: Stream.concat(Stream.take(Scoped.changes(Count), 1), Stream.never)
        }]
      })
      assert.strictEqual((yield* firstFault(deaf)).kind, "missed")
      const confused = Simulation.make({
        operation,
        run: right,
        model,
        observe,
        watch: [{ operation: "read" as const, changes: Stream.map(Scoped.changes(Count), (n) => n === 3 ? 2 : n) }]
      })
      assert.include(["order", "missed"], (yield* firstFault(confused)).kind)
    }))

  it.live("shows what a failover to a replica that lags behind loses", () =>
    Effect.gen(function*() {
      const lossy = Simulation.make({
        operation,
        run: right,
        model,
        observe,
        faults: { failover: true, store: 0.3 },
        check: ({ history }) => {
          const acknowledged = history.filter(({ input, outcome }) =>
            input === "increment" && outcome._tag !== "Unknown"
          ).length
          const last = history.at(-1)?.outcome
          return last?._tag === "Answered" && last.output < acknowledged
            ? `${acknowledged} were acknowledged, and ${last.output} are there`
            : undefined
        }
      })
      const error = yield* firstFault(lossy)
      assert.strictEqual(error.kind, "check")
      assert.match(error.message, /\d were acknowledged, and \d are there/)
      assert.include(error.message, "fails over, and forgets")
    }))

  it.live("lets the event loop go on", () =>
    Effect.gen(function*() {
      let ticks = 0
      const timer = setInterval(() => ticks++, 1)
      yield* Simulation.check(simulations.calls, { runs: 300 })
      clearInterval(timer)
      assert.isAbove(ticks, 2)
    }))
})
