import { assert, it, type Vitest } from "@effect/vitest"
import {
  BigDecimal,
  Chunk,
  DateTime,
  Duration,
  Effect,
  Equal,
  Exit,
  HashMap,
  type Layer,
  Option,
  Result,
  Schema,
  type Scope
} from "effect"
import { type Driver, Scoped, type Storage } from "effect-scoped"
import * as Writers from "./writers.ts"

/** What users of any storage may rely on. `store` prepares an empty store, and yields how to open it. */
export const scopedSuite = <E, E2>(
  name: string,
  store: Effect.Effect<Effect.Effect<Driver.Driver, E2, Scope.Scope>, E, Scope.Scope>
): void => {
  it.layer(Writers.layer(store), { excludeTestServices: true, timeout: "30 seconds" })(
    `scopes: ${name}`,
    (it) => rules(it)
  )
}

const rules = (it: Vitest.MethodsNonLive<Writers.Writers>): void => {
  const test = <A, F>(title: string, body: () => Effect.Effect<A, F, Storage.Storage>) =>
    it.effect(title, () => Effect.flatMap(Writers.Writers, ({ a }) => Effect.provide(body(), a)))
  const twice = <A, F>(
    title: string,
    body: (a: Layer.Layer<Storage.Storage>, b: Layer.Layer<Storage.Storage>) => Effect.Effect<A, F>
  ) => it.effect(title, () => Effect.flatMap(Writers.Writers, ({ a, b }) => body(a, b)))

  let next = 0
  const counter = (scope: string = `counter/${next++}`) => Scoped.make(scope, { schema: Schema.Int, initial: 0 })
  const increment = Scoped.update((count: number) => [count + 1, count + 1] as const)

  test("many writers at once are counted exactly", () =>
    Effect.gen(function*() {
      const scope = counter()
      const results = yield* Effect.all(Array.from({ length: 500 }, () => increment(scope)), { concurrency: 100 })
      assert.deepStrictEqual(results.toSorted((a, b) => a - b), Array.from({ length: 500 }, (_, i) => i + 1))
      assert.strictEqual(yield* Scoped.get(scope), 500)
    }))

  twice("two storages over one store are counted exactly", (...storages) =>
    Effect.gen(function*() {
      const scope = counter()
      yield* Effect.forEach(storages, (storage) =>
        Effect.all(
          Array.from({ length: 200 }, () => increment(scope)),
          { concurrency: 10 }
        ).pipe(Effect.provide(storage)), {
        concurrency: 2
      })
      for (const storage of storages) {
        assert.strictEqual(yield* Effect.provide(Scoped.get(scope), storage), 400)
      }
    }))

  test("a hundred scopes at once", () =>
    Effect.gen(function*() {
      const scopes = Array.from({ length: 100 }, () => counter())
      yield* Effect.forEach([...scopes, ...scopes, ...scopes], increment, { concurrency: "unbounded" })
      assert.deepStrictEqual(
        yield* Effect.forEach(scopes, Scoped.get, { concurrency: "unbounded" }),
        scopes.map(() => 3)
      )
    }))

  const strange = [
    "a",
    "A",
    "a ",
    " a",
    "a\u0000",
    "a\n",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "🙂",
    "../x",
    ".",
    "..",
    "/",
    "//",
    "~",
    "~0",
    "~1",
    "a/b",
    "a~1b",
    "CON",
    "nul",
    "__proto__",
    "constructor",
    "toString",
    "hasOwnProperty",
    "'",
    "\"",
    "`",
    "\\",
    "%",
    "_",
    "*",
    "?",
    "[a]",
    "{a}",
    "a:b",
    "a;DROP TABLE scopes;--",
    "\u2028",
    "\uFEFF",
    "\u202E",
    "null",
    "0",
    "-1",
    "\u007F",
    "\t",
    "key with spaces",
    "ключ",
    "鍵",
    "x".repeat(512),
    "é".repeat(256)
  ]
  test("any name is a name, and no two are the same", () =>
    Effect.gen(function*() {
      const scopes = strange.map((scope) => Scoped.make(scope, { schema: Schema.String, initial: "" }))
      yield* Effect.forEach(scopes, (scope) => Scoped.update(scope, (old) => [old, old + JSON.stringify(scope.name)]), {
        concurrency: "unbounded"
      })
      for (const scope of scopes) assert.strictEqual(yield* Scoped.get(scope), JSON.stringify(scope.name))
    }))

  const impossible: ReadonlyArray<readonly [string, string]> = [
    ["", "it is empty"],
    ["\uD83D", "half of a surrogate pair"],
    ["a\uDE42b", "half of a surrogate pair"],
    ["x".repeat(513), "takes 513 bytes"],
    ["é".repeat(257), "takes 514 bytes"],
    ["x".repeat(10_000), "takes 10000 bytes"]
  ]
  test("what cannot be a name is refused, whatever is done with it", () =>
    Effect.gen(function*() {
      for (const [scope, reason] of impossible) {
        for (const effect of [increment(counter(scope)), Scoped.get(counter(scope))]) {
          const error = yield* Effect.flip(effect)
          assert.strictEqual(error._tag, "NameError")
          assert.include(error.message, reason)
        }
      }
    }))

  class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.NonEmptyString, since: Schema.Date }) {}
  const Everything = Schema.Struct({
    date: Schema.Date,
    big: Schema.BigInt,
    number: Schema.Number,
    text: Schema.String,
    optional: Schema.optionalKey(Schema.String),
    maybe: Schema.optional(Schema.String),
    nothing: Schema.Null,
    undefined: Schema.Undefined,
    option: Schema.Option(Schema.Date),
    result: Schema.Result(Schema.Int, Schema.String),
    map: Schema.ReadonlyMap(Schema.String, Schema.BigInt),
    set: Schema.ReadonlySet(Schema.Int),
    table: Schema.HashMap(Schema.String, Schema.Int),
    chunk: Schema.Chunk(Schema.Int),
    duration: Schema.Duration,
    decimal: Schema.BigDecimal,
    instant: Schema.DateTimeUtc,
    url: Schema.URL,
    bytes: Schema.Uint8Array,
    owner: Owner,
    branded: Schema.String.pipe(Schema.brand("Id")),
    union: Schema.Union([Schema.Int, Schema.Struct({ a: Schema.Boolean })]),
    record: Schema.Record(Schema.String, Schema.Int),
    tuple: Schema.Tuple([Schema.String, Schema.Int]),
    numbers: Schema.Array(Schema.Number)
  })
  const everything: typeof Everything.Type = {
    date: new Date(0),
    big: 2n ** 80n,
    number: 0.1,
    text: "\u0000\u2028\"\\🙂 é\r\n",
    nothing: null,
    undefined: undefined,
    option: Option.some(new Date(1)),
    result: Result.fail("no"),
    map: new Map([["a", 1n], ["__proto__", 2n]]),
    set: new Set([1, 2]),
    table: HashMap.make(["a", 1]),
    chunk: Chunk.make(1, 2),
    duration: Duration.seconds(1.5),
    decimal: BigDecimal.fromStringUnsafe("1.50"),
    instant: DateTime.makeUnsafe(12),
    url: new URL("https://example.org/?q=1"),
    bytes: new Uint8Array([0, 255]),
    owner: new Owner({ name: "Ada", since: new Date(2) }),
    branded: "id" as string & typeof Everything.Type["branded"],
    union: { a: true },
    record: JSON.parse(`{"a":1,"__proto__":2,"constructor":3}`),
    tuple: ["a", 1],
    numbers: [Number.MAX_SAFE_INTEGER, 5e-324, 1.7976931348623157e308, Number.NaN, Number.POSITIVE_INFINITY, -0]
  }
  twice("whatever the schema can tell comes back as it was", (writer, reader) =>
    Effect.gen(function*() {
      const scope = Scoped.make(`everything`, { schema: Everything, initial: everything })
      assert.isTrue(Equal.equals(yield* Effect.provide(Scoped.get(scope), reader), everything), "the initial state")
      yield* Effect.provide(Scoped.update(scope, (state) => [undefined, { ...state, text: state.text + "!" }]), writer)
      const read = yield* Effect.provide(Scoped.get(scope), reader)
      const guessed = yield* Effect.provide(Scoped.update(scope, (state) => [state, state]), writer)
      for (const state of [read, guessed]) {
        assert.isTrue(Equal.equals(state, { ...everything, text: everything.text + "!" }))
        assert.instanceOf(state.owner, Owner)
      }
    }))

  test("large states", () =>
    Effect.gen(function*() {
      const scope = Scoped.make(`large`, { schema: Schema.String, initial: "" })
      const large = "é🙂\n".repeat(100_000)
      yield* Scoped.update(scope, () => [undefined, large])
      assert.isTrue((yield* Scoped.get(scope)) === large)
    }))

  const unstorable: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, unknown]> = [
    ["NaN in a finite number", Schema.Finite, Number.NaN],
    ["NaN under any", Schema.Any, { a: Number.NaN }],
    ["undefined under any", Schema.Any, undefined],
    ["a function under any", Schema.Any, () => 1],
    ["a big integer under any", Schema.Any, { a: 1n }],
    ["undefined under unknown", Schema.Unknown, { a: undefined }],
    ["an infinite number under unknown", Schema.Unknown, [Number.POSITIVE_INFINITY]],
    ["an invalid date", Schema.Date, new Date(Number.NaN)],
    ["a value without a JSON form", Schema.instanceOf(WeakMap) as Schema.Codec<unknown, unknown>, new WeakMap()],
    ["a symbol", Schema.Symbol, Symbol("here only")],
    ["a failed check", Schema.Int, 1.5],
    ["a failed check inside", Schema.Struct({ a: Schema.Array(Schema.NonEmptyString) }), { a: ["x", ""] }]
  ]
  test("what cannot be stored is refused before anything is", () =>
    Effect.gen(function*() {
      for (const [what, schema, bad] of unstorable) {
        const scope = Scoped.make(`unstorable/${what}`, {
          schema: Schema.Union([Schema.Literal("good"), schema]),
          initial: "good"
        })
        const error = yield* Effect.flip(Scoped.update(scope, () => [undefined, bad]))
        assert.strictEqual(error._tag, "StateError", what)
        assert.include(error.message, "cannot be stored", what)
        assert.strictEqual(yield* Scoped.get(scope), "good", what)
      }
    }))

  test("a stored state that the schema cannot read is a StateError with its path, and stays", () =>
    Effect.gen(function*() {
      const scope = `unreadable`
      const Old = Scoped.make(scope, {
        schema: Schema.Struct({ list: Schema.Array(Schema.String) }),
        initial: { list: [] }
      })
      const New = Scoped.make(scope, {
        schema: Schema.Struct({ list: Schema.Array(Schema.Int) }),
        initial: { list: [] }
      })
      yield* Scoped.update(Old, () => [undefined, { list: ["a", "b"] }])
      for (
        const effect of [
          Scoped.get(New),
          Scoped.update(New, (state) => [state, { list: [1] }]),
          Scoped.updateResult(New, () => Result.succeed([0, { list: [1] }] as const))
        ]
      ) {
        const error = yield* Effect.flip(
          effect as Effect.Effect<unknown, { readonly _tag: string; readonly message: string }, Storage.Storage>
        )
        assert.strictEqual(error._tag, "StateError")
        assert.include(
          error.message,
          `The stored state of ${JSON.stringify(scope)} does not fit its schema at ["list"][0]`
        )
      }
      assert.deepStrictEqual(yield* Scoped.get(Old), { list: ["a", "b"] })
      yield* Scoped.update(Old, () => [undefined, { list: [] }])
      assert.deepStrictEqual(yield* Scoped.get(New), { list: [] })
      assert.strictEqual(yield* Scoped.update(New, (state) => [state.list.length, { list: [1] }]), 0)
    }))

  test("an initial state that does not fit its schema is a StateError", () =>
    Effect.gen(function*() {
      const scope = Scoped.make(`initial`, { schema: Schema.Int, initial: 0.5 })
      for (const effect of [Scoped.get(scope), increment(scope)]) {
        assert.strictEqual((yield* Effect.flip(effect))._tag, "StateError")
      }
    }))

  twice(
    "two versions of a program run side by side, and neither erases what only the other knows",
    (a, b) =>
      Effect.gen(function*() {
        const name = `versions/${next++}`
        const old = Scoped.make(name, {
          schema: Schema.Struct({
            n: Schema.Int,
            items: Schema.Array(Schema.Struct({ id: Schema.Int })),
            at: Schema.optionalKey(Schema.Struct({ x: Schema.Int }))
          }),
          initial: { n: 0, items: [] }
        })
        const young = Scoped.make(name, {
          schema: Schema.Struct({
            n: Schema.Int,
            items: Schema.Array(Schema.Struct({ id: Schema.Int, label: Schema.optionalKey(Schema.String) })),
            at: Schema.optionalKey(Schema.Struct({ x: Schema.Int, y: Schema.optionalKey(Schema.Int) })),
            since: Schema.optionalKey(Schema.Date)
          }),
          initial: { n: 0, items: [] }
        })
        yield* Effect.provide(
          Scoped.update(young, () => [
            undefined,
            { n: 0, items: [{ id: 1, label: "one" }], at: { x: 1, y: 2 }, since: new Date(0) }
          ]),
          b
        )
        const olds = Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) =>
          Scoped.update(old, (state) => [
            undefined,
            { ...state, n: state.n + 1, items: [...state.items, { id: 100 + i }], at: { x: state.n } }
          ])).pipe(Effect.provide(a))
        const youngs = Effect.forEach(Array.from({ length: 20 }, (_, i) => i), (i) =>
          Scoped.update(young, (state) => [
            undefined,
            { ...state, n: state.n + 1, items: [...state.items, { id: 200 + i, label: `${i}` }] }
          ])).pipe(Effect.provide(b))
        yield* Effect.all([olds, youngs], { concurrency: 2 })
        const left = yield* Effect.provide(Scoped.get(young), a)
        assert.strictEqual(left.n, 40)
        assert.strictEqual(left.at?.y, 2)
        assert.deepStrictEqual(left.since, new Date(0))
        assert.strictEqual(left.items.length, 41)
        for (const { id, label } of left.items) {
          assert.strictEqual(label, id === 1 ? "one" : id >= 200 ? `${id - 200}` : undefined)
        }
      })
  )

  it.effect("a namespace keeps scopes apart, whatever the names", () =>
    Effect.gen(function*() {
      const { a, inNamespace } = yield* Writers.Writers
      const places: ReadonlyArray<readonly [Layer.Layer<Storage.Storage>, string]> = [
        [a, "ns//b"],
        [inNamespace("ns"), "b"],
        [a, "ns/b"],
        [inNamespace("ns"), "/b"],
        [inNamespace("ns/"), "b"],
        [inNamespace(""), "ns//b"],
        [inNamespace("ns//b"), "b"],
        [inNamespace("ns"), "~1b"],
        [a, "//ns//b"]
      ]
      for (const [storage, scope] of places) {
        assert.strictEqual(yield* Effect.provide(increment(counter(scope)), storage), 1, scope)
      }
      for (const [storage, scope] of places) {
        assert.strictEqual(yield* Effect.provide(Scoped.get(counter(scope)), storage), 1, scope)
      }
    }))

  test("aborts and defects write nothing", () =>
    Effect.gen(function*() {
      const scope = counter()
      assert.strictEqual(yield* Effect.flip(Scoped.updateResult(scope, () => Result.fail("no"))), "no")
      const boom = new Error("boom")
      const exit = yield* Effect.exit(Scoped.update(scope, (): readonly [number, number] => {
        throw boom
      }))
      assert.deepStrictEqual(exit, Exit.die(boom))
      assert.strictEqual(yield* Scoped.get(scope), 0)
    }))
}
