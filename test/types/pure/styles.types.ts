// Handlers in the styles of everyday programs. All of these compile.
import { Array as Arr, Effect, Function, HashMap, Option, Result, Schema, Struct } from "effect"
import { Scoped } from "effect-scoped"
import {
  cart,
  count,
  effects,
  int,
  job,
  lamp,
  maybe,
  mutable,
  numbers,
  pair,
  places,
  settings,
  tree,
  Users
} from "../scopes.ts"

Scoped.update(numbers, Arr.match({ onEmpty: () => [0, []] as const, onNonEmpty: (xs) => [xs.length, xs] as const }))
Scoped.update(int, (n) => Function.pipe(n, (n) => [n, n + 1]))
Scoped.update(int, (n) => Function.pipe(n, (n) => [n, n + 1] as const))
Scoped.update(cart, (c) => [Struct.omit(c, ["owner"]), c])
Scoped.update(cart, (c) => [c.items.at(-1), { ...c, items: c.items.with(0, { id: "x", price: 1, tags: [] }) }])
Scoped.update(cart, (c) => [Object.groupBy(c.items, (i) => i.id), c])
Scoped.update(cart, (c) => [Map.groupBy(c.items, (i) => i.id), c])
Scoped.update(int, (n) => [{ a: n > 1 ? undefined : null, b: n as 1 | 2 }, n])
Scoped.update(int, (n) => [
  new (class {
    readonly x = 1
  })(),
  n
])
Scoped.update(int, (n) => [{ [Symbol.for("a")]: 1 }, n])
Scoped.update(int, (n) => [n, Number(n)])
Scoped.update(int, (n) => [new Intl.NumberFormat().format(n), n])
Scoped.update(int, (n) => [n.toString().match(/a/g), n])
Scoped.update(settings, () => {
  const next: { theme?: "dark" | "light" } = {}
  next.theme = "dark"
  return [1, next]
})
Scoped.update(places, () => [1, new Map()])
Scoped.update(cart, (c) => [1, { ...c, items: [] }])
Scoped.update(tree, (t) => [1, { value: 1, children: [{ ...t, children: [] }], byName: new Map([["a", t]]) }])
Scoped.update(maybe, () => [null, { id: "", price: 0, tags: ["a"] }])
Scoped.update(Users("a"), (u) => {
  const next = { ...u }
  return [1, { ...next, visits: 2 }]
})
Scoped.update(Users("a"), (u) => {
  if (u.visits > 3) {
    const role = "admin"
    return [role, { ...u, role }]
  }
  return [null, u]
})
Scoped.update(effects, (s) => [Option.map(s.option, (n) => ({ n })), s])
Scoped.update(effects, (s) => [Result.getOrElse(s.result, () => 0), { ...s, result: Result.succeed(1) }])
Scoped.update(effects, (s) => [[...HashMap.values(s.table)], { ...s, table: HashMap.empty() }])
Scoped.update(count, (s) => [s, Object.freeze({ count: 1 })])
Scoped.update(count, ({ ...s }) => [s.count, s])
Scoped.update(mutable, (m) => [1, structuredClone(m)])
Scoped.update(pair, (p) => [p, [...p]])
Scoped.update(int, (n) => [Schema.decodeUnknownSync(Schema.String)("a"), n])
Scoped.update(int, (n) => n > 3 ? [{ ok: true, n }, n] : n > 2 ? [{ ok: false, why: "x" }, n] : [undefined, n])
const r = Scoped.update(int, (n) => n > 3 ? [{ ok: true, n }, n] : [{ ok: false, why: "x" }, n])
Effect.map(r, (x) => x.ok ? x.n : x.why)
Scoped.updateResult(lamp, (l) => Effect.isEffect(1) ? Result.fail("x" as const) : Result.succeed([l, "off" as const]))
Scoped.updateResult(
  job,
  (j) => Result.succeed([1, j._tag === "Done" ? { _tag: "Waiting", since: 1 } : { _tag: "Done" }])
)
Scoped.updateResult(job, (j) => {
  if (j._tag === "Done") return Result.fail(1)
  return Result.succeed([1, { _tag: "Done" }])
})
Scoped.updateResult(int, (n) =>
  Result.gen(function*() {
    const x = yield* Result.succeed(1)
    return [x, n] as const
  }))
Scoped.updateResult(
  int,
  (n) => Result.flatMap(n > 1 ? Result.succeed(n) : Result.fail("a" as const), (n) => Result.succeed([n, n] as const))
)
Scoped.updateResult(int, (n) => Result.fromOption(Option.some([n, n] as const), () => "none" as const))
Scoped.updateResult(
  settings,
  (s) => s.theme ? Result.succeed([1, { ...s, theme: "light" }]) : Result.succeed([2, { size: 1 }])
)
