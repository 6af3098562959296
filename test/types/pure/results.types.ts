// Handlers of `updateResult`. All of these compile.
import { Effect, Option, Result } from "effect"
import { Scoped } from "effect-scoped"
import {
  cart,
  count,
  expect,
  int,
  job,
  lamp,
  maybe,
  mutable,
  numbers,
  pair,
  settings,
  TooFew,
  TooMany,
  type Updated,
  Users
} from "../scopes.ts"

expect<Updated<number, "empty">>()(
  Scoped.updateResult(
    count,
    ({ count }) => count === 0 ? Result.fail("empty" as const) : Result.succeed([count, { count: count - 1 }])
  )
)
expect<Updated<undefined, TooMany | TooFew>>()(Scoped.updateResult(int, (n) => {
  if (n > 9) return Result.fail(new TooMany({ limit: 9 }))
  if (n < 0) return Result.fail(new TooFew({ missing: -n }))
  return Result.succeed([undefined, n + 1])
}))
Scoped.updateResult(
  int,
  (n) => n > 9 ? Result.fail(new TooMany({ limit: 9 })) : Result.fail(new TooFew({ missing: 1 }))
)
Scoped.updateResult(int, (n) => n > 9 ? Result.fail(n) : n > 8 ? Result.fail("eight") : Result.succeed([n, n]))
Scoped.updateResult(int, (n) => n > 9 ? Result.succeed(["big", n]) : Result.succeed([n, 0]))
Scoped.updateResult(int, () => Result.fail("never"))
Scoped.updateResult(int, (n) => Result.succeed([undefined, n]))
Scoped.updateResult(int, (n) => Result.fail({ reason: "full", at: n, list: [1] }))
Scoped.updateResult(int, (n) => Result.fail(Option.some(n)))
Scoped.updateResult(int, (n) => Result.fail(new Error(`no ${n}`)))
Scoped.updateResult(int, (n) => Result.fail(new TypeError(`no ${n}`)))
Scoped.updateResult(int, (n) => n > 0 ? Result.fail(undefined) : Result.fail(null))
Scoped.updateResult(lamp, (l) => Result.succeed([undefined, l === "on" ? "off" : "on"]))
Scoped.updateResult(lamp, (l) => l === "on" ? Result.succeed([1, "off"]) : Result.fail("dark" as const))
Scoped.updateResult(pair, ([n, s]) => Result.succeed([s, [n + 1, s]]))
Scoped.updateResult(pair, ([n, s]) => n > 1 ? Result.fail(s) : Result.succeed([s, [n + 1, "a"]]))
Scoped.updateResult(numbers, (xs) => xs.length === 0 ? Result.fail("empty") : Result.succeed([xs[0], xs.slice(1)]))
Scoped.updateResult(mutable, (m) => Result.succeed([m.list.length, { ...m, list: [1], pair: [1, "a"] }]))
Scoped.updateResult(settings, (s) => Result.succeed([s.size, { theme: "dark" }]))
Scoped.updateResult(settings, (s) => s.size === undefined ? Result.fail("no size") : Result.succeed([1, {}]))
Scoped.updateResult(maybe, (item) => item === null ? Result.fail("none") : Result.succeed([item, null]))
Scoped.updateResult(job, (j) => {
  switch (j._tag) {
    case "Waiting":
      return Result.succeed([0, { _tag: "Running", worker: "ada", attempt: 1 }])
    case "Running":
      return Result.succeed(["running", { _tag: "Done" }])
    case "Done":
      return Result.fail(new TooMany({ limit: 1 }))
  }
})
Scoped.updateResult(
  cart,
  (c) => c.items.length === 0 ? Result.fail(c.owner) : Result.succeed([c.items[0], { ...c, items: [] }])
)
Scoped.updateResult(cart, (c) => Result.fail(c.total))
Scoped.updateResult(
  Users("ada"),
  (u) => u.role === "admin" ? Result.fail("admin") : Result.succeed([u, { ...u, role: "admin" }])
)
int.pipe(Scoped.updateResult((n) => n > 9 ? Result.fail(new TooMany({ limit: 9 })) : Result.succeed([n, n + 1])))
lamp.pipe(Scoped.updateResult((l) => Result.succeed([1, l === "on" ? "off" : "on"])))
Scoped.updateResult((n: number) => n > 9 ? Result.fail("big") : Result.succeed([n, n + 1]), {})
Scoped.updateResult((n: number) => n > 9 ? Result.fail("big") : Result.succeed([n, n + 1]))
Scoped.updateResult(int, (n): Result.Result<readonly [number, number], TooMany> => Result.succeed([n, n]))
Scoped.updateResult(int, (n) => Result.map(Result.succeed(n), (n) => [n, n + 1] as const))
Scoped.updateResult(int, (n) =>
  Option.match(Option.some(n), {
    onNone: () => Result.fail("none"),
    onSome: (n) => Result.succeed([n, n] as const)
  }))

// Products, made in place
Scoped.updateResult(
  Scoped.all([count, pair]),
  ([c, [n, s]]) =>
    c.count < n ? Result.fail("short" as const) : Result.succeed([undefined, [{ count: c.count - n }, [n, s]]])
)
Scoped.updateResult(Scoped.all({ count, lamp }), ({ count }) => Result.succeed([1, { count, lamp: "on" }]))
Scoped.updateResult(Scoped.all({ from: Users("a"), to: Users("b") }), ({ from, to }) =>
  from.visits < 1
    ? Result.fail(new TooFew({ missing: 1 }))
    : Result.succeed([from.visits, { from: { ...from, visits: from.visits - 1 }, to: { ...to, role: "admin" } }]))
Effect.flip(Scoped.updateResult(Scoped.all([lamp, lamp]), ([a, b]) => Result.succeed([undefined, [b, a]])))
