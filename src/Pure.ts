import type * as Chunk from "effect/Chunk"
import type * as Effect from "effect/Effect"
import type * as HashMap from "effect/HashMap"
import type * as HashSet from "effect/HashSet"
import type * as Option from "effect/Option"
import type * as Result from "effect/Result"
import type * as Stream from "effect/Stream"

/**
 * Constrains what a handler may give back to plain data: `A & Pure<A>` is `A` when nothing in `A` could run, and
 * nothing at all when an `Effect`, `Stream`, `Promise` or function hides anywhere in it.
 *
 * Looks into unions, structs, tuples, arrays, maps, sets, options, results and Effect's collections, six levels deep.
 * The state itself is always plain data, also when its class has methods.
 *
 * In a function that is generic over `A` the compiler cannot decide. Let such a function take a `Scoped.Handler`, and
 * pass it on with explicit type arguments.
 *
 * @category utils
 * @since 0.1.0
 */
export type Pure<A, State = never> = [A] extends [State] ? unknown
  : [Impure<A>] extends [never] ? unknown
  : {
    readonly "a handler must be pure: its result may not contain an Effect, a Stream, a Promise or a function": never
  }

/** The parts of `A` that could run; `never` when there are none. */
type Impure<A, Depth extends number = 6> = IsAny<A> extends true ? never
  : [Depth] extends [never] ? never
  : A extends Data ? never
  : A extends Runs ? A
  : A extends ReadonlyMap<infer K, infer V> ? Impure<K | V, Less[Depth]>
  : A extends ReadonlySet<infer V> ? Impure<V, Less[Depth]>
  : A extends Option.Option<infer V> ? Impure<V, Less[Depth]>
  : A extends Result.Result<infer V, infer E> ? Impure<V | E, Less[Depth]>
  : A extends Chunk.Chunk<infer V> ? Impure<V, Less[Depth]>
  : A extends HashMap.HashMap<infer K, infer V> ? Impure<K | V, Less[Depth]>
  : A extends HashSet.HashSet<infer V> ? Impure<V, Less[Depth]>
  : A extends ReadonlyArray<infer V> ? Impure<V, Less[Depth]>
  : A extends EffectValue ? never
  : A extends object ? { [Key in keyof A]-?: Impure<A[Key], Less[Depth]> }[keyof A]
  : never

type Runs =
  | Effect.Effect<unknown, unknown, unknown>
  | Stream.Stream<unknown, unknown, unknown>
  | PromiseLike<unknown>
  | AsyncIterable<unknown>
  | ((...args: never) => unknown)
  | (abstract new(...args: never) => unknown)

type Data =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView

/** Effect's own values, such as durations and date-times, have methods and are plain data all the same. */
type EffectValue = { pipe(...args: never): unknown }

type IsAny<A> = 0 extends 1 & A ? true : false

type Less = [never, 0, 1, 2, 3, 4, 5]
