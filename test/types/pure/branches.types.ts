// Handlers whose branches differ. All of these compile.
import { HashMap, Option, Result } from "effect"
import { Scoped } from "effect-scoped"
import {
  cart,
  count,
  expect,
  int,
  job,
  lamp,
  maybe,
  numbers,
  settings,
  TooFew,
  TooMany,
  type Updated,
  Users
} from "../scopes.ts"

Scoped.update(lamp, (l) => [undefined, l === "on" ? "off" : "on"])
Scoped.update(lamp, (l) => l === "on" ? [1, "off"] : ["one", "on"])
Scoped.update(lamp, (l) => l === "on" ? [true, l] : [false, "on"])
Scoped.update(lamp, (l) => {
  if (l === "on") return ["was on", "off"]
  return [0, l]
})
Scoped.update(numbers, (xs) => xs.length === 0 ? [0, []] : [1, xs.map((x) => x + 1)])
Scoped.update(numbers, (xs) => [xs[0], xs.slice(1)])
Scoped.update(numbers, (xs) => xs.length > 3 ? [null, xs] : [xs.length, [...xs, 1]])
Scoped.update(numbers, (xs) => [xs.length === 0 ? undefined : Math.max(...xs), xs.filter((x) => x > 0)])
Scoped.update(numbers, (xs) => [xs.reduce((sum, x) => sum + x, 0), [...xs].sort((a, b) => a - b)])
Scoped.update(numbers, (xs) => {
  const next = [...xs]
  next.push(1)
  return [next.length, next]
})
Scoped.update(job, (j) => {
  switch (j._tag) {
    case "Waiting":
      return ["started", { _tag: "Running", worker: "ada", attempt: 1 }]
    case "Running":
      return [j.attempt, j.attempt > 3 ? { _tag: "Done" } : { ...j, attempt: j.attempt + 1 }]
    case "Done":
      return [j.result, j]
  }
})
Scoped.update(
  job,
  (j) => j._tag === "Done" ? [null, { _tag: "Waiting", since: 0 }] : [j._tag, { _tag: "Done", result: "ok" }]
)
Scoped.update(job, (j) => j._tag === "Waiting" ? [j.since, { ...j, since: 1 }] : [0, j])
Scoped.update(job, (j) => [j._tag, { _tag: "Waiting", since: 0 }])
Scoped.update(job, (j) => {
  if (j._tag !== "Running") return [false, j]
  const { attempt, ...rest } = j
  return [attempt, { ...rest, attempt: attempt + 1 }]
})
Scoped.update(settings, (s) => s.theme === undefined ? [1, { ...s, theme: "dark" }] : [2, { theme: "light" }])
Scoped.update(settings, ({ theme: _, ...rest }) => [undefined, rest])
Scoped.update(settings, (s) => [s.size ?? 0, { ...s, size: undefined }])
Scoped.update(settings, (s) => [s.theme, {}])
Scoped.update(settings, (s) => [s.theme, s.size === undefined ? {} : { size: s.size + 1 }])
Scoped.update(settings, (s) => [undefined, { ...s, ...(s.size === undefined ? { size: 1 } : {}) }])
Scoped.update(maybe, (item) => item === null ? ["made", { id: "a", price: 1, tags: [] }] : [item, null])
Scoped.update(maybe, (item) => [item?.price ?? "free", item && { ...item, price: 2 }])
Scoped.update(maybe, (item) => {
  if (item === null) return [undefined, item]
  return [{ sold: item }, null]
})
Scoped.update(int, (n) => n > 1 ? [{ kind: "big", n }, n] : [{ kind: "small" }, n + 1])
Scoped.update(int, (n) => [n > 1 ? Option.some(n) : Option.none(), n + 1])
Scoped.update(int, (n) => n > 1 ? [Option.some(n), n] : [Option.none(), 0])
Scoped.update(int, (n) => n > 1 ? [Result.succeed(n), n] : [Result.fail("small"), n])
Scoped.update(int, (n) => n > 1 ? [new TooMany({ limit: 1 }), n] : [new TooFew({ missing: 1 }), n])
Scoped.update(int, (n) => n > 1 ? [[], n] : [[n], n])
Scoped.update(int, (n) => n > 1 ? [[1, "a"], n] : [{ a: [n] }, n])
Scoped.update(int, (n) => {
  for (let i = 0; i < n; i++) {
    if (i * i === n) return [i, n]
  }
  return ["no square", n]
})
Scoped.update(int, (n) => {
  try {
    return [BigInt(n), n]
  } catch {
    return ["no integer", 0]
  }
})
Scoped.update(int, (n) => {
  if (n < 0) throw new Error("a defect")
  return [n, n]
})
Scoped.update(cart, (c) => {
  const first = c.items[0]
  return first === undefined ? ["empty", c] : [first, { ...c, items: c.items.slice(1), note: `sold ${first.id}` }]
})
Scoped.update(cart, (c) => c.note === undefined ? [0, { ...c, note: "" }] : [c.note, { ...c, items: [] }])
const lookup = (table: HashMap.HashMap<string, number>) =>
  Scoped.update(
    int,
    (n) => Option.match(HashMap.get(table, "a"), { onNone: () => [null, n], onSome: (a) => [a, n + a] })
  )
expect<Updated<number | null>>()(lookup(HashMap.empty()))
Scoped.update(Users("ada"), (u) => u.role === "admin" ? [1, u] : ["guest", { ...u, role: "admin" }])
Scoped.update(Users("ada"), (u) => [u.name, { ...u, role: u.visits > 9 ? "admin" : "guest", visits: u.visits + 1 }])
Scoped.update(Users("ada"), () => [undefined, { name: "", visits: 0, role: "guest" }])
lamp.pipe(Scoped.update((l) => l === "on" ? [1, "off"] : ["one", "on"]))
job.pipe(Scoped.update((j) => j._tag === "Done" ? [1, j] : ["x", { _tag: "Done" }]))
count.pipe(Scoped.update((s) => {
  if (s.count > 1) return [null, s]
  return [s, { count: 0 }]
}))
settings.pipe(Scoped.update((s) => s.theme === "dark" ? [1, { theme: "light" }] : [s, { ...s, theme: "dark" }]))

// What infers
expect<Updated<"was on" | 0>>()(Scoped.update(lamp, (l) => {
  if (l === "on") return ["was on", "off"]
  return [0, l]
}))
expect<Updated<0 | 1>>()(Scoped.update(numbers, (xs) => xs.length === 0 ? [0, []] : [1, xs.map((x) => x + 1)]))
expect<Updated<number>>()(Scoped.update(count, ({ count }) => [count + 1, { count: count + 1 }]))
