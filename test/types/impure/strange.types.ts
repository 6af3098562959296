// Strange handlers. None of these compiles.
import { Brand, type Chunk, Config, Effect, Exit, HashMap, Option, Result } from "effect"
import { Scoped } from "effect-scoped"
import {
  cart,
  dictionary,
  effects,
  int,
  json,
  loose,
  maybe,
  Money,
  mutable,
  opaque,
  places,
  type TooMany,
  Users
} from "../scopes.ts"

// @ts-expect-error
Scoped.update(int, (n) => [n, n] as never as readonly [{ a?: { b?: () => void } }, number])
// @ts-expect-error
Scoped.update(int, (n) => [Brand.nominal<number & Brand.Brand<"A">>(), n])
// @ts-expect-error
Scoped.update(int, (n) => [Option, n])
// @ts-expect-error
Scoped.update(int, (n) => [HashMap, n])
// @ts-expect-error
Scoped.update(int, (n) => [Reflect, n])
// @ts-expect-error
Scoped.update(int, (n) => [Math, n])
// @ts-expect-error
Scoped.update(int, (n) => [JSON, n])
// @ts-expect-error
Scoped.update(int, (n) => [import("node:fs"), n])
// @ts-expect-error
Scoped.update(int, (n) => [new Map([["a", Option.some(new Map([["b", () => n]]))]]), n])
// @ts-expect-error
Scoped.update(int, (n) => [Exit.void, n])
// @ts-expect-error
Scoped.update(int, (n) => [{ a: Exit.fail(1) }, n])
// @ts-expect-error
Scoped.update(int, (n) => [Config.Int("a"), n])
// @ts-expect-error
Scoped.update(int, (n) => [Effect.succeed(1).pipe(Option.some, Option.some, Option.some, Option.some), n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Option.Option<() => void> | Date, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as ReadonlyArray<Date & { a: () => void }>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as TooMany & { a: () => void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Error & { a: Effect.Effect<void> }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Record<string, () => void>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Record<number, Promise<void>>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Partial<Record<"a", () => void>>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as { [Symbol.iterator](): Iterator<number> }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as { [Symbol.dispose](): void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as { [Symbol.toPrimitive](): number }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as () => never, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Function, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as { f: Function }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as CallableFunction, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as NewableFunction, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as (abstract new() => Date), n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as { new(): Date }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as object | number, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Array<object>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Array<any>, n])
// @ts-expect-error
Scoped.update(int, (n) => [new Map(), n])
// @ts-expect-error
Scoped.update(int, (n) => [new Set(), n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as ThisType<number> & { f(): void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Generator<number>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as IterableIterator<number>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Iterator<number>, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Disposable, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Intl.Collator, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Headers, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as FormData, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as NodeJS.Timeout, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as ArrayBuffer & { run: () => void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as RegExp & { run: () => void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as bigint & { run: () => void }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as number & { run: Effect.Effect<void> }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as true & { run: Effect.Effect<void> }, n])
// @ts-expect-error
Scoped.update(int, (n) => [null! as Chunk.Chunk<Chunk.Chunk<Chunk.Chunk<Chunk.Chunk<Chunk.Chunk<() => void>>>>>, n])
// @ts-expect-error
Scoped.update(int, (n) => n > 1 ? [n, n] : n > 2 ? [Effect.void, n] : [1, n])
// @ts-expect-error
Scoped.update(int, (n) => n > 1 ? [n, Effect.void] : [1, n])
// @ts-expect-error
Scoped.update(int, (n: number, by: number) => [n, n + by])
// @ts-expect-error
Scoped.update(int, (n: string) => [n, 1])
// @ts-expect-error
Scoped.update(int, (n, m, o) => [n, n])
// @ts-expect-error
Scoped.update(int)
// @ts-expect-error
Scoped.update()
// @ts-expect-error
Scoped.update(int, (n) => [n, n], { retry: 3 })
// @ts-expect-error
Scoped.update(int, (n) => [n, n], {}, {})
// @ts-expect-error
Scoped.update(Users, (n) => [n, n])
// @ts-expect-error
Scoped.update(opaque, (s) => [{ x: s.anything as object }, s])
// @ts-expect-error
Scoped.update(opaque, (s) => [{ x: Promise.resolve(s.anything) }, s])
// @ts-expect-error
Scoped.update(loose, (s) => [{ x: () => s.anything }, s])
// @ts-expect-error
Scoped.update(dictionary, () => [1, { ...d, a: "b" }])
// @ts-expect-error
Scoped.update(dictionary, () => [1, { ...d, a: () => 1 }])
// @ts-expect-error
Scoped.update(json, () => [1, { a: () => 1 }])
// @ts-expect-error
Scoped.update(json, () => [1, { a: Effect.void }])
// @ts-expect-error
Scoped.update(places, () => [1, new Map([["a", 1]])])
// @ts-expect-error
Scoped.update(places, () => [1, new Map([["a", { id: "a", price: 1, tags: [], run: () => 1 }]])])
// @ts-expect-error
Scoped.update(maybe, () => [1, { id: "a", price: 1, tags: [], extra: 1 }])
// @ts-expect-error
Scoped.update(effects, (s) => [1, { ...s, option: Option.some("a") }])
// @ts-expect-error
Scoped.update(cart, (c) => [1, { ...c, total: { cents: 1, plus: () => c.total, run: () => 1 } }])
// @ts-expect-error
Scoped.update(cart, (c) => [{ ...c.total, plus: () => new Money(1) }, c])
// @ts-expect-error
Scoped.update(cart, (c) => [Object.assign(c.owner, { later: Effect.void }), c])
// @ts-expect-error
Scoped.update(mutable, (m) => [1, { ...m, list: ["a"] }])
// @ts-expect-error
Scoped.update(mutable, (m) => [1, { ...m, pair: [1] }])
// @ts-expect-error
Scoped.updateResult(int, (n) => n > 1 ? Result.succeed([n, n]) : undefined)
// @ts-expect-error
Scoped.updateResult(int, (n) => Option.some([n, n]))
// @ts-expect-error
Scoped.updateResult(int, (n) => Result.fail(Result.fail(() => 1)))
// @ts-expect-error
Scoped.updateResult(int, (n) => Result.succeed([n, n] as any))
// @ts-expect-error
Scoped.updateResult(int, (n) => Result.succeed([n, n]) as any)
// @ts-expect-error
int.pipe(Scoped.update((n) => [n, "a"]))
// @ts-expect-error
int.pipe(Scoped.update((n) => n))
