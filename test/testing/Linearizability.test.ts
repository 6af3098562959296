import { assert, describe, it } from "@effect/vitest"
import { Effect, Equal, Schema } from "effect"
import { Linearizability } from "effect-scoped/testing"
import { answered, applied, type Call, check, type Model, unknown } from "../../src/testing/Linearizability.ts"
import { numbers } from "../file/seeded.ts"

/** A few registers: read, write and copy, and all of them read at once. */
type Input =
  | { readonly read: string }
  | { readonly write: string; readonly value: number }
  | { readonly add: string }
  | { readonly clear: string }
  | { readonly readAll: ReadonlyArray<string> }
  | { readonly takeIfBoth: string; readonly other: string }

type State = { readonly [name: string]: number }

const registers: Model<State, Input, unknown> = {
  initial: {},
  step: (state, input) => {
    if ("read" in input) return [state[input.read] ?? 0, state]
    if ("readAll" in input) return [input.readAll.map((name) => state[name] ?? 0), state]
    if ("add" in input) {
      const sum = (state[input.add] ?? 0) + 1
      return [sum, { ...state, [input.add]: sum }]
    }
    if ("clear" in input) return ["ok", { ...state, [input.clear]: 0 }]
    if ("takeIfBoth" in input) {
      // On call are at least one: whoever leaves makes sure of the other.
      const may = (state[input.takeIfBoth] ?? 0) === 1 && (state[input.other] ?? 0) === 1
      return [may, may ? { ...state, [input.takeIfBoth]: 0 } : state]
    }
    return ["ok", { ...state, [input.write]: input.value }]
  },
  keys: (input) =>
    "read" in input
      ? [input.read]
      : "readAll" in input
      ? input.readAll
      : "add" in input
      ? [input.add]
      : "takeIfBoth" in input
      ? [input.takeIfBoth, input.other]
      : "clear" in input
      ? [input.clear]
      : [input.write],
  reads: (input) => "read" in input || "readAll" in input
}

const call = (called: number, returned: number, input: Input, output: unknown): Call<Input, unknown> => ({
  called,
  returned,
  input,
  outcome: answered(output)
})

const doubtful = (called: number, input: Input, returned = Infinity): Call<Input, unknown> => ({
  called,
  returned,
  input,
  outcome: unknown
})

const first = call(0, 1, { add: "x" }, 1)
const bothOnCall = [call(0, 1, { write: "x", value: 1 }, "ok"), call(0, 1, { write: "y", value: 1 }, "ok")]

describe("Linearizability.check", () => {
  const right: ReadonlyArray<readonly [what: string, history: ReadonlyArray<Call<Input, unknown>>]> = [
    ["nothing", []],
    ["one after another", [first, call(2, 3, { add: "x" }, 2), call(4, 5, { read: "x" }, 2)]],
    ["two at once, in either order", [call(0, 9, { add: "x" }, 2), call(1, 8, { add: "x" }, 1)]],
    ["the end of one at the moment at which the next begins", [
      call(0, 5, { add: "x" }, 2),
      call(5, 6, { add: "x" }, 1)
    ]],
    ["a read of the old state while an update runs", [
      first,
      call(2, 9, { add: "x" }, 2),
      call(3, 4, { read: "x" }, 1)
    ]],
    ["a read of the new state while an update runs", [
      first,
      call(2, 9, { add: "x" }, 2),
      call(3, 4, { read: "x" }, 2)
    ]],
    ["an update without an answer that never happened", [
      first,
      doubtful(2, { add: "x" }),
      call(8, 9, { read: "x" }, 1)
    ]],
    ["an update without an answer that happened late", [
      first,
      doubtful(2, { add: "x" }),
      call(3, 4, { read: "x" }, 1),
      call(8, 9, { read: "x" }, 2)
    ]],
    ["an interrupted update that happened before it ended", [
      doubtful(0, { add: "x" }, 5),
      call(2, 3, { read: "x" }, 0),
      call(6, 7, { read: "x" }, 1)
    ]],
    ["a removal that had nothing to remove at first", [
      call(0, 9, { clear: "x" }, "ok"),
      doubtful(1, { add: "x" }),
      doubtful(2, { add: "y" }),
      call(20, 21, { readAll: ["x", "y"] }, [0, 1])
    ]],
    ["many without an answer, one of which happened", [
      ...Array.from({ length: 30 }, (_, i) => doubtful(i, { write: "x", value: i })),
      call(100, 101, { read: "x" }, 17),
      call(102, 103, { read: "x" }, 17)
    ]],
    ["an update that happened, whose answer was lost", [
      { called: 0, returned: 1, input: { add: "x" }, outcome: applied },
      call(2, 3, { read: "x" }, 1)
    ]],
    ["products, of which one comes between the others", [
      call(0, 9, { write: "x", value: 1 }, "ok"),
      call(0, 9, { write: "y", value: 1 }, "ok"),
      call(1, 2, { readAll: ["x", "y"] }, [1, 0]),
      call(3, 4, { readAll: ["x", "y"] }, [1, 1])
    ]]
  ]
  for (const [what, history] of right) {
    it(`accepts ${what}`, () => {
      const verdict = check(history, registers)
      assert.strictEqual(verdict._tag, "Linearizable")
    })
  }

  const wrong: ReadonlyArray<
    readonly [what: string, history: ReadonlyArray<Call<Input, unknown>>, culprits: ReadonlyArray<number>]
  > = [
    ["a lost update", [first, call(2, 9, { add: "x" }, 2), call(3, 8, { add: "x" }, 2)], [1, 2]],
    ["an update applied twice", [first, call(2, 3, { read: "x" }, 2)], [1]],
    ["a failed update that was applied", [call(2, 3, { read: "x" }, 1)], [0]],
    ["a stale read", [first, call(2, 3, { add: "x" }, 2), call(4, 5, { read: "x" }, 1)], [1, 2]],
    ["a read from the future", [call(0, 1, { read: "x" }, 7), call(2, 3, { write: "x", value: 7 }, "ok")], [0]],
    [
      "reads that go back",
      [
        call(0, 9, { write: "x", value: 1 }, "ok"),
        call(1, 2, { read: "x" }, 1),
        call(3, 4, { read: "x" }, 0)
      ],
      [1, 2]
    ],
    [
      "write skew",
      [
        ...bothOnCall,
        call(2, 9, { takeIfBoth: "x", other: "y" }, true),
        call(3, 8, { takeIfBoth: "y", other: "x" }, true)
      ],
      [2, 3]
    ],
    [
      "a long fork",
      [
        call(0, 9, { write: "x", value: 1 }, "ok"),
        call(0, 9, { write: "y", value: 1 }, "ok"),
        call(1, 8, { readAll: ["x", "y"] }, [1, 0]),
        call(1, 8, { readAll: ["x", "y"] }, [0, 1])
      ],
      [2, 3]
    ],
    [
      "half of a product",
      [
        call(0, 1, { readAll: ["x", "y"] }, [0, 0]),
        doubtful(2, { write: "x", value: 1 }),
        call(3, 4, { readAll: ["x", "y"] }, [1, 1])
      ],
      [2]
    ],
    [
      "what happened after an interrupted call had ended",
      [doubtful(0, { add: "x" }, 5), call(6, 7, { read: "x" }, 0), call(8, 9, { read: "x" }, 1)],
      [1, 2]
    ],
    [
      "an update without an answer that happened before it was made",
      [call(0, 1, { read: "x" }, 1), doubtful(2, { add: "x" })],
      [0]
    ]
  ]
  for (const [what, history, culprits] of wrong) {
    it(`finds ${what}, and says where`, () => {
      const verdict = check(history, registers)
      assert(verdict._tag === "Violation")
      for (const culprit of culprits) assert.include(verdict.calls, history[culprit]!)
      assert.isAtMost(verdict.calls.length, culprits.length + 1)
      assert.include(verdict.message, "No order of these calls")
    })
  }

  it("finds two calls that contradict each other among many", () => {
    const before = Array.from({ length: 40 }, (_, i) => call(2 * i, 2 * i + 1, { add: "x" }, i + 1))
    const lost = [call(100, 110, { add: "x" }, 41), call(101, 109, { add: "x" }, 41)]
    const after = Array.from({ length: 40 }, (_, i) => call(200 + 2 * i, 201 + 2 * i, { add: "x" }, i + 42))
    const verdict = check([...before, ...lost, ...after], registers)
    assert(verdict._tag === "Violation")
    assert.deepStrictEqual(new Set(verdict.calls), new Set(lost))
  })

  it("gives up after as many steps as it may take", () => {
    const blind = Array.from({ length: 12 }, (_, i) => call(0, 9, { write: "x", value: i }, "ok"))
    const verdict = check([...blind, call(10, 11, { read: "x" }, 99)], registers, { steps: 1000 })
    assert.strictEqual(verdict._tag, "Undecided")
  })

  it("remembers what it has tried", () => {
    // 14! orders, but only as many states as there are subsets and last writers.
    const blind = Array.from({ length: 14 }, (_, i) => call(0, 9, { write: "x", value: i % 3 }, "ok"))
    const verdict = check([...blind, call(10, 11, { read: "x" }, 99)], registers)
    assert.strictEqual(verdict._tag, "Violation")
  })

  it("gives an order that the model agrees with", () => {
    const history = [call(0, 9, { add: "x" }, 2), call(1, 8, { add: "x" }, 1), call(1, 9, { read: "x" }, 1)]
    const verdict = check(history, registers)
    assert(verdict._tag === "Linearizable")
    assert.deepStrictEqual(verdict.order, [history[1]!, history[2]!, history[0]!])
  })

  it("gives an order of real time, also across calls that have no key in common", () => {
    const history = [call(2, 3, { add: "x" }, 1), call(0, 1, { add: "y" }, 1), call(4, 5, { add: "y" }, 2)]
    const verdict = check(history, registers)
    assert(verdict._tag === "Linearizable")
    assert.deepStrictEqual(verdict.order, [history[1]!, history[0]!, history[2]!])
  })

  it("blames no call that those which began later explain", () => {
    // The second has its answer when the last came first: what is wrong is that two of the others end before that.
    const history = [call(0, 2, { add: "x" }, 2), call(0, 4, { add: "x" }, 3), call(4, 5, { add: "x" }, 1)]
    const verdict = check(history, registers)
    assert(verdict._tag === "Violation")
    assert.include(verdict.calls, history[0]!)
  })

  it("refuses calls that end before they begin, or at no time", () => {
    for (const [called, returned] of [[5, 2], [NaN, 2], [0, NaN]] as const) {
      for (const outcome of [answered(1), applied, unknown]) {
        assert.throws(() => check([{ called, returned, input: { add: "x" }, outcome }], registers), RangeError)
      }
    }
    assert.strictEqual(check([call(-Infinity, Infinity, { add: "x" }, 1)], registers)._tag, "Linearizable")
  })

  const small = Schema.Array(Schema.Struct({
    called: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 8 })),
    lasts: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })),
    kind: Schema.Literals(["add", "add", "clear", "read", "both"]),
    name: Schema.Literals(["x", "y"]),
    output: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 })),
    outcome: Schema.Literals(["answered", "answered", "answered", "applied", "unknown", "crashed"])
  })).check(Schema.isMaxLength(5))

  it.effect.prop("agrees with trying all orders", [small], ([drawn]) =>
    Effect.sync(() => {
      const history = drawn.map(({ called, kind, lasts, name, outcome, output }): Call<Input, unknown> => ({
        called,
        returned: outcome === "crashed" ? Infinity : called + lasts,
        input: kind === "add"
          ? { add: name }
          : kind === "clear"
          ? { clear: name }
          : kind === "read"
          ? { read: name }
          : { readAll: ["x", "y"] },
        outcome: outcome === "answered"
          ? answered(kind === "clear" ? "ok" : kind === "both" ? [output % 2, output >> 1] : output)
          : outcome === "applied"
          ? applied
          : unknown
      }))
      const verdict = check(history, registers)
      assert.strictEqual(verdict._tag, naive(history) ? "Linearizable" : "Violation")
      if (verdict._tag === "Linearizable") assert.isTrue(explains(verdict.order))
      if (verdict._tag === "Violation") {
        assert.isFalse(naive(history.map((call) =>
          verdict.calls.includes(call) ? call : { ...call, returned: Infinity, outcome: unknown }
        )))
      }
    }), { arbitrary: { runs: 3000 }, timeout: 30_000 })

  for (const [length, doubts] of [[100_000, 0], [10_000, 2000]] as const) {
    it(`copes with ${length} calls of eight clients over three scopes, ${doubts === 0 ? "all" : "not all"} answered`, () => {
      const history = simulated(length, doubts)
      assert.strictEqual(check(history, registers)._tag, "Linearizable")
      if (doubts === 0) return
      const { called, returned } = history[length / 2]!
      const spoilt = history.with(length / 2, call(called, returned, { read: "x" }, -5))
      assert.strictEqual(check(spoilt, registers)._tag, "Violation")
    })
  }

  it("is in the public kit", () => assert.strictEqual(Linearizability.check, check))
})

/** A history in which each call takes effect at a moment between its beginning and its end. */
const simulated = (length: number, doubts: number): ReadonlyArray<Call<Input, unknown>> => {
  const random = numbers(1)
  const history: Array<Call<Input, unknown>> = []
  const counts = [0, 0, 0]
  const free = Array.from({ length: 8 }, () => 0)
  for (let now = 1; now <= length; now++) {
    const client = random(8)
    const called = Math.min(now, Math.max(free[client]!, now - random(12)))
    const returned = now + random(12)
    free[client] = Math.max(returned, free[client]!)
    const [which, kind] = [random(3), random(20)]
    const name = "xyz"[which]!
    if (kind === 0) history.push(call(called, returned, { readAll: ["x", "y", "z"] }, [...counts]))
    else if (kind < 6) history.push(call(called, returned, { read: name }, counts[which]))
    else {
      counts[which]!++
      const lost = doubts > 0 && random(doubts) === 0
      history.push(lost ? doubtful(called, { add: name }) : call(called, returned, { add: name }, counts[which]))
    }
    if (doubts > 0 && random(doubts) === 0) history.push(doubtful(now, { add: name }))
  }
  return history
}

/** Whether the order is one of real time, and the model gives the answers. */
const explains = (order: ReadonlyArray<Call<Input, unknown>>): boolean => {
  if (order.some(({ called }, i) => order.slice(i).some(({ returned }) => returned < called))) return false
  let state = registers.initial
  for (const { input, outcome } of order) {
    const [output, next] = registers.step(state, input)
    if (outcome._tag === "Answered" && !Equal.equals(outcome.output, output)) return false
    state = next
  }
  return true
}

/** Every subset of the doubtful in every order. */
const naive = (history: ReadonlyArray<Call<Input, unknown>>): boolean => {
  const go = (done: ReadonlyArray<number>, latest: number): boolean => {
    const order = done.map((i) => history[i]!)
    const left = history.filter((call, i) => !done.includes(i) && call.outcome._tag !== "Unknown")
    if (left.length === 0 && explains(order)) return true
    return history.some((call, i) =>
      !done.includes(i) && latest <= call.returned && explains(order) && go([...done, i], Math.max(latest, call.called))
    )
  }
  return go([], -Infinity)
}
