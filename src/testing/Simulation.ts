/**
 * Programs over storages in a world of their own: several writers, one store, a network between them, and a time that
 * passes only there. A seed decides everything that happens, so the same seed is the same run, bit for bit, on every
 * machine.
 *
 * What goes wrong: requests and answers are lost, come late, come again seconds or half an hour later, and overtake each
 * other; the store refuses, restarts, lets records expire, and has a clock of its own; writers crash, are closed and
 * come back; callers are interrupted. What must hold: each acknowledged call took effect once, each failed one never,
 * and all of them as if one after another; who watches sees the last state, and never goes back; every call is answered;
 * layers close, and leave nothing behind.
 *
 * A run that fails is shrunk to the shortest that still fails, and shown with a lane for each writer.
 *
 * The store keeps the contract of `Driver`, with `MemoryDriver` as its heart. A request that would create a scope is not
 * delivered any more when it is older than the storage's `retention`: that is the bound up to which a lost commit can be
 * found.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import type * as MemoryDriver from "../MemoryDriver.ts"
import type { ScopedError } from "../ScopedError.ts"
import type * as Storage from "../Storage.ts"
import { table } from "./internal/lanes.ts"
import type { Plan } from "./internal/plan.ts"
import { prepare } from "./internal/prepare.ts"
import { report } from "./internal/report.ts"
import type { Ran } from "./internal/spec.ts"
import type * as Linearizability from "./Linearizability.ts"

const TypeId = "~effect-scoped/testing/Simulation" as const

/**
 * How much goes wrong, as probabilities.
 *
 * - `network`: of a fault of a call to the store. Default: 0.2.
 * - `writers`: of an interruption, a crash, a closing, a cut connection or one that gives no answers while a call is on
 *   its way. Default: 0.15.
 * - `store`: of a restart, or of a time without answers, while a call is on its way. Default: 0.05.
 * - `clocks`: of a writer's clock that is set, by at most `skew`, while a call is on its way. Default: 0.
 * - `failover`: whether a restart may forget the last commits, as a replica does that had not got them yet. Then
 *   acknowledged calls may be lost, and in such runs only `check` and that everything ends are looked at, unless
 *   `Options.failover` says what the model makes of it. Default: `false`.
 *
 * Each run has these, or less, or none of them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Faults {
  readonly network?: number | undefined
  readonly writers?: number | undefined
  readonly store?: number | undefined
  readonly clocks?: number | undefined
  readonly failover?: boolean | undefined
}

/**
 * What is simulated.
 *
 * - `operation`: draws an operation: a plain value that says what a caller does.
 * - `run`: does it. Its answer is compared with the model's, so aborts are best made a part of it.
 * - `model`: what operations do, one at a time; see {@link Linearizability.Model}.
 * - `watch`: streams that each writer follows as long as it lives. Each state they emit counts as an answer to
 *   `operation`, and the last must be the one that `operation` answers at the end.
 * - `observe`: operations that a writer of its own does at the end, when everything has calmed down.
 * - `expiry`: the operation, for the model, that the expiry of a stored name is.
 * - `failover`: the operation, for the model, that a failover is: it leaves what is `stored`, the JSON text of a name, or
 *   `null` for none. With it, the calls before and after a failover that forgets must still have an order. A call that
 *   was under way then may have had an effect before it, which is lost, and another after it.
 * - `check`: what else must hold; gives back what is wrong.
 * - `writers`, `calls`: how many there are at the most. Defaults: 3 and 12.
 * - `skew`: how far the clocks are apart at the most, in both directions. Default: 1 hour.
 * - `storage`: options of the storages, or what draws them, for each run anew.
 * - `store`: options of the store, or what draws them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<State, Operation, Output> {
  readonly operation: Effect.Effect<Operation>
  readonly run: (operation: Operation) => Effect.Effect<Output, ScopedError, Storage.Storage>
  readonly model: Linearizability.Model<State, Operation, NoInfer<Output>>
  readonly watch?:
    | ReadonlyArray<{
      readonly operation: Operation
      readonly changes: Stream.Stream<NoInfer<Output>, ScopedError, Storage.Storage>
    }>
    | undefined
  readonly observe?: ReadonlyArray<Operation> | undefined
  readonly expiry?: ((name: string) => Operation | undefined) | undefined
  readonly failover?: ((stored: (name: string) => string | null) => Operation) | undefined
  readonly check?: ((run: Run<Operation, Output>) => string | undefined) | undefined
  readonly writers?: number | undefined
  readonly calls?: number | undefined
  readonly skew?: Duration.Input | undefined
  readonly faults?: Faults | undefined
  readonly storage?: Storage.Options | Effect.Effect<Storage.Options> | undefined
  readonly store?: MemoryDriver.Options | Effect.Effect<MemoryDriver.Options> | undefined
}

/**
 * What is simulated, ready to run.
 *
 * @category models
 * @since 0.1.0
 */
export interface Simulation<in out Operation, in out Output> {
  readonly [TypeId]: {
    readonly _Operation: (operation: Operation) => Operation
    readonly _Output: (output: Output) => Output
  }
  /** @internal */
  readonly plan: (seed: number) => Plan<Operation>
  /** @internal */
  readonly execute: (plan: Plan<Operation>, traced: boolean) => Ran<Operation, Output>
  /** @internal */
  readonly judge: (ran: Ran<Operation, Output>, seed: number) => Run<Operation, Output>
}

/**
 * A run that is over.
 *
 * - `history`: the calls that had, or may have had, an effect, those of watchers and of `observe` included.
 * - `errors`: those that failed, with how long they took, in milliseconds of the simulation.
 * - `fault`: what was wrong: its `kind` (`"order"`, `"hangs"`, `"circles"`, `"defect"`, `"missed"`, `"unreadable"`,
 *   `"close"`, `"left"`, `"undecided"` or `"check"`) and a message.
 *
 * @category models
 * @since 0.1.0
 */
export interface Run<out Operation, out Output> {
  readonly seed: number
  readonly history: ReadonlyArray<Linearizability.Call<Operation, Output>>
  readonly errors: ReadonlyArray<
    { readonly operation: Operation; readonly error: ScopedError; readonly millis: number }
  >
  readonly fault: { readonly kind: string; readonly message: string } | undefined
}

/**
 * A run went wrong. The message shows the shortest one that does, and how to have it again.
 *
 * @category errors
 * @since 0.1.0
 */
export class SimulationError extends Schema.TaggedError<SimulationError>("effect-scoped/SimulationError")(
  "SimulationError",
  { seed: Schema.Number, kind: Schema.String, report: Schema.String }
) {
  override get message(): string {
    return this.report
  }
}

/**
 * Describes a simulation.
 *
 * **Example** (A counter that several writers share)
 *
 * ```ts
 * import { Effect, Random, Schema } from "effect"
 * import { Scoped } from "effect-scoped"
 * import { Simulation } from "effect-scoped/testing"
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 *
 * const counter = Simulation.make({
 *   operation: Random.choice(["increment", "read"] as const),
 *   run: (operation) =>
 *     operation === "read" ? Scoped.get(Count) : Scoped.update(Count, (count) => [count + 1, count + 1]),
 *   model: {
 *     initial: 0,
 *     step: (count: number, operation) => operation === "read" ? [count, count] : [count + 1, count + 1]
 *   },
 *   watch: [{ operation: "read", changes: Scoped.changes(Count) }],
 *   observe: ["read"]
 * })
 *
 * const program = Simulation.check(counter, { runs: 200 })
 *
 * console.log((await Effect.runPromise(program)).runs) // => 200
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <const Operation, Output, State>(
  options: Options<State, Operation, Output>
): Simulation<Operation, Output> => ({
  [TypeId]: { _Operation: (operation) => operation, _Output: (output) => output },
  ...prepare(options)
})

/**
 * Runs a seed.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <Operation, Output>(self: Simulation<Operation, Output>, seed: number): Run<Operation, Output> =>
  self.judge(self.execute(self.plan(seed), false), seed)

/**
 * Runs a seed, and gives back all that happened, as a table with a lane for each writer.
 *
 * @category running
 * @since 0.1.0
 */
export const trace = <Operation, Output>(self: Simulation<Operation, Output>, seed: number): string =>
  table(self.execute(self.plan(seed), true).events)

/**
 * Runs many seeds, and fails with the first that goes wrong, shrunk.
 *
 * - `runs`: how many. Default: 1,000.
 * - `seed`: the first; the others follow it. Default: 1.
 * - `seeds`: seeds that are run before all others, such as those that failed once.
 * - `attempts`: how many runs it may take to shrink a failure. Default: 1,000. What is undecided is shown as it is.
 *
 * The event loop is let go on after every few runs.
 *
 * @category running
 * @since 0.1.0
 */
export const check: <Operation, Output>(
  self: Simulation<Operation, Output>,
  options?: {
    readonly runs?: number | undefined
    readonly seed?: number | undefined
    readonly seeds?: ReadonlyArray<number> | undefined
    readonly attempts?: number | undefined
  }
) => Effect.Effect<{ readonly runs: number; readonly calls: number }, SimulationError> = Effect.fnUntraced(function*<
  Operation,
  Output
>(self: Simulation<Operation, Output>, options: {
  readonly runs?: number | undefined
  readonly seed?: number | undefined
  readonly seeds?: ReadonlyArray<number> | undefined
  readonly attempts?: number | undefined
} = {}) {
  const first = options.seed ?? 1
  const corpus = options.seeds ?? []
  const runs = corpus.length + (options.runs ?? 1_000)
  let calls = 0
  for (let i = 0; i < runs; i++) {
    const seed = i < corpus.length ? corpus[i]! : first + i - corpus.length
    const ran = run(self, seed)
    if (ran.fault !== undefined) return yield* new SimulationError(report(self, seed, options.attempts ?? 1_000, ran))
    calls += ran.history.length
    if (i % 32 === 31) yield* Effect.yieldNow
  }
  return { runs, calls }
})

/**
 * What was wrong with a seed, shrunk to the shortest run that goes wrong in the same way.
 *
 * - `attempts`: how many runs that may take. Default: 1,000.
 *
 * @category running
 * @since 0.1.0
 */
export const explain = <Operation, Output>(
  self: Simulation<Operation, Output>,
  seed: number,
  options?: { readonly attempts?: number | undefined }
): SimulationError => new SimulationError(report(self, seed, options?.attempts ?? 1_000))
