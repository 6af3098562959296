import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type { Impure, IsAny, One, Same } from "./impure.ts"

declare const checked: unique symbol

/** Marks the answers of handlers whose type was checked where they were written, also when it is generic. */
export interface Checked<out A, out E = never> {
  readonly [checked]?: readonly [A, E] | undefined
}

/** What a handler of `update` may return. */
export type Pair<State> = readonly [result: unknown, next: State]

/** What a handler of `updateResult` may return. */
export type ResultPair<State> = Result.Result<Pair<State>, unknown>

/** Lets inference take whatever a handler returns, so that the message is ours when it is wrong. */
export type Anything = {} | null | undefined | void

/** `R` where it is a proper answer of a handler, and otherwise a sentence that says why not. */
export type Answer<R, State, Next> = IsAny<R> extends true ? never
  : [Wrong<R, State, Next>] extends [never] ? R
  : NoInfer<One<Wrong<R, State, Next>>>

/** {@link Answer} for handlers of `updateResult`. */
export type ResultAnswer<R, State, Next> = IsAny<R> extends true ? never
  : [WrongResult<R, State, Next>] extends [never] ? R
  : NoInfer<One<WrongResult<R, State, Next>>>

/** The result in the answer of a handler. */
export type ResultOf<R> = R extends Checked<infer A> ? A : R extends readonly [infer A, unknown] ? A : never

/** The result in the answer of a handler of `updateResult`. */
export type SuccessOf<R> = R extends Checked<infer A, unknown> ? A
  : R extends Result.Result<infer P, unknown> ? ResultOf<P>
  : never

/** The error in the answer of a handler of `updateResult`. */
export type FailureOf<R> = R extends Checked<unknown, infer E> ? E
  : R extends Result.Result<unknown, infer E> ? E
  : never

// Before anything is known of `R` it is `never` or its own constraint: the shape then guides inference and completion.
type Wrong<R, State, Next> = [R] extends [never] ? Pair<Next>
  : Same<R, Pair<Next> | Anything> extends true ? Pair<Next>
  : typeof checked extends keyof R ? never
  : [R] extends [readonly [unknown, unknown]] ? WrongPair<R[0], R[1], State, false>
  : WrongShape<R, "A handler must return the pair [result, next state]">

type WrongResult<R, State, Next> = [R] extends [never] ? ResultPair<Next>
  : Same<R, ResultPair<Next> | Anything> extends true ? ResultPair<Next>
  : typeof checked extends keyof R ? never
  : [R] extends [Result.Result<infer P, infer E>]
    ? [ImpureFailure<E, State>] extends [never] ? [P] extends [never] ? never
      : [P] extends [readonly [unknown, unknown]] ? WrongPair<P[0], P[1], State, true>
      : WrongShape<P, "A handler must return the pair [result, next state] inside Result.succeed">
    : ImpureFailure<E, State>
  : WrongShape<R, "A handler of updateResult must return Result.succeed([result, next state]) or Result.fail(error)">

type WrongPair<A, Next, State, Inside extends boolean> = Same<Next, State> extends true ? ImpureResult<A, State>
  : IsAny<Next> extends true ? "A handler must be pure: next is any"
  : Fits<Next, State> extends true
    ? [ImpureResult<A, State> | ImpureNext<Next, State>] extends [never]
      ? Excess<Next, State, "A handler's next state must have the keys of the state only: next">
    : ImpureResult<A, State> | ImpureNext<Next, State>
  : Inside extends true ? Misfit<Next, State>
  : Pair<Loose<State>>

type ImpureResult<A, State> = Impure<A, State, "A handler must be pure: result">

// The types of `new Map()` and `new Set()`, where nothing tells them what they will hold.
// oxlint-disable-next-line typescript/no-explicit-any
type ImpureNext<Next, State> = Impure<Next, State, "A handler must be pure: next", Map<any, any> | Set<unknown>>

type ImpureFailure<E, State> = Impure<E, State, "A handler must be pure: failure">

type WrongShape<R, Otherwise> = [Extract<R, PromiseLike<unknown>>] extends [never]
  ? [Extract<R, Effect.Effect<unknown, unknown, unknown>>] extends [never]
    ? [Extract<R, Generator<unknown, unknown, never>>] extends [never] ? Otherwise
    : "A handler must be pure: it may not be a generator"
  : "A handler must be pure: it may not return an Effect"
  : "A handler must be pure: it may not be async or return a Promise"

type Fits<Next, State> = [Next] extends [State] ? true : [Next] extends [Loose<State>] ? true : false

/** Literals are seen as readonly, and fit all the same where the state has mutable arrays. */
type Loose<State, Depth extends number = 6> = State extends Primitive | Opaque ? State
  : Depth extends 0 ? State
  : { readonly [Key in keyof State]: Loose<State[Key], Less[Depth]> }

type Less = [0, 0, 1, 2, 3, 4, 5]

type Primitive = string | number | bigint | boolean | symbol | null | undefined

type Opaque =
  | ((...args: never) => unknown)
  | { pipe(...args: never): unknown }
  | { readonly [Symbol.toStringTag]: string }
  | Date
  | Error

type Misfit<Next, State> = `A handler's next state must fit the state: see next${Next extends
  ReadonlyArray<unknown> | Primitive ? ""
  : MisfitKey<Next, State>}`

type MisfitKey<Next, State> = State extends Primitive | ReadonlyArray<unknown> ? "" : {
  [Key in keyof State]-?: Key extends keyof Next ? Next[Key] extends State[Key] ? never : `.${Key & string}`
    : {} extends Pick<State, Key> ? never
    : `.${Key & string}`
}[keyof State]

type Excess<Next, State, Path extends string> = Same<Next, State> extends true ? never
  : Next extends Primitive | Opaque ? never
  : Next extends ReadonlyArray<infer V> ? Excess<V, Elements<State>, `${Path}[]`>
  : ExcessKeys<Next, [Next] extends [Fitting<Next, State>] ? Fitting<Next, State> : Exclude<State, Primitive>, Path>

type Elements<State> = State extends ReadonlyArray<infer V> ? V : never

type Fitting<Next, State> = State extends unknown ? Next extends State ? State : never : never

type ExcessKeys<Next, State, Path extends string> = string extends KeyOf<State> ? never : {
  [Key in keyof Next]-?: Key extends KeyOf<State> ? Excess<Next[Key], ValueOf<State, Key>, `${Path}.${Key & string}`>
    // Where literals of several shapes meet, the compiler says of each which keys it does not have.
    : {} extends Pick<Next, Key> ? [Exclude<Next[Key], undefined>] extends [never] ? never
      : `${Path}.${Key & string} is not one of them`
    : `${Path}.${Key & string} is not one of them`
}[keyof Next]

type KeyOf<State> = State extends unknown ? keyof State : never

type ValueOf<State, Key> = State extends { readonly [K in Key & PropertyKey]?: infer V } ? V : never
