// Something that runs, hidden in data. None of these compiles.
import {
  Cause,
  Chunk,
  Context,
  Data,
  type Duration,
  Effect,
  type Graph,
  HashMap,
  HashSet,
  Option,
  Redacted,
  Result,
  Schedule,
  Stream,
  Trie
} from "effect"
import { Scoped, Storage } from "effect-scoped"
import { cart, count, int, lamp, Money, opaque, Owner, owner, Users } from "../scopes.ts"

declare const symbol: unique symbol
declare const thunks: ReadonlyArray<() => void>
declare const record: { readonly [key: string]: () => void }
declare const graph: Graph.Graph<Effect.Effect<void>, number>
declare const thunk: (n: number) => readonly [() => number, number]
class Retryable extends Error {
  readonly retry: Effect.Effect<void>
  constructor(retry: Effect.Effect<void>) {
    super("retry")
    this.retry = retry
  }
}
class Caused extends Error {
  override readonly cause: Effect.Effect<void> = Effect.void
}
class Rescue extends Data.TaggedError("Rescue")<{ readonly rescue: Effect.Effect<void> }> {}
class Boxed extends Data.Class<{ readonly effect: Effect.Effect<void> }> {}
class Registry extends Map<string, number> {
  run() {
    return this.size
  }
}
class Stack extends Array<number> {
  peek() {
    return this[0]
  }
}
class Bag extends Set<number> {
  readonly later: Effect.Effect<void> = Effect.void
}
class Alarm extends Date {
  ring() {
    return Effect.void
  }
}
class Task {
  readonly run = () => 1
}
class Admin extends Owner {
  promote() {
    return Effect.void
  }
}
interface Recursive {
  readonly next: Recursive | undefined
  readonly list: ReadonlyArray<{ readonly inner: Recursive; readonly run: () => void }>
}

// @ts-expect-error: in one branch of the result
Scoped.update(int, (n) => [n > 1 ? 1 : Effect.succeed(1), n])
// @ts-expect-error: in one of several pairs
Scoped.update(int, (n) => n > 1 ? [1, n] : [Promise.resolve(1), n])
// @ts-expect-error: in an early return
Scoped.update(int, (n) => {
  if (n > 1) return [Effect.void, n]
  return [n, n]
})
// @ts-expect-error: in a struct
Scoped.update(int, (n) => [{ later: Effect.succeed(1) }, n])
// @ts-expect-error: in a struct beside data
Scoped.update(int, (n) => [{ a: 1, b: "b", later: () => n }, n])
// @ts-expect-error: in a struct under a symbol
Scoped.update(int, (n) => [{ [symbol]: () => n }, n])
// @ts-expect-error: in an optional property
Scoped.update(int, (n) => [{} as { readonly later?: () => void }, n])
// @ts-expect-error: in a property that may be undefined
Scoped.update(int, (n) => [{ later: undefined as undefined | (() => void) }, n])
// @ts-expect-error: as a method
Scoped.update(int, (n) => [{
  run() {
    return n
  }
}, n])
// @ts-expect-error: behind a getter
Scoped.update(int, (n) => [{
  get later() {
    return Effect.succeed(n)
  }
}, n])
// @ts-expect-error: two levels down
Scoped.update(int, (n) => [{ a: { b: Promise.resolve(1) } }, n])
// @ts-expect-error: nine levels down
Scoped.update(int, (n) => [{ a: { b: { c: { d: { e: { f: { g: { h: { i: () => n } } } } } } } } }, n])
// @ts-expect-error: nine arrays down
Scoped.update(int, (n) => [[[[[[[[[[() => n]]]]]]]]], n])
// @ts-expect-error: in an array
Scoped.update(int, (n) => [[Stream.make(n)], n])
// @ts-expect-error: in an array of a variable
Scoped.update(int, (n) => [thunks, n])
// @ts-expect-error: in a tuple, in a struct, in an array
Scoped.update(int, (n) => [[{ a: [1, () => 1] as const }], n])
// @ts-expect-error: in the rest of a tuple
Scoped.update(int, (n) => [[n, ...thunks], n])
// @ts-expect-error: in a record
Scoped.update(int, (n) => [{ ...record }, n])
// @ts-expect-error: in a map
Scoped.update(int, (n) => [new Map([["a", () => n]]), n])
// @ts-expect-error: as the key of a map
Scoped.update(int, (n) => [new Map([[() => n, "a"]]), n])
// @ts-expect-error: in a readonly map
Scoped.update(int, (n) => [new Map() as ReadonlyMap<string, Effect.Effect<number>>, n])
// @ts-expect-error: in a set
Scoped.update(int, (n) => [new Set([Effect.void]), n])
// @ts-expect-error: in an option
Scoped.update(int, (n) => [Option.some(Effect.void), n])
// @ts-expect-error: in an option that may be none
Scoped.update(int, (n) => [n > 1 ? Option.some(() => n) : Option.none(), n])
// @ts-expect-error: in an option in an option
Scoped.update(int, (n) => [Option.some(Option.some(Promise.resolve(n))), n])
// @ts-expect-error: in a result
Scoped.update(int, (n) => [Result.succeed(Promise.resolve(n)), n])
// @ts-expect-error: in the failure of a result
Scoped.update(int, (n) => [Result.fail(() => n), n])
// @ts-expect-error: in a chunk
Scoped.update(int, (n) => [Chunk.make(Effect.void), n])
// @ts-expect-error: in a hash map
Scoped.update(int, (n) => [HashMap.make(["a", Effect.void]), n])
// @ts-expect-error: in a hash set
Scoped.update(int, (n) => [HashSet.make(() => n), n])
// @ts-expect-error: in a redacted value
Scoped.update(int, (n) => [Redacted.make(Effect.void), n])
// @ts-expect-error: in a redacted struct
Scoped.update(int, (n) => [Redacted.make({ run: () => n }), n])
// @ts-expect-error: in a trie
Scoped.update(int, (n) => [Trie.make(["a", Effect.void]), n])
// @ts-expect-error: in a graph
Scoped.update(int, (n) => [graph, n])
// @ts-expect-error: in a cause
Scoped.update(int, (n) => [Cause.fail(Effect.void), n])
// @ts-expect-error: in a context
Scoped.update(int, (n) => [Context.make(Storage.Storage, null!), n])
// @ts-expect-error: in an error
Scoped.update(int, (n) => [new Retryable(Effect.void), n])
// @ts-expect-error: in a tagged error
Scoped.update(int, (n) => [new Rescue({ rescue: Effect.void }), n])
// @ts-expect-error: in a tagged error, in a struct
Scoped.update(int, (n) => [{ error: new Rescue({ rescue: Effect.void }) }, n])
// @ts-expect-error: as the cause of an error
Scoped.update(int, (n) => [new Caused(), n])
// @ts-expect-error: in a data class
Scoped.update(int, (n) => [new Boxed({ effect: Effect.void }), n])
// @ts-expect-error: in an intersection with a date
Scoped.update(int, (n) => [null! as Date & { readonly run: Effect.Effect<void> }, n])
// @ts-expect-error: in an intersection with a URL
Scoped.update(int, (n) => [null! as URL & { readonly run: () => void }, n])
// @ts-expect-error: in an intersection with bytes
Scoped.update(int, (n) => [null! as Uint8Array & { readonly run: () => void }, n])
// @ts-expect-error: in an intersection with a string
Scoped.update(int, (n) => [null! as string & { readonly run: () => void }, n])
// @ts-expect-error: in an intersection with an option
Scoped.update(int, (n) => [null! as Option.Option<number> & { run: () => void }, n])
// @ts-expect-error: in an intersection with an array
Scoped.update(int, (n) => [Object.assign([n], { run: () => n }), n])
// @ts-expect-error: in an intersection with a map
Scoped.update(int, (n) => [Object.assign(new Map([["a", n]]), { run: () => n }), n])
// @ts-expect-error: in an intersection with a duration
Scoped.update(int, (n) => [null! as Duration.Duration & { run: () => void }, n])
// @ts-expect-error: in a subclass of Map
Scoped.update(int, (n) => [new Registry(), n])
// @ts-expect-error: in a subclass of Array
Scoped.update(int, (n) => [new Stack(), n])
// @ts-expect-error: in a subclass of Set
Scoped.update(int, (n) => [new Bag(), n])
// @ts-expect-error: in a subclass of Date
Scoped.update(int, (n) => [new Alarm(), n])
// @ts-expect-error: in a class with methods that the state does not hold
Scoped.update(int, (n) => [new Money(n), n])
// @ts-expect-error: in a class that holds a function
Scoped.update(int, (n) => [new Task(), n])
// @ts-expect-error: in a recursive type
Scoped.update(int, (n) => [null! as Recursive, n])
// @ts-expect-error: any
Scoped.update(int, (n) => [JSON.parse("1"), n])
// @ts-expect-error: any, in a struct
Scoped.update(int, (n) => [{ a: JSON.parse("1") }, n])
// @ts-expect-error: any, in an array
Scoped.update(int, (n) => [[JSON.parse("1")], n])
// @ts-expect-error: any, as the whole answer
Scoped.update(int, () => JSON.parse("[1, 1]"))
// @ts-expect-error: unknown
Scoped.update(int, (n) => [JSON.parse("1") as unknown, n])
// @ts-expect-error: unknown, in a struct
Scoped.update(int, (n) => [{ a: null as unknown }, n])
// @ts-expect-error: unknown, as the whole answer
Scoped.update(int, () => JSON.parse("[1, 1]") as unknown)
// @ts-expect-error: any object
Scoped.update(int, (n) => [{} as object, n])
// @ts-expect-error: a record of unknown
Scoped.update(int, (n) => [{} as Record<string, unknown>, n])
// @ts-expect-error: a promise that resolves to a part of the state
Scoped.update(cart, (c) => [Promise.resolve(c.owner), c])
// @ts-expect-error: a method of a part of the state
Scoped.update(cart, (c) => [c.owner.greeting, c])
// @ts-expect-error: a function of the type of a method of the state
Scoped.update(cart, (c) => [() => "hello", c])
// @ts-expect-error: a superset of the state
Scoped.update(count, (s) => [{ ...s, later: () => 1 }, s])
// @ts-expect-error: a superset of the state, with an effect
Scoped.update(count, (s) => [Object.assign({}, s, { later: Effect.void }), s])
// @ts-expect-error: a superset of a class of the state
Scoped.update(owner, (o) => [Object.assign(o, { run: () => 1 }), o])
// @ts-expect-error: a subclass of a class of the state
Scoped.update(owner, (o) => [new Admin({ name: "Ada" }), o])
// @ts-expect-error: an effect where the state holds unknown
Scoped.update(opaque, (s) => [{ ...s, anything: Effect.void }, s])
// @ts-expect-error: data-last
int.pipe(Scoped.update((n) => [Effect.void, n]))
// @ts-expect-error: data-last, with options
int.pipe(Scoped.update((n) => [Effect.void, n], {}))
// @ts-expect-error: data-last, in one branch
int.pipe(Scoped.update((n) => n > 1 ? [n, n] : [() => n, n]))
// @ts-expect-error: data-last, outside of a pipe
Scoped.update((n: number) => [Effect.void, n])
// @ts-expect-error: with options
Scoped.update(int, (n) => [Effect.void, n], { retry: Schedule.recurs(1) })
// @ts-expect-error: of a family
Scoped.update(Users("ada"), (u) => [Effect.succeed(u), u])
// @ts-expect-error: of a product
Scoped.update(Scoped.all([int, lamp]), (s) => [Effect.void, s])
// @ts-expect-error: of a product, in a struct
Scoped.update(Scoped.all({ int, lamp }), (s) => [{ ...s, run: () => 1 }, s])
// @ts-expect-error: through a named function
Scoped.update(int, thunk)
// @ts-expect-error: through a handler's type
export const impure: Scoped.Handler<number, () => void> = (n) => [() => {}, n]
// @ts-expect-error: through a result handler's type
export const fails: Scoped.ResultHandler<number, 1, () => 1> = () => Result.fail(() => 1)
// @ts-expect-error: through a type that lies
Scoped.update(int, () => null! as readonly [Effect.Effect<number>, number])
// @ts-expect-error: through a generic function
export const lift = <A>(a: A) => Scoped.update(int, (n) => [a, n])
// @ts-expect-error: through a generic function of the state
export const grab = <S, A>(scope: Scoped.Scoped<S>, f: (s: S) => A) => Scoped.update(scope, (s) => [f(s), s])
// @ts-expect-error: through a handler of any
export const anything: Scoped.Handler<number, any> = (n) => [Effect.void, n]
// @ts-expect-error: through a handler of unknown
export const something: Scoped.Handler<number, unknown> = (n) => [Effect.void, n]
