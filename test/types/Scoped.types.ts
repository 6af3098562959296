// Compiled by the type check, never run: each "@ts-expect-error" is a program that must not compile.
import {
  Chunk,
  DateTime,
  Duration,
  Effect,
  HashMap,
  Option,
  type Redacted,
  Result,
  Schedule,
  Schema,
  Stream
} from "effect"
import { Scoped, type ScopedError, type Storage } from "effect-scoped"

declare const counter: Scoped.Scoped<{ readonly count: number }>
declare const expect: <Expected>() => <Actual>(
  actual: Actual & ([Actual] extends [Expected] ? [Expected] extends [Actual] ? unknown : never : never)
) => void
type Updated<A, E = never> = Effect.Effect<A, E | ScopedError.ScopedError, Storage.Storage>

// ---- What infers

const Counter = Scoped.make("counter", { schema: Schema.Struct({ count: Schema.Int }), initial: { count: 0 } })
expect<Scoped.Scoped<{ readonly count: number }>>()(Counter)
expect<{ readonly count: number }>()(null! as Scoped.State<typeof Counter>)

expect<Updated<number>>()(Scoped.update(counter, ({ count }) => [count + 1, { count: count + 1 }]))
expect<Updated<number>>()(counter.pipe(Scoped.update(({ count }) => [count + 1, { count: count + 1 }])))
expect<Updated<undefined>>()(Scoped.update(counter, (state) => [undefined, state]))
expect<Updated<{ readonly count: number }>>()(Scoped.update(counter, (state) => [state, state]))
expect<Updated<{ readonly count: number }>>()(Scoped.get(counter))
expect<Updated<number, "empty">>()(
  Scoped.updateResult(
    counter,
    ({ count }) => count === 0 ? Result.fail("empty" as const) : Result.succeed([count, { count: count - 1 }])
  )
)
expect<Updated<number, "empty">>()(
  counter.pipe(
    Scoped.updateResult(({ count }) =>
      count === 0 ? Result.fail("empty" as const) : Result.succeed([count, { count: count - 1 }])
    )
  )
)
Scoped.update(counter, (state) => state.count > 1 ? [Option.some(state.count), state] : [Option.none<number>(), state])
Scoped.update(counter, (state) => [state.count, state], { retry: Schedule.recurs(3) })
Scoped.update(counter, (): readonly [never, { readonly count: number }] => {
  throw new Error("a defect")
})

// Plain data of every kind may be given back
declare const redacted: Redacted.Redacted<string>
Scoped.update(counter, (state) => [{
  list: [new Date(), 1n, null],
  map: new Map([["a", Option.some(1)]]),
  set: new Set([Result.succeed(1)]),
  chunk: Chunk.make(1),
  table: HashMap.make(["a", { b: 1 }]),
  duration: Duration.seconds(1),
  date: DateTime.makeUnsafe(0),
  url: new URL("http://localhost"),
  bytes: new Uint8Array(),
  redacted
}, state])

// Recursive states
interface Tree {
  readonly value: number
  readonly children: ReadonlyArray<Tree>
  readonly byName: ReadonlyMap<string, Tree>
}
declare const tree: Scoped.Scoped<Tree>
expect<Updated<Tree>>()(Scoped.update(tree, (state) => [state, state]))

// A state whose class has methods may be given back whole
class Owner extends Schema.Class<Owner>("Owner")({ name: Schema.String }) {
  greeting() {
    return `Hello, ${this.name}`
  }
}
const Owners = Scoped.make("owner", { schema: Owner, initial: new Owner({ name: "Ada" }) })
expect<Updated<Owner>>()(Scoped.update(Owners, (owner) => [owner, new Owner({ name: "Grace" })]))

// States with mutable types
declare const mutable: Scoped.Scoped<{ list: Array<number> }>
Scoped.update(mutable, ({ list }) => [list.length, { list }])
Scoped.update(mutable, (state) => ["a", { ...state, list: Array.of(1) }])

// Functions that are generic over the state
export const replace = <State>(scope: Scoped.Scoped<State>, f: (state: State) => State) =>
  Scoped.update(scope, (state) => [undefined, f(state)])
export const modify = <State, A>(scope: Scoped.Scoped<State>, handler: Scoped.Handler<State, A>) =>
  Scoped.update(scope, handler)

// States that are tuples, and products
declare const pair: Scoped.Scoped<readonly [number, string]>
expect<Updated<number>>()(Scoped.update(pair, ([n, s]) => [n, [n + 1, s]]))
expect<Updated<undefined>>()(Scoped.update(pair, () => [undefined, [1, "a"]]))
expect<Scoped.Scoped<{ readonly a: { readonly count: number }; readonly b: readonly [number, string] }>>()(
  Scoped.all({ a: counter, b: pair })
)
expect<Scoped.Scoped<readonly [{ readonly count: number }, { readonly pair: readonly [number, string] }]>>()(
  Scoped.all([counter, Scoped.all({ pair })])
)
Scoped.update(Scoped.all([counter, pair]), ([{ count }, [n, s]]) => [s, [{ count: count + n }, [n, s]]])
Scoped.update(Scoped.all({ counter, pair }), ({ counter, pair }) => [counter, { counter, pair: [1, pair[1]] }])
counter.pipe((scope) => Scoped.all([scope, pair]), Scoped.update(([counter, pair]) => [1, [counter, pair]]))

// Families
const Users = Scoped.family("users", { key: Schema.String, schema: Schema.Array(Schema.Int), initial: [] })
expect<Scoped.Scoped<ReadonlyArray<number>>>()(Users("ada"))
expect<Stream.Stream<string, ScopedError.DriverError, Storage.Storage>>()(Users.keys)
const Rooms = Scoped.family("rooms", {
  key: Schema.FiniteFromString,
  schema: Schema.Struct({ id: Schema.Finite }),
  initial: (id) => ({ id })
})
expect<Scoped.Scoped<{ readonly id: number }>>()(Rooms(1))
expect<Stream.Stream<number, ScopedError.ScopedError, Storage.Storage>>()(Scoped.changes(Scoped.make("n", {
  schema: Schema.Finite,
  initial: 0
})))

// ---- What must not compile

// @ts-expect-error: an async handler
Scoped.update(counter, async (state) => [1, state])
// @ts-expect-error: a generator
Scoped.update(counter, function*(state) {
  yield 1
  return [1, state]
})
// @ts-expect-error: an effect instead of a pair
Scoped.update(counter, (state) => Effect.succeed([1, state]))
// @ts-expect-error: an effect
Scoped.update(counter, (state) => [Effect.void, state])
// @ts-expect-error: a promise
Scoped.update(counter, (state) => [Promise.resolve(1), state])
// @ts-expect-error: a stream
Scoped.update(counter, (state) => [Stream.make(1), state])
// @ts-expect-error: a function
Scoped.update(counter, (state) => [() => 1, state])
// @ts-expect-error: a class
Scoped.update(counter, (state) => [Date, state])
// @ts-expect-error: in a union
Scoped.update(counter, (state) => [state.count > 1 ? 1 : Effect.succeed(1), state])
// @ts-expect-error: in a union of pairs
Scoped.update(counter, (state) => state.count > 1 ? [1, state] : [Promise.resolve(1), state])
// @ts-expect-error: in a struct
Scoped.update(counter, (state) => [{ effect: Effect.succeed(1) }, state])
// @ts-expect-error: in an optional property
Scoped.update(counter, (state) => [{} as { readonly later?: () => void }, state])
// @ts-expect-error: two levels down
Scoped.update(counter, (state) => [{ a: { b: Promise.resolve(1) } }, state])
// @ts-expect-error: in an array
Scoped.update(counter, (state) => [[Stream.make(1)], state])
// @ts-expect-error: in a tuple, in a struct, in an array
Scoped.update(counter, (state) => [[{ a: [1, () => 1] as const }], state])
// @ts-expect-error: in a map
Scoped.update(counter, (state) => [new Map([["a", () => 1]]), state])
// @ts-expect-error: in an option
Scoped.update(counter, (state) => [Option.some(Effect.void), state])
// @ts-expect-error: in a result
Scoped.update(counter, (state) => [Result.succeed(Promise.resolve(1)), state])
// @ts-expect-error: in a chunk
Scoped.update(counter, (state) => [Chunk.make(Effect.void), state])
// @ts-expect-error: in a hash map
Scoped.update(counter, (state) => [HashMap.make(["a", Effect.void]), state])
// @ts-expect-error: in an iterator
Scoped.update(counter, (state) => [[1][Symbol.iterator](), state])
// @ts-expect-error: data-last
counter.pipe(Scoped.update((state) => [Effect.void, state]))
// @ts-expect-error: as the result of an abortable handler
Scoped.updateResult(counter, (state) => Result.succeed([Effect.void, state]))
// @ts-expect-error: as the error of an abortable handler
Scoped.updateResult(counter, () => Result.fail(Effect.void))

// @ts-expect-error: mutating the state
Scoped.update(counter, (state) => [state.count++, state])
// @ts-expect-error: a next state of another type
Scoped.update(counter, (state) => [state.count, { count: "1" }])
// @ts-expect-error: a next state that lacks a field
Scoped.update(counter, () => [1, {}])
// @ts-expect-error: no pair
Scoped.update(counter, (state) => state)
// @ts-expect-error: a tuple that is too short
Scoped.update(pair, ([n]) => [n, [n]])
// @ts-expect-error: a tuple of other types
Scoped.update(pair, ([n]) => [n, [n, n]])
// @ts-expect-error: a tuple for a struct
Scoped.update(counter, () => [1, []])
// @ts-expect-error: a product that lacks a part
Scoped.update(Scoped.all({ counter, pair }), ({ counter }) => [1, { counter }])
// @ts-expect-error: an effect in the result of an update of a product
Scoped.update(Scoped.all([counter, pair]), (state) => [Effect.void, state])
// @ts-expect-error: a part that is no scope
Scoped.all([counter, 1])
// @ts-expect-error: a family key of another type
Users(1)
// @ts-expect-error: a key schema that does not encode to a string
Scoped.family("rooms", { key: Schema.Int, schema: Schema.Int, initial: 0 })
// @ts-expect-error: an initial state of another type, made from the key
Scoped.family("rooms", { key: Schema.String, schema: Schema.Int, initial: (key) => key })
// @ts-expect-error: an initial state of another type
Scoped.make("a", { schema: Schema.Int, initial: "0" })
// @ts-expect-error: a schema that needs services
Scoped.make("a", { schema: null! as Schema.Codec<number, number, "Service", never>, initial: 0 })
declare const needy: Schedule.Schedule<unknown, { readonly other: string }>
// @ts-expect-error: a schedule that needs another input than refusals
Scoped.update(counter, (state) => [1, state], { retry: needy })
