// Next states that do not fit, or cannot be stored. None of these compiles.
import { Effect } from "effect"
import { Scoped } from "effect-scoped"
import {
  cart,
  count,
  int,
  job,
  lamp,
  loose,
  numbers,
  opaque,
  Owner,
  owner,
  pair,
  places,
  settings,
  Users
} from "../scopes.ts"

declare const wide: { readonly count: number; readonly more: string }
declare const record: Scoped.Scoped<{ readonly [key: string]: unknown }>
class Admin extends Owner {
  promote() {
    return Effect.void
  }
}

// @ts-expect-error: a forgotten pair
Scoped.update(int, (n) => n + 1)
// @ts-expect-error: a forgotten pair of an object
Scoped.update(count, (s) => ({ count: s.count + 1 }))
// @ts-expect-error: an empty object
Scoped.update(int, () => ({}))
// @ts-expect-error: an empty array
Scoped.update(int, () => [])
// @ts-expect-error: the state itself
Scoped.update(count, (s) => s)
// @ts-expect-error: nothing
Scoped.update(int, () => {})
// @ts-expect-error: nothing in one branch
Scoped.update(int, (n) => n > 1 ? [n, n] : undefined)
// @ts-expect-error: a pair with one element
Scoped.update(int, (n) => [n])
// @ts-expect-error: a pair with three
Scoped.update(int, (n) => [n, n, n])
// @ts-expect-error: an array that is no pair
Scoped.update(int, (n) => Array.of(n, n))
// @ts-expect-error: mutating the state
Scoped.update(count, (s) => [s.count++, s])
// @ts-expect-error: mutating an array of the state
Scoped.update(numbers, (xs) => [xs.push(1), xs])
// @ts-expect-error: mutating a map of the state
Scoped.update(places, (m) => [m.clear(), m])
// @ts-expect-error: another type
Scoped.update(count, (s) => [s.count, { count: "1" }])
// @ts-expect-error: another type, behind a spread
Scoped.update(count, (s) => [s.count, { ...s, count: "1" }])
// @ts-expect-error: another type in one branch
Scoped.update(int, (n) => n > 1 ? [n, n] : [n, "1"])
// @ts-expect-error: a literal that the state does not have
Scoped.update(lamp, () => [1, "dim"])
// @ts-expect-error: an empty object
Scoped.update(count, () => [1, {}])
// @ts-expect-error: a tuple that is too short
Scoped.update(pair, ([n]) => [n, [n]])
// @ts-expect-error: a tuple of other types
Scoped.update(pair, ([n]) => [n, [n, n]])
// @ts-expect-error: a tuple for a struct
Scoped.update(count, () => [1, []])
// @ts-expect-error: a product that lacks a part
Scoped.update(Scoped.all({ int, lamp }), ({ int }) => [1, { int }])
// @ts-expect-error: a variant of another tag
Scoped.update(job, () => [1, { _tag: "Lost" }])
// @ts-expect-error: a variant that lacks a field
Scoped.update(job, () => [1, { _tag: "Running", worker: "ada" }])
// @ts-expect-error: a variant with the field of another
Scoped.update(job, () => [1, { _tag: "Waiting", since: 0, worker: "ada" }])
// @ts-expect-error: a key too many
Scoped.update(count, () => [1, { count: 1, nmae: "ada" }])
// @ts-expect-error: a key too many, behind a spread
Scoped.update(count, (s) => [1, { ...s, nmae: "ada" }])
// @ts-expect-error: a key too many, in one branch
Scoped.update(count, (s) => s.count > 1 ? [1, s] : [2, { ...s, nmae: "ada" }])
// @ts-expect-error: a key too many, one level down
Scoped.update(cart, (c) => [1, { ...c, items: [{ id: "a", price: 1, tags: [], pirce: 2 }] }])
// @ts-expect-error: a key too many, in the elements
Scoped.update(cart, (c) => [1, { ...c, items: c.items.map((i) => ({ ...i, pirce: 1 })) }])
// @ts-expect-error: a key too many, of a family
Scoped.update(Users("ada"), (u) => [1, { ...u, vists: 1 }])
// @ts-expect-error: a key too many, of a product
Scoped.update(Scoped.all({ int, count }), (s) => [1, { ...s, count: { count: 1, nmae: 1 } }])
// @ts-expect-error: a part too many, of a product
Scoped.update(Scoped.all({ int }), (s) => [1, { ...s, lamp: "on" }])
// @ts-expect-error: a key too many, where all are optional
Scoped.update(settings, (s) => [1, { ...s, tehme: "dark" }])
// @ts-expect-error: a key too many, data-last
count.pipe(Scoped.update((s) => [1, { ...s, nmae: "ada" }]))
// @ts-expect-error: a key too many, in a variable
Scoped.update(count, () => [1, wide])
// @ts-expect-error: a function in a key too many
Scoped.update(count, (s) => [1, { ...s, run: () => 1 }])
// @ts-expect-error: an effect where the state holds unknown
Scoped.update(opaque, (s) => [1, { ...s, anything: Effect.void }])
// @ts-expect-error: a function where the state holds any
Scoped.update(loose, (s) => [1, { ...s, anything: () => 1 }])
// @ts-expect-error: an effect in a record of unknown
Scoped.update(record, () => [1, { a: { b: Effect.void } }])
// @ts-expect-error: any
Scoped.update(int, (n) => [n, JSON.parse("1")])
// @ts-expect-error: any, in a field
Scoped.update(count, (s) => [s, { count: JSON.parse("1") }])
// @ts-expect-error: a promise
Scoped.update(int, (n) => [n, Promise.resolve(n)])
// @ts-expect-error: an effect
Scoped.update(int, (n) => [n, Effect.succeed(n)])
// @ts-expect-error: a subclass of the state's class
Scoped.update(owner, (o) => [o, new Admin({ name: "Ada" })])
