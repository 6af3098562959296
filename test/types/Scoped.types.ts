// What is about scopes; `pure` and `impure` are about handlers. Compiled by the type check, never run: each "@ts-expect-error" is a program that must not compile.
import { type Effect, Option, Result, Schedule, Schema, type Stream } from "effect"
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
