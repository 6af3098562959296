import type * as DateTime from "effect/DateTime"
import type * as Result from "effect/Result"
import type { Checked } from "./internal/answer.ts"
import type { Pure } from "./Pure.ts"

/**
 * What a handler gets to know about the world.
 *
 * - `now`: the time of the program's `Clock` at the run whose outcome is committed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Moment {
  readonly now: DateTime.Utc
}

/**
 * A pure function from the current state to a result and the next state.
 *
 * It may run more than once, on different states, and what it throws is a defect of its caller alone. See {@link Pure}
 * for what it may give back.
 *
 * Handlers need no annotation where they are given to `update`. The type is for handlers that stand elsewhere, and for
 * functions that are generic over the state or the result.
 *
 * **Example** (A function that takes any handler)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 *
 * const twice = <State, A>(scope: Scoped.Scoped<State>, handler: Scoped.Handler<State, A>) =>
 *   Effect.all([Scoped.update(scope, handler), Scoped.update(scope, handler)])
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 *
 * const program = twice(Count, (count) => [`was ${count}`, count + 1])
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(MemoryDriver.layer())))) // => ["was 0", "was 1"]
 * ```
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<State, A> = (
  state: State,
  moment: Moment
) => readonly [result: A & Pure<A, State>, next: State] & Checked<A>

/**
 * A {@link Handler} that may abort: a failure writes nothing and arrives in the error channel of the update.
 *
 * @category models
 * @since 0.1.0
 */
export type ResultHandler<State, A, E> = (
  state: State,
  moment: Moment
) => Result.Result<readonly [result: A & Pure<A, State>, next: State], E & Pure<E, State>> & Checked<A, E>
