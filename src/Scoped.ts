/**
 * Scopes: named, durable, concurrent states that feel like local variables.
 *
 * A scope is a value: a name, a schema and an initial state. `update` runs a pure function on its current state and
 * commits the next state by compare-and-set; when another writer came first, the function runs again on their state.
 * (Not to be confused with Effect's own `Scope`, which is about the lifetimes of resources.)
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import { hasProperty } from "effect/Predicate"
import type * as EffectResult from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Codec from "./internal/codec.ts"
import * as Name from "./internal/name.ts"
import type { Part } from "./internal/target.ts"
import * as Target from "./internal/target.ts"
import type { Kind } from "./internal/update.ts"
import type { Pure } from "./Pure.ts"
import type { ScopedError } from "./ScopedError.ts"
import { type Retry, Storage } from "./Storage.ts"

export type { Pure } from "./Pure.ts"

const TypeId = "~effect-scoped/Scoped" as const

/**
 * A named state of type `State`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scoped<in out State> extends Pipeable {
  readonly [TypeId]: {
    readonly _State: (state: State) => State
  }
  readonly name: string
  /** @internal */
  readonly target: Target.Target
  /** @internal */
  readonly retry: Retry | undefined
}

/**
 * A pure function from the current state to a result and the next state.
 *
 * It may run more than once, on different states, and what it throws is a defect of its caller alone.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<State, A> = (state: State) => readonly [result: A & Pure<A, State>, next: NoInfer<State>]

/**
 * A {@link Handler} that may abort: a failure writes nothing and arrives in the error channel of the update.
 *
 * @category models
 * @since 0.1.0
 */
export type ResultHandler<State, A, E> = (
  state: State
) => EffectResult.Result<readonly [result: A & Pure<A, State>, next: NoInfer<State>], E & Pure<E, State>>

/**
 * Options of a single update.
 *
 * - `retry`: replaces the retry schedule of the scope, which replaces that of the storage.
 *
 * @category models
 * @since 0.1.0
 */
export interface UpdateOptions {
  readonly retry?: Retry | undefined
}

/**
 * The state type of a scope.
 *
 * @category utils
 * @since 0.1.0
 */
export type State<S> = S extends Scoped<infer State> ? State : never

const Proto = {
  [TypeId]: { _State: (state: never) => state },
  pipe() {
    return pipeArguments(this, arguments)
  }
}

/**
 * Whether a value is a scope.
 *
 * @category guards
 * @since 0.1.0
 */
export const isScoped = (value: unknown): value is Scoped<unknown> => hasProperty(value, TypeId)

/**
 * Makes a scope.
 *
 * - `name`: any non-empty string of whole Unicode characters, at most as long as the driver allows (512 bytes as UTF-8
 *   on all drivers here). Names are compared byte for byte: `a` is neither `A` nor `a `.
 * - `schema`: any schema without asynchronous steps or services. States are stored in its JSON form, so dates, big
 *   integers, options, maps, classes and brands come back as they were. What JSON cannot carry is refused.
 * - `initial`: the state where nothing is stored yet. It is not written before an update changes it.
 * - `retry`: when and for how long to run an update again after another writer came first.
 *
 * Making a scope does nothing yet; a name or an initial state that cannot be used fails the effects that use it.
 *
 * **Example** (A counter)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Visits = Scoped.make("visits", {
 *   schema: Schema.Struct({ count: Schema.Int }),
 *   initial: { count: 0 }
 * })
 *
 * const visit = Scoped.update(Visits, ({ count }) => [count + 1, { count: count + 1 }])
 *
 * const program = Effect.all([visit, visit, visit])
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => [1, 2, 3]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <S extends Schema.Codec<unknown, unknown>>(name: string, options: {
  readonly schema: S
  readonly initial: NoInfer<S["Type"]>
  readonly retry?: Retry | undefined
  readonly idleTimeToLive?: Duration.Input | undefined
}): Scoped<S["Type"]> => {
  const codec = Codec.of(options.schema)
  let initial: ReturnType<Part["initial"]> | undefined
  return fromTarget(
    Target.single({
      scope: name,
      name: Name.segment(name),
      codec,
      initial: () => initial ??= codec.write(options.initial),
      idleTimeToLive: toDuration(options.idleTimeToLive)
    }),
    options.retry
  )
}

const fromTarget = <State>(target: Target.Target, retry: Retry | undefined): Scoped<State> =>
  Object.assign(Object.create(Proto), { name: target.scope, target, retry })

const toDuration = (input: Duration.Input | undefined) =>
  input === undefined ? undefined : Duration.fromInputUnsafe(input)

/**
 * Runs a pure handler on the current state, commits the next state, and gives back the handler's result.
 *
 * **Details**
 *
 * The update is applied exactly once, or not at all: also when the connection breaks in the middle of the commit. When
 * another writer came first, the handler runs again on the new state under the retry schedule. Handlers that wait for
 * the same scope in one process are run one after another and committed together.
 *
 * A handler that returns the state it was given writes nothing.
 *
 * Errors: `ConflictError` when the retry schedule is exhausted, `StateError` when the stored state does not fit the
 * schema or the next one cannot be stored, `DriverError` when the store failed, `AmbiguousCommitError` when it cannot
 * be known whether the update was applied, `NameError` and `SizeError` for what no store would take. Only after an
 * `AmbiguousCommitError` anything may be stored.
 *
 * **Example** (Data-first and data-last)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Names = Scoped.make("names", { schema: Schema.Array(Schema.String), initial: [] })
 *
 * const program = Effect.gen(function*() {
 *   yield* Scoped.update(Names, (names) => [undefined, [...names, "Ada"]])
 *   return yield* Names.pipe(Scoped.update((names) => [names.length, names]))
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => 1
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const update: {
  <State, A>(
    handler: Handler<State, A>,
    options?: UpdateOptions
  ): (self: Scoped<State>) => Effect.Effect<A, ScopedError, Storage>
  <State, A>(
    self: Scoped<State>,
    handler: Handler<State, A>,
    options?: UpdateOptions
  ): Effect.Effect<A, ScopedError, Storage>
} = dual(
  (args) => isScoped(args[0]),
  <State, A>(
    self: Scoped<State>,
    handler: Handler<State, A>,
    options?: UpdateOptions
  ): Effect.Effect<A, ScopedError, Storage> =>
    run(self, "update", handler, options) as Effect.Effect<A, ScopedError, Storage>
)

/**
 * Like {@link update}, for a handler that may abort: a failed `Result` writes nothing and becomes the error.
 *
 * **Example** (Taking no more than there is)
 *
 * ```ts
 * import { Effect, Result, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Stock = Scoped.make("stock", { schema: Schema.Int, initial: 2 })
 *
 * const take = (amount: number) =>
 *   Scoped.updateResult(Stock, (left) =>
 *     left < amount ? Result.fail("sold out" as const) : Result.succeed([left - amount, left - amount]))
 *
 * const program = Effect.all([take(1), Effect.flip(take(2)), Scoped.get(Stock)])
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => [1, "sold out", 1]
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const updateResult: {
  <State, A, E>(
    handler: ResultHandler<State, A, E>,
    options?: UpdateOptions
  ): (self: Scoped<State>) => Effect.Effect<A, E | ScopedError, Storage>
  <State, A, E>(
    self: Scoped<State>,
    handler: ResultHandler<State, A, E>,
    options?: UpdateOptions
  ): Effect.Effect<A, E | ScopedError, Storage>
} = dual(
  (args) => isScoped(args[0]),
  <State, A, E>(
    self: Scoped<State>,
    handler: ResultHandler<State, A, E>,
    options?: UpdateOptions
  ): Effect.Effect<A, E | ScopedError, Storage> =>
    run(self, "result", handler, options) as Effect.Effect<A, E | ScopedError, Storage>
)

const run = <State>(
  self: Scoped<State>,
  kind: Kind,
  handler: (state: never) => unknown,
  options: UpdateOptions | undefined
): Effect.Effect<unknown, unknown, Storage> =>
  Effect.flatMap(
    Storage,
    ({ engine }) => engine.update({ target: self.target, kind, handler, retry: options?.retry ?? self.retry })
  )

/**
 * The committed state of a scope, or its initial state where nothing is stored. Always asks the store; never writes.
 *
 * Errors: `StateError` when the stored state does not fit the schema, `DriverError` when the store failed, `NameError`.
 *
 * **Example** (Reading a state)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Motto = Scoped.make("motto", { schema: Schema.String, initial: "none yet" })
 *
 * console.log(await Effect.runPromise(Scoped.get(Motto).pipe(Effect.provide(MemoryDriver.layer())))) // => "none yet"
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const get = <State>(self: Scoped<State>): Effect.Effect<State, ScopedError, Storage> =>
  Effect.flatMap(Storage, ({ engine }) => engine.get(self.target)) as Effect.Effect<
    State,
    ScopedError,
    Storage
  >
