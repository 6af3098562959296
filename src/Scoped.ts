/**
 * Scopes: named, durable, concurrent states that feel like local variables.
 *
 * A scope is a value: a name, a schema and an initial state. `update` runs a pure function on its current state and
 * commits the next state by compare-and-set; when another writer came first, the function runs again on their state.
 * (Not to be confused with Effect's own `Scope`, which is about the lifetimes of resources.)
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import * as Option from "effect/Option"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import { hasProperty } from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { Moment } from "./Handler.ts"
import type * as Answers from "./internal/answer.ts"
import type { Part } from "./internal/engine/target.ts"
import * as Target from "./internal/engine/target.ts"
import type { Kind } from "./internal/engine/update.ts"
import * as Name from "./internal/name.ts"
import * as Codec from "./internal/state/codec.ts"
import * as Initial from "./internal/state/initial.ts"
import { type DriverError, NameError, type ScopedError } from "./ScopedError.ts"
import { type Retry, Storage } from "./Storage.ts"

export type { Handler, Moment, ResultHandler } from "./Handler.ts"
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
 * Any scope, whatever its state.
 *
 * @category models
 * @since 0.1.0
 */
export interface Any {
  readonly [TypeId]: {
    readonly _State: (state: never) => unknown
  }
  readonly name: string
}

/**
 * A scope for each key: see {@link family}. `keys` streams the keys of the scopes that are stored.
 *
 * @category models
 * @since 0.1.0
 */
export interface Family<in out Key, in out State> {
  (key: Key): Scoped<State>
  readonly name: string
  readonly keys: Stream.Stream<Key, DriverError, Storage>
}

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
 * - `idleTimeToLive`: the scope expires, back to its initial state, when no commit has changed it for so long on the
 *   store's clock. Default: never.
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
  return fromTarget(
    Target.single({
      scope: name,
      name: Name.segment(name),
      codec,
      initial: Initial.once(codec, () => options.initial),
      idleTimeToLive: lifetimeOf(name, options.idleTimeToLive)
    }),
    options.retry
  )
}

/**
 * A scope for each user, room, tenant…: a function from keys to scopes.
 *
 * **Details**
 *
 * - `key`: a schema whose encoded form is a string. Different keys have different scopes, whatever characters they hold,
 *   and no family shares a scope with another family or with a plain scope.
 * - `initial`: the state where nothing is stored yet, or a function that makes it from the key.
 * - `schema`, `retry`, `idleTimeToLive`: as in {@link make}.
 *
 * `keys` of the family streams the keys of what is stored: each key whose scope exists all the while comes once. A
 * stored key that the schema cannot decode is skipped with a warning in the log.
 *
 * A key that the schema cannot encode fails the effects that use its scope with a `NameError`.
 *
 * **Example** (Visits of each user)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Visits = Scoped.family("visits", { key: Schema.String, schema: Schema.Int, initial: 0 })
 *
 * const visit = (user: string) => Scoped.update(Visits(user), (count) => [count + 1, count + 1])
 *
 * const program = Effect.gen(function*() {
 *   yield* visit("ada")
 *   yield* visit("grace")
 *   return [yield* visit("ada"), (yield* Stream.runCollect(Visits.keys)).toSorted()]
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => [2, ["ada", "grace"]]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const family = <Key, S extends Schema.Codec<unknown, unknown>>(name: string, options: {
  readonly key: Schema.Codec<Key, string>
  readonly schema: S
  readonly initial: NoInfer<S["Type"]> | ((key: Key) => NoInfer<S["Type"]>)
  readonly retry?: Retry | undefined
  readonly idleTimeToLive?: Duration.Input | undefined
}): Family<Key, S["Type"]> => {
  const codec = Codec.of(options.schema)
  const idleTimeToLive = lifetimeOf(name, options.idleTimeToLive)
  const encode = Schema.encodeUnknownExit(options.key)
  const decode = Schema.decodeUnknownExit(options.key)
  const prefix = `${Name.segment(name)}/`

  const initialOf = (key: Key): S["Type"] =>
    typeof options.initial === "function" ? (options.initial as (key: Key) => S["Type"])(key) : options.initial

  const scopeOf = (key: Key): Scoped<S["Type"]> => {
    const encoded = encode(key)
    const text = Exit.isSuccess(encoded) ? encoded.value : String(key)
    const scope = `${name}/${text}`
    const part: Part = {
      scope,
      name: prefix + Name.segment(text),
      codec,
      initial: Initial.once(codec, () => initialOf(key)),
      idleTimeToLive
    }
    const fault = Exit.isSuccess(encoded)
      ? name.length === 0 ? new NameError({ scope, reason: "its family has no name. Give the family one" }) : undefined
      : new NameError({ scope, reason: `its key does not fit the family's key schema: ${Cause.pretty(encoded.cause)}` })
    return fromTarget(Target.single(part, fault), options.retry)
  }

  const keys = namesOf(prefix).pipe(
    Stream.mapEffect((stored) => {
      const text = Name.segments(stored)[1] ?? ""
      const key = decode(text)
      return Exit.isSuccess(key) ? Effect.succeed(Option.some(key.value)) : Effect.as(
        Effect.logWarning(
          `Skipped the key ${JSON.stringify(text)} of the family ${JSON.stringify(name)}: it does not decode`
        ),
        Option.none()
      )
    }),
    Stream.filter(Option.isSome),
    Stream.map((key) => key.value)
  )
  return Object.defineProperty(Object.assign(scopeOf, { keys }), "name", { value: name })
}

/**
 * Several scopes as one: the product scope, whose state is a struct or a tuple of their states.
 *
 * **Details**
 *
 * `update`, `updateResult`, `get`, `changes` and `remove` work on it as on any scope, and are atomic over its parts:
 * either all of them change or none does, and what a handler sees is a state that all of them had at one moment. Parts
 * that the handler leaves as they are get checked, not written. Products nest.
 *
 * A scope that is in it twice, or more scopes than the driver can commit at once, fails the effects that use it with a
 * `ProductError`.
 *
 * **Example** (A transfer)
 *
 * ```ts
 * import { Effect, Result, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Accounts = Scoped.family("account", { key: Schema.String, schema: Schema.Int, initial: 100 })
 *
 * const transfer = (amount: number, from: string, to: string) =>
 *   Scoped.updateResult(Scoped.all({ from: Accounts(from), to: Accounts(to) }), ({ from, to }) =>
 *     from < amount
 *       ? Result.fail("insufficient funds" as const)
 *       : Result.succeed([undefined, { from: from - amount, to: to + amount }]))
 *
 * const program = Effect.andThen(
 *   transfer(30, "ada", "grace"),
 *   Scoped.get(Scoped.all([Accounts("ada"), Accounts("grace")]))
 * )
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => [70, 130]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const all = <const Members extends ReadonlyArray<Any> | { readonly [key: string]: Any }>(
  members: Members
): Scoped<{ readonly [Key in keyof Members]: State<Members[Key]> }> =>
  fromTarget(
    Target.product(
      Array.isArray(members)
        ? (members as ReadonlyArray<Any>).map(targetOf)
        : Record.map(members as { readonly [key: string]: Any }, targetOf)
    ),
    undefined
  )

const targetOf = (member: Any): Target.Target => (member as Scoped<unknown>).target

const fromTarget = <State>(target: Target.Target, retry: Retry | undefined): Scoped<State> =>
  Object.assign(Object.create(Proto), { name: target.scope, target, retry })

const lifetimeOf = (name: string, input: Duration.Input | undefined): Duration.Duration | undefined => {
  if (input === undefined) return undefined
  const lifetime = Duration.fromInput(input)
  // Less than a millisecond is nothing to a store's clock.
  if (Option.isSome(lifetime) && Duration.toMillis(lifetime.value) >= 1) {
    return Duration.isFinite(lifetime.value) ? lifetime.value : undefined
  }
  throw new TypeError(
    `The "idleTimeToLive" of ${JSON.stringify(name)} must be a duration of at least a millisecond, and is ${
      String(input)
    }. Leave it out where states are to stay`
  )
}

type AnyHandler = (state: never, moment: never) => unknown

// By hand, and not `dual`: this is on the way of every update.
const updating = (kind: Kind): never => {
  const update = (
    self: Scoped<unknown> | AnyHandler,
    handler: AnyHandler | UpdateOptions | undefined,
    options: UpdateOptions | undefined
  ) =>
    isScoped(self)
      ? run(self, kind, handler as AnyHandler, options)
      : (scope: Scoped<unknown>) => run(scope, kind, self, handler as UpdateOptions | undefined)
  return update as never
}

const run = <State>(
  self: Scoped<State>,
  kind: Kind,
  handler: AnyHandler,
  options: UpdateOptions | undefined
): Effect.Effect<unknown, unknown, Storage> =>
  Effect.callback((resume) => {
    const caller = Fiber.getCurrent()!
    return Context.getUnsafe(caller.context, Storage).engine.update(
      caller,
      self.target,
      kind,
      handler,
      options?.retry ?? self.retry,
      resume
    )
  })

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
 * Handlers are pure: see {@link Pure} for what they may give back. Their second argument tells the time, from the
 * program's `Clock`: `(state, { now }) => …`. What else they need of the world is passed in as an argument of the
 * function that makes the update. The rule of `effect-scoped/eslint` reports what types cannot see.
 *
 * Errors: `ConflictError` when the retry schedule is exhausted, `StateError` when the stored state does not fit the
 * schema or the next one cannot be stored, `DriverError` when the store failed, `AmbiguousCommitError` when it cannot
 * be known whether the update was applied, `NotReplicatedError` when it was, but less safely than asked for, `NameError`,
 * `SizeError` and `ProductError` for what the driver cannot take. Only after an `AmbiguousCommitError` or a
 * `NotReplicatedError` anything of the update may be stored.
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
  <State, const R extends Answers.Pair<Next> | Answers.Anything, const Next extends State = State>(
    handler: (state: State, moment: Moment) => Answers.Answer<R, State, Next>
  ): (self: Scoped<State>) => Effect.Effect<Answers.ResultOf<R>, ScopedError, Storage>
  // No arguments fit. Trying them makes the compiler look at the scope and the handler with the right types in mind, and
  // keep what it sees, before an overload for other arguments makes it look with the wrong ones.
  <State, const R extends Answers.Pair<Next> | Answers.Anything, const Next extends State = State, None = true>(
    self: Scoped<State> | ((state: State, moment: Moment) => Answers.Answer<R, State, Next>),
    handler: ((state: State, moment: Moment) => Answers.Answer<R, State, Next>) | UpdateOptions,
    ...none: None extends true ? [never, never, never] : []
  ): Effect.Effect<Answers.ResultOf<R>, ScopedError, Storage>
  <State, const R extends Answers.Pair<Next> | Answers.Anything, const Next extends State = State>(
    self: Scoped<State>,
    handler: (state: State, moment: Moment) => Answers.Answer<R, State, Next>,
    options?: UpdateOptions
  ): Effect.Effect<Answers.ResultOf<R>, ScopedError, Storage>
  <State, const R extends Answers.Pair<Next> | Answers.Anything, First, const Next extends State = State>(
    handler: ((state: State, moment: Moment) => Answers.Answer<R, State, Next>) | (First & Any),
    ...options: First extends Any ? [never, never, never] : [options: UpdateOptions]
  ): (self: Scoped<State>) => Effect.Effect<Answers.ResultOf<R>, ScopedError, Storage>
} = updating("update")

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
  <State, const R extends Answers.ResultPair<Next> | Answers.Anything, const Next extends State = State>(
    handler: (state: State, moment: Moment) => Answers.ResultAnswer<R, State, Next>
  ): (self: Scoped<State>) => Effect.Effect<Answers.SuccessOf<R>, Answers.FailureOf<R> | ScopedError, Storage>
  // No arguments fit. Trying them makes the compiler look at the scope and the handler with the right types in mind, and
  // keep what it sees, before an overload for other arguments makes it look with the wrong ones.
  <State, const R extends Answers.ResultPair<Next> | Answers.Anything, const Next extends State = State, None = true>(
    self: Scoped<State> | ((state: State, moment: Moment) => Answers.ResultAnswer<R, State, Next>),
    handler: ((state: State, moment: Moment) => Answers.ResultAnswer<R, State, Next>) | UpdateOptions,
    ...none: None extends true ? [never, never, never] : []
  ): Effect.Effect<Answers.SuccessOf<R>, Answers.FailureOf<R> | ScopedError, Storage>
  <State, const R extends Answers.ResultPair<Next> | Answers.Anything, const Next extends State = State>(
    self: Scoped<State>,
    handler: (state: State, moment: Moment) => Answers.ResultAnswer<R, State, Next>,
    options?: UpdateOptions
  ): Effect.Effect<Answers.SuccessOf<R>, Answers.FailureOf<R> | ScopedError, Storage>
  <State, const R extends Answers.ResultPair<Next> | Answers.Anything, First, const Next extends State = State>(
    handler: ((state: State, moment: Moment) => Answers.ResultAnswer<R, State, Next>) | (First & Any),
    ...options: First extends Any ? [never, never, never] : [options: UpdateOptions]
  ): (self: Scoped<State>) => Effect.Effect<Answers.SuccessOf<R>, Answers.FailureOf<R> | ScopedError, Storage>
} = updating("result")

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

/**
 * Removes a scope: it holds nothing any more, and reads as its initial state.
 *
 * **Details**
 *
 * Atomic like any update, and serial with them. Removing what holds nothing does nothing. A state that its schema
 * cannot read can be removed, too.
 *
 * **Example** (Starting again)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 *
 * const program = Effect.gen(function*() {
 *   yield* Scoped.update(Count, (count) => [undefined, count + 5])
 *   yield* Scoped.remove(Count)
 *   return yield* Scoped.get(Count)
 * })
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => 0
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const remove = <State>(self: Scoped<State>): Effect.Effect<void, ScopedError, Storage> =>
  run(self, "remove", identity, undefined) as Effect.Effect<void, ScopedError, Storage>

/**
 * The state now, and then every newer state that is seen, whoever committed it.
 *
 * **Details**
 *
 * States in between may be skipped when they change faster than they are taken; the last is never missed, and the
 * stream never goes back. A removed or expired scope emits its initial state. Nothing that is committed between the
 * first state and the next is lost, also not while the connection to the store is. The stream fails when the store stays
 * away for longer than the storage's `recovery` schedule, or when a state does not fit the schema.
 *
 * All watchers of a storage share what the driver needs to watch: one subscription, or one poll.
 *
 * **Example** (Waiting for a state)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 * const increment = Scoped.update(Count, (count) => [undefined, count + 1])
 *
 * const untilThree = Scoped.changes(Count).pipe(Stream.takeUntil((count) => count >= 3), Stream.runLast)
 *
 * const program = Effect.all([untilThree, Effect.repeat(increment, { times: 2 })], { concurrency: 2 })
 *
 * const [last] = await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))
 * console.log(String(last)) // => "some(3)"
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const changes = <State>(self: Scoped<State>): Stream.Stream<State, ScopedError, Storage> =>
  Stream.unwrap(Effect.map(Storage, ({ engine }) => engine.changes(self.target))) as Stream.Stream<
    State,
    ScopedError,
    Storage
  >

/**
 * The names of all scopes that hold something, in no particular order: each that exists all the while comes once.
 *
 * A member of a family comes as `family/key`. Other namespaces are not listed.
 *
 * - `prefix`: only names that start so.
 *
 * **Example** (Listing what is stored)
 *
 * ```ts
 * import { Effect, Schema, Stream } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const program = Effect.gen(function*() {
 *   for (const name of ["apple", "apricot", "banana"]) {
 *     yield* Scoped.update(Scoped.make(name, { schema: Schema.Int, initial: 0 }), () => [undefined, 1])
 *   }
 *   return yield* Stream.runCollect(Scoped.names({ prefix: "ap" }))
 * })
 *
 * const found = await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))
 * console.log(found.toSorted()) // => ["apple", "apricot"]
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const names = (
  options?: { readonly prefix?: string | undefined }
): Stream.Stream<string, DriverError, Storage> => {
  const prefix = options?.prefix ?? ""
  // Behind a slash the names of families and plain scopes are spelt differently in the store.
  return namesOf(Name.segment(prefix.split("/")[0]!)).pipe(
    Stream.map((stored) => Name.segments(stored).join("/")),
    Stream.filter((name) => name.startsWith(prefix))
  )
}

const namesOf = (prefix: string): Stream.Stream<string, DriverError, Storage> =>
  Stream.unwrap(Effect.map(Storage, ({ engine }) => engine.names(prefix)))
