import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Duration, Effect, Equal, Exit, Hash, HashMap, Option, Result, Schema } from "effect"
import { MemoryDriver, Scoped } from "effect-scoped"

class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String, tags: Schema.Array(Schema.String) }) {}

const State = Schema.Struct({
  list: Schema.Array(Schema.Struct({ n: Schema.Number })),
  map: Schema.ReadonlyMap(Schema.String, Schema.Struct({ n: Schema.Number })),
  set: Schema.ReadonlySet(Schema.String),
  date: Schema.Date,
  option: Schema.Option(Schema.Struct({ n: Schema.Number })),
  result: Schema.Result(Schema.Struct({ n: Schema.Number }), Schema.String),
  owner: Owner,
  // These change inside, unseen, and must be left alone
  chunk: Schema.Chunk(Schema.Number),
  table: Schema.HashMap(Schema.String, Schema.Number),
  zoned: Schema.DateTimeZoned,
  duration: Schema.Duration
})
const initial: typeof State.Type = {
  list: [{ n: 1 }],
  map: new Map([["a", { n: 1 }]]),
  set: new Set(["a"]),
  date: new Date(0),
  option: Option.some({ n: 1 }),
  result: Result.succeed({ n: 1 }),
  owner: new Owner({ name: "Ada", tags: ["x"] }),
  chunk: Chunk.make(1, 2, 3),
  table: HashMap.make(["a", 1]),
  zoned: DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Berlin" }),
  duration: Duration.seconds(1)
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Loose = any

const mutations: ReadonlyArray<readonly [string, (state: Loose) => void]> = [
  ["a field", (state) => state.date = 1],
  ["a new field", (state) => state.more = 1],
  ["deletion of a field", (state) => delete state.date],
  ["an array", (state) => state.list.push(1)],
  ["a struct in an array", (state) => state.list[0].n++],
  ["a map", (state) => state.map.set("b", 1)],
  ["deletion from a map", (state) => state.map.delete("a")],
  ["a struct in a map", (state) => state.map.get("a").n++],
  ["a set", (state) => state.set.add("b")],
  ["clearing a set", (state) => state.set.clear()],
  ["a date", (state) => state.date.setFullYear(1999)],
  ["a struct in an option", (state) => state.option.value.n++],
  ["a struct in a result", (state) => state.result.success.n++],
  ["a class", (state) => state.owner.name = "Grace"],
  ["an array in a class", (state) => state.owner.tags.push("y")]
]

describe("a handler that mutates its state dies, and nothing changes", () => {
  for (const checked of [true, false]) {
    const schema = checked ? State : Schema.Struct({ list: State.fields.list })
    const start = checked ? initial : { list: initial.list }
    for (
      const [what, mutate] of mutations.filter(([what]) => checked || what.includes("array") && !what.includes("class"))
    ) {
      it.effect(`${what}, ${checked ? "with" : "without"} checks`, () =>
        Effect.gen(function*() {
          const scope = Scoped.make("scope", { schema: schema as typeof State, initial: start as typeof initial })
          const touch = Scoped.update(scope, (state) => [undefined, { ...state }])
          const mutation = Effect.exit(Scoped.update(scope, (state) => {
            mutate(state)
            return [undefined, state]
          }))
          // The first state, a fused one, a committed one
          const exits = [
            yield* mutation,
            ...(yield* Effect.all([touch, mutation, touch], { concurrency: 3 })),
            yield* mutation
          ].filter((exit) => exit !== undefined)
          assert.strictEqual(exits.length, 3)
          for (const exit of exits) {
            const reason = Exit.isFailure(exit) ? exit.cause.reasons[0] : undefined
            assert.isTrue(reason?._tag === "Die" && reason.defect instanceof TypeError)
          }
          assert.isTrue(Equal.equals(yield* Scoped.get(scope), start))
          assert.isTrue(Equal.equals(initial.map, new Map([["a", { n: 1 }]])))
        }).pipe(Effect.provide(MemoryDriver.layer())))
    }
  }

  it.effect("frozen states still work as values", () =>
    Effect.gen(function*() {
      const scope = Scoped.make("scope", { schema: State, initial })
      const touched = yield* Scoped.update(scope, (state) => [state, {
        ...state,
        map: new Map(state.map).set("b", { n: 2 }),
        set: new Set([...state.set, "b"]),
        date: new Date(state.date),
        chunk: Chunk.append(state.chunk, 4),
        table: HashMap.set(state.table, "b", 2),
        zoned: DateTime.add(state.zoned, { hours: 1 })
      }])
      assert.isNumber(Hash.hash(touched))
      assert.strictEqual(DateTime.formatIso(touched.zoned), "1970-01-01T00:00:00.000Z")
      const next = yield* Scoped.get(scope)
      assert.strictEqual(DateTime.toParts(next.zoned).hour, 2)
      assert.strictEqual(Chunk.size(Chunk.reverse(next.chunk)), 4)
      assert.deepStrictEqual(Array.from(HashMap.keys(next.table)).sort(), ["a", "b"])
      structuredClone({ date: next.date, map: next.map, set: next.set, list: next.list })
    }).pipe(Effect.provide(MemoryDriver.layer())))

  it.effect("the initial state that the user holds is not frozen", () =>
    Effect.gen(function*() {
      const mine = { list: [{ n: 1 }] }
      const scope = Scoped.make("scope", { schema: Schema.Struct({ list: State.fields.list }), initial: mine })
      yield* Scoped.update(scope, (state) => [undefined, { list: [...state.list, { n: 2 }] }])
      mine.list.push({ n: 3 })
      assert.deepStrictEqual(yield* Scoped.get(scope), { list: [{ n: 1 }, { n: 2 }] })
    }).pipe(Effect.provide(MemoryDriver.layer())))
})

describe(`purity: "verify"`, () => {
  const Count = Scoped.make("count", { schema: Schema.Number, initial: 0 })
  const verified = Effect.provide(MemoryDriver.layer({}, { purity: "verify" }))
  let calls = 0

  const impure: ReadonlyArray<
    readonly [string, Scoped.Handler<number, number>, string?]
  > = [
    ["a result from outside", (count) => [calls++, count]],
    ["a state from outside", () => [0, calls++]],
    ["an occasional defect", (count) => {
      if (calls++ % 2 === 1) throw new Error("odd")
      return [0, count]
    }],
    ["the clock", (count) => [performance.now(), count], "used performance.now()"],
    ["the log", (count) => {
      console.log(count)
      return [0, count]
    }, "used console.log"],
    ["an effect that runs", (count) => [Effect.runSync(Effect.sync(() => 1)), count], "Effect"]
  ]
  for (const [what, handler, told = "is not pure"] of impure) {
    it.effect(`catches ${what}`, () =>
      Effect.gen(function*() {
        calls = 0
        const exit = yield* Effect.exit(Scoped.update(Count, handler))
        assert.include(String(exit), told)
        assert.strictEqual(yield* Scoped.get(Count), 0)
      }).pipe(verified))
  }

  it.effect("lets pure handlers pass", () =>
    Effect.gen(function*() {
      const boom = new Error("boom")
      assert.strictEqual(yield* Scoped.update(Count, (count) => [count, count + 1]), 0)
      assert.deepStrictEqual(yield* Scoped.update(Count, (count) => [{ list: [Number.NaN, new Date(0)] }, count]), {
        list: [Number.NaN, new Date(0)]
      })
      assert.strictEqual(yield* Effect.flip(Scoped.updateResult(Count, () => Result.fail("no"))), "no")
      assert.deepStrictEqual(
        yield* Effect.exit(Scoped.update(Count, (): readonly [number, number] => {
          throw boom
        })),
        Exit.die(boom)
      )
      assert.strictEqual(yield* Scoped.get(Count), 1)
    }).pipe(verified))
})
