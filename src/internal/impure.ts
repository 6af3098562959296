import type * as BigDecimal from "effect/BigDecimal"
import type * as Brand from "effect/Brand"
import type * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import type * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as HashMap from "effect/HashMap"
import type * as HashSet from "effect/HashSet"
import type * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"

/** What in `A` is not data, as sentences: `Path`, and what is there. `never` where everything is. What `State` holds is data, and so is `Also`. */
export type Impure<A, State, Path extends string, Also = never> = Same<A, State> extends true ? never
  : [Flaws<A, never, "", 14>] extends [never] ? never
  // Listing what the state holds is costly, and seldom needed. So are paths.
  : ImpureBut<A, Part<State> | (Also extends unknown ? readonly [Also] : never), Path>

type ImpureBut<A, Known, Path extends string> = [Flaws<A, Known, "", 14>] extends [never] ? never
  : [Flaws<A, Known, Path, 5>] extends [never] ? `${Path} has something deep inside that is no data`
  : Flaws<A, Known, Path, 5>

/** One of several sentences, as there is room for one in the first line that an editor shows. */
export type One<Sentence> = [Sentence] extends [never] ? never
  : (Sentence extends unknown ? (one: () => Sentence) => void : never) extends (one: infer Both) => void
    ? Both extends () => infer Last ? Last : never
  : never

// The compiler remembers what it found for a type where there is no path, so types that are recursive cost little.
type Flaws<A, Known, Path extends string, Depth extends number> = Depth extends 0 ? never
  : IsAny<A> extends true ? Holds<Known, Any> extends true ? never : `${Path} is any`
  : unknown extends A ? Holds<Known, unknown> extends true ? never : `${Path} is unknown`
  : A extends Primitive ? IsBranded<A> extends true ? Fields<A, PrimitiveKeys<A>, Known, Path, Depth> : never
  : Holds<Known, A> extends true ? never
  : A extends Callable ? `${Path} is a function`
  : A extends ReadonlyArray<infer V>
    ? Flaws<V, Known, At<Path, "[]">, Less[Depth]> | Fields<A, ArrayKeys, Known, Path, Depth>
  : "pipe" extends keyof A ? PipeableFlaws<A, Known, Path, Depth>
  : A extends Value ? Fields<A, ValueKeys<A>, Known, Path, Depth>
  : A extends ReadonlyMap<infer K, infer V>
    ? Flaws<K | V, Known, At<Path, "[]">, Less[Depth]> | Fields<A, keyof Map<K, V>, Known, Path, Depth>
  : A extends ReadonlySet<infer V>
    ? Flaws<V, Known, At<Path, "[]">, Less[Depth]> | Fields<A, keyof Set<V>, Known, Path, Depth>
  : A extends PromiseLike<unknown> ? `${Path} is a Promise`
  : Same<A, object> extends true ? `${Path} may be any object`
  : A extends Error ? Fields<A, ErrorKeys<A>, Known, Path, Depth>
  : StructFlaws<A, never, Known, Path, Depth>

type PipeableFlaws<A, Known, Path extends string, Depth extends number> = A extends Option.Option<infer V> ?
    | Flaws<V, Known, At<Path, ".value">, Less[Depth]>
    | Fields<A, keyof Option.Some<V> | keyof Option.None<V>, Known, Path, Depth>
  : A extends Result.Result<infer V, infer E> ?
      | Flaws<V, Known, At<Path, ".success">, Less[Depth]>
      | Flaws<E, Known, At<Path, ".failure">, Less[Depth]>
      | Fields<A, keyof Result.Success<V, E> | keyof Result.Failure<V, E>, Known, Path, Depth>
  : A extends Chunk.Chunk<infer V> ?
      | Flaws<V, Known, At<Path, "[]">, Less[Depth]>
      | Fields<A, keyof Chunk.NonEmptyChunk<V>, Known, Path, Depth>
  : A extends HashMap.HashMap<infer K, infer V> ?
      | Flaws<K | V, Known, At<Path, "[]">, Less[Depth]>
      | Fields<A, keyof HashMap.HashMap<K, V>, Known, Path, Depth>
  : A extends HashSet.HashSet<infer V> ?
      | Flaws<V, Known, At<Path, "[]">, Less[Depth]>
      | Fields<A, keyof HashSet.HashSet<V>, Known, Path, Depth>
  : A extends Redacted.Redacted<infer V> ?
      | Flaws<V, Known, At<Path, ".value">, Less[Depth]>
      | Fields<A, keyof Redacted.Redacted<V>, Known, Path, Depth>
  : A extends Value ? Fields<A, ValueKeys<A>, Known, Path, Depth>
  : A extends Error ? Fields<A, ErrorKeys<A>, Known, Path, Depth>
  : A extends Effect.Effect<unknown, unknown, unknown> ? `${Path} is an Effect`
  : A extends Stream.Stream<unknown, unknown, unknown> ? `${Path} is a Stream`
  : StructFlaws<A, "pipe", Known, Path, Depth>

/** What Effect marks as its own has a meaning beyond its fields: only the kinds above are data. */
type StructFlaws<A, Nature, Known, Path extends string, Depth extends number> =
  Exclude<Extract<keyof A, `~effect/${string}`>, keyof Brand.Brand<string>> extends never
    ? Fields<A, Nature, Known, Path, Depth>
    : `${Path} is no plain data`

/** What is not data in the fields of `A`, but for those that its kind has by nature. */
type Fields<A, Nature, Known, Path extends string, Depth extends number> = FieldFlaws<
  A,
  Exclude<keyof A, Nature | SafeKeys<A, Known>>,
  Known,
  Path,
  Less[Depth]
>

type FieldFlaws<A, Key, Known, Path extends string, Depth extends number> = Key extends keyof A
  ? Flaws<A[Key], Known, At<Path, Key extends string | number ? `.${Key}` : "[symbol]">, Depth>
  : never

type At<Path extends string, Step extends string> = Path extends "" ? "" : `${Path}${Step}`

type Less = [0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]

/** The fields of `A` that are those of something which the state holds. */
type SafeKeys<A, Known> = Known extends readonly [infer B] ? A extends B ? {
      [Key in keyof A & keyof B]: Same<A[Key], B[Key]> extends true ? Key : never
    }[keyof A & keyof B]
  : never
  : never

/** All that `State` holds at any depth. Functions do not count: they pass as part of their owner. */
type Part<State, Seen = never> = IsAny<State> extends true ? readonly [Any]
  : unknown extends State ? readonly [unknown]
  : State extends Primitive | Callable ? never
  : (<T>() => T extends State ? 1 : 2) extends Seen ? never
  : readonly [State] | Part<Inside<State>, Seen | (<T>() => T extends State ? 1 : 2)>

type Holds<Known, A> = true extends (Known extends readonly [infer B] ? Same<A, B> : never) ? true : false

type Inside<A> = A extends ReadonlyArray<infer V> ? V
  : A extends ReadonlyMap<infer K, infer V> ? K | V
  : A extends ReadonlySet<infer V> ? V
  : A extends Chunk.Chunk<infer V> ? V
  : A extends HashMap.HashMap<infer K, infer V> ? K | V
  : A extends HashSet.HashSet<infer V> ? V
  : A extends Redacted.Redacted<infer V> ? V
  : A[keyof A]

// oxlint-disable-next-line typescript/no-explicit-any
type Any = any

type Primitive = string | number | bigint | boolean | symbol | null | undefined | void

type Callable = ((...args: never) => unknown) | (abstract new(...args: never) => unknown)

/** What has methods, and is plain data all the same. */
type Value =
  | Date
  | RegExp
  | ArrayBuffer
  | SharedArrayBuffer
  | DataView
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | (typeof globalThis extends { readonly URL: { readonly prototype: infer A } } ? Known<A> : never)
  | (typeof globalThis extends { readonly Buffer: { alloc(size: number): infer A } } ? Known<A> : never)
  | BigDecimal.BigDecimal
  | DateTime.Utc
  | DateTime.Zoned
  | DateTime.TimeZone.Offset
  | DateTime.TimeZone.Named
  | Duration.Duration

/** Nothing where a program has no such class. */
type Known<A> = IsAny<A> extends true ? never : A

// Asked in place, the compiler would take the answer into `A` and find that nothing is a string and an object.
type IsBranded<A> = A extends object ? true : false

type KeysOf<A, Base> = Base extends unknown ? A extends Base ? keyof Base : never : never

type ValueKeys<A> = KeysOf<A, Value>

type PrimitiveKeys<A> = KeysOf<A, string | number | bigint | boolean | symbol>

type ArrayKeys = keyof Array<unknown> | `${number}`

/** A cause that says nothing of itself goes with every error; one that does is a field like any other. */
type ErrorKeys<A> =
  | Exclude<keyof Cause.YieldableError, "cause">
  | (A extends { readonly cause?: infer C } ? Same<C, unknown> extends true ? "cause" : never : never)

/** Whether two types are the very same. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false

/** Whether a type is `any`. */
export type IsAny<A> = 0 extends 1 & A ? true : false
