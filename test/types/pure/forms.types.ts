// The forms in which handlers and scopes come. All of these compile.
import { Effect, Result, Schedule } from "effect"
import { Scoped } from "effect-scoped"
import { cart, count, expect, int, lamp, numbers, pair, tree, type Updated, Users } from "../scopes.ts"

// Named functions, and functions typed where they stand
const increment = (n: number) => [n, n + 1] as const
function double(n: number): readonly [string, number] {
  return [`${n}`, n * 2]
}
const labelled = (n: number): [result: number, next: number] => [n, n]
const typed: Scoped.Handler<number, string> = (n) => [`${n}`, n + 1]
const typedResult: Scoped.ResultHandler<number, string, "full"> = (n) =>
  n > 9 ? Result.fail("full") : Result.succeed([`${n}`, n + 1])
const timed: Scoped.Handler<number, number> = (n, { now }) => [now.epochMilliseconds, n]
const constant = <A>(a: A) => (): A => a
const handlers = { increment, typed }

expect<Updated<number>>()(Scoped.update(int, increment))
expect<Updated<string>>()(Scoped.update(int, double))
expect<Updated<number>>()(Scoped.update(int, labelled))
expect<Updated<string>>()(Scoped.update(int, typed))
expect<Updated<string>>()(int.pipe(Scoped.update(typed)))
expect<Updated<string>>()(Scoped.update(int, typed, { retry: Schedule.recurs(1) }))
expect<Updated<string, "full">>()(Scoped.updateResult(int, typedResult))
expect<Updated<string, "full">>()(int.pipe(Scoped.updateResult(typedResult)))
expect<Updated<number>>()(Scoped.update(int, timed))
expect<Updated<number>>()(Scoped.update(int, handlers.increment))
Scoped.update(int, function(n) {
  return [n, n + 1]
})
Scoped.update(int, (n: number) => [n, n + 1])
Scoped.update(int, (n): [number, number] => [n, n + 1])
Scoped.update(int, (n): readonly [never, number] => {
  throw new Error(`a defect at ${n}`)
})
Scoped.update(int, () => {
  throw new Error("a defect")
})
Scoped.update(int, constant([1, 2] as const))
Scoped.update(count, ({ count: n }) => [n, { count: n }] as const)
Scoped.update(lamp, (l) => [l, "on" as const])

// Handlers that helpers build
const adding = (by: number): Scoped.Handler<number, number> => (n) => [n, n + by]
const addingLoosely = (by: number) => (n: number) => [n, n + by] as const
const wrapped = <State, A>(handler: Scoped.Handler<State, A>): Scoped.Handler<State, A> => (state, moment) =>
  handler(state, moment)
Scoped.update(int, adding(1))
Scoped.update(int, addingLoosely(1))
Scoped.update(int, wrapped<number, string>((n) => [`${n}`, n]))
Scoped.update(int, wrapped(typed))
Scoped.update(int, Math.random() > 0.5 ? adding(1) : adding(2))

// Functions that are generic over the state, the result or the error
const replace = <State>(scope: Scoped.Scoped<State>, f: (state: State) => State) =>
  Scoped.update(scope, (state) => [undefined, f(state)])
const swap = <State>(scope: Scoped.Scoped<State>, next: State) => Scoped.update(scope, (state) => [state, next])
const modify = <State, A>(scope: Scoped.Scoped<State>, handler: Scoped.Handler<State, A>) =>
  Scoped.update(scope, handler)
const modifyLast = <State, A>(scope: Scoped.Scoped<State>, handler: Scoped.Handler<State, A>) =>
  scope.pipe(Scoped.update(handler))
const modifyResult = <State, A, E>(scope: Scoped.Scoped<State>, handler: Scoped.ResultHandler<State, A, E>) =>
  Scoped.updateResult(scope, handler)
const bump = <State extends { readonly version: number }>(scope: Scoped.Scoped<State>) => {
  const handler: Scoped.Handler<State, number> = (state) => [state.version, { ...state, version: state.version + 1 }]
  return Scoped.update(scope, handler)
}
const setField = <State, Key extends keyof State>(scope: Scoped.Scoped<State>, key: Key, value: State[Key]) => {
  const handler: Scoped.Handler<State, void> = (state) => [undefined, { ...state, [key]: value }]
  return Scoped.update(scope, handler)
}
const logged = <State, A>(scope: Scoped.Scoped<State>, handler: Scoped.Handler<State, A>) =>
  Effect.tap(Scoped.update(scope, handler), (a) => Effect.log(a))
expect<Updated<undefined>>()(replace(count, (s) => ({ count: s.count + 1 })))
expect<Updated<number>>()(swap(int, 3))
expect<Updated<number>>()(modify(count, ({ count }) => [count, { count: 1 }]))
expect<Updated<string>>()(modify(lamp, (l) => [`${l}`, l]))
expect<Updated<number>>()(modifyLast(count, ({ count }) => [count, { count: 1 }]))
modifyResult(int, (n) => n > 1 ? Result.fail("big") : Result.succeed([n, n]))
logged(cart, (c) => [c.owner.name, c])
setField(count, "count", 1)
bump(Scoped.all({ version: int, tree }))

// Data-last
int.pipe(Scoped.update((n) => [n, n + 1]))
int.pipe(Scoped.update((n) => [n, n + 1], { retry: Schedule.recurs(1) }))
int.pipe(Scoped.update(increment), Effect.map((n) => n + 1))
numbers.pipe(Scoped.update((xs) => [xs.length, [...xs, 1]]))
pair.pipe(Scoped.update(([n, s]) => [s, [n, s]]))
lamp.pipe(Scoped.update((l) => [l, l === "on" ? "off" : "on"]))
const visit = Scoped.update(({ count }: { readonly count: number }) => [count + 1, { count: count + 1 }])
expect<Updated<number>>()(visit(count))
const visitAgain = Scoped.update(({ count }: { readonly count: number }) => [count, { count }], {
  retry: Schedule.recurs(1)
})
expect<Updated<number>>()(visitAgain(count))

// Inside other expressions
Effect.map(Scoped.update(pair, () => [undefined, [1, "a"]]), () => 1)
Effect.all([Scoped.update(pair, () => [undefined, [1, "a"]]), Scoped.update(lamp, () => [1, "on"])])
Effect.all({ a: Scoped.update(int, (n) => [n, n]), b: Scoped.update(lamp, () => [1, "on"]) })
Effect.forEach([1, 2], (i) => Scoped.update(numbers, (xs) => [i, [...xs, i]]))
Scoped.update(lamp, () => [undefined, "on"]).pipe(Effect.asVoid)
Effect.gen(function*() {
  const before = yield* Scoped.update(lamp, (l) => [l, "on"])
  return yield* Scoped.update(int, (n) => [before === "on", n + 1])
})

// Families and products
Scoped.update(Users("ada"), (u) => [u.visits, { ...u, visits: u.visits + 1 }])
Users("ada").pipe(Scoped.update((u) => [u.visits, { ...u, role: "admin" }]))
Scoped.update(Scoped.all([count, pair]), ([{ count }, [n, s]]) => [s, [{ count: count + n }, [n, s]]])
Scoped.update(Scoped.all({ count, pair }), ({ count, pair }) => [count, { count, pair: [1, pair[1]] }])
Scoped.update(Scoped.all({ count, lamp }), ({ count }) => [count, { count: { count: 1 }, lamp: "on" }])
Scoped.update(
  Scoped.all({ a: Users("a"), b: Users("b") }),
  ({ a, b }) => [a.name, { a: b, b: { ...a, role: "guest" } }]
)
Scoped.update(
  Scoped.all([int, Scoped.all({ lamp, pair })]),
  ([n, rest]) => [rest.lamp, [n + 1, { ...rest, lamp: "off" }]]
)
Scoped.update(Scoped.all(["a", "b"].map(Users)), (users) => [users.length, users.map((u) => ({ ...u, visits: 0 }))])
count.pipe((scope) => Scoped.all([scope, pair]), Scoped.update(([count, pair]) => [1, [count, pair]]))
