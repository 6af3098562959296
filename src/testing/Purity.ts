/**
 * Is a handler pure? Tried on many states, the smallest of which that shows otherwise is told.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { sealed } from "../internal/state/seal.ts"

/**
 * A handler is not what it has to be. `state` is the smallest state found that shows it.
 *
 * - `Throws`: it throws, perhaps because it reaches for a clock, randomness, timers, I/O or the console.
 * - `Differs`: run twice on the same state, it gives two answers.
 * - `Mutates`: it changes the state that it was given.
 * - `Malformed`: it returns something else than a pair, or a `Result` of one.
 * - `DoesNotFit`: its next state does not fit the schema.
 *
 * @category errors
 * @since 0.1.0
 */
export class PurityError extends Schema.TaggedError<PurityError>("effect-scoped/PurityError")("PurityError", {
  reason: Schema.Literals(["Throws", "Differs", "Mutates", "Malformed", "DoesNotFit"]),
  state: Schema.Unknown,
  description: Schema.String,
  /** What has the same states tried again: `check(handler, schema, { replay })`. */
  replay: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return `On the state ${format(this.state)} the handler ${this.description}`
  }
}

/**
 * Options of {@link check}.
 *
 * - `runs`: how many states are tried. Default: 200.
 * - `seed`, `replay`: which ones; see `effect/Arbitrary`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly runs?: number | undefined
  readonly seed?: number | string | undefined
  readonly replay?: string | undefined
}

/**
 * Tries a handler on states that are generated from the schema of its scope: it must not throw, must give the same
 * answer twice, must leave its state alone, and each next state must fit.
 *
 * **Details**
 *
 * Handlers of `update` and of `updateResult` can be tried. They run with the clock, randomness, timers, `fetch` and the
 * console taken away, at a `moment` of their own.
 *
 * **Example** (A handler that forgets a limit)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Purity } from "effect-scoped/testing"
 *
 * const Seats = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10 }))
 *
 * const free = (seats: number) => [seats, seats + 1] as const
 *
 * const error = await Effect.runPromise(Effect.flip(Purity.check(free, Seats)))
 * console.log(error.reason, error.state) // => "DoesNotFit 10"
 * ```
 *
 * @category running
 * @since 0.1.0
 */
export const check = <S extends Schema.Codec<unknown, unknown>>(
  handler: (state: S["Type"], moment: { readonly now: DateTime.Utc }) => unknown,
  schema: S,
  options?: Options
): Effect.Effect<void, PurityError> => {
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownExit(codec)
  const decode = Schema.decodeUnknownExit(codec)
  const textOf = (state: unknown) => Exit.map(encode(state), (encoded) => JSON.stringify(encoded))
  const moment = { now: DateTime.makeUnsafe(0) }

  const fault = (state: S["Type"]): Pick<PurityError, "reason" | "description"> | undefined => {
    const text = textOf(state)
    // Not every value of a type can be stored: such a state never reaches a handler.
    if (Exit.isFailure(text)) return undefined
    // Each run has a copy of its own, as it was read from a store.
    const once = () => {
      const copy = decode(JSON.parse(text.value))
      if (Exit.isFailure(copy)) return undefined
      const answer = Result.try(() => sealed("purity", () => handler(copy.value, moment)))
      return { answer, after: textOf(copy.value) }
    }
    const [first, second] = [once(), once()]
    if (first === undefined || second === undefined) return undefined
    if (!Equal.equals(first.after, text)) {
      return { reason: "Mutates", description: "changes the state that it was given" }
    }
    if (Result.isFailure(first.answer)) {
      return { reason: "Throws", description: `throws ${String(first.answer.failure)}` }
    }
    if (!Result.isSuccess(second.answer) || !Equal.equals(first.answer.success, second.answer.success)) {
      const [one, other] = [first, second].map(({ answer }) => format(Result.merge(answer)))
      return { reason: "Differs", description: `gives two answers: ${one} and ${other}` }
    }
    const answer = first.answer.success
    if (Result.isResult(answer) && Result.isFailure(answer)) return undefined
    const pair: unknown = Result.isResult(answer) ? Result.getOrUndefined(answer) : answer
    if (!Array.isArray(pair) || pair.length !== 2) {
      return { reason: "Malformed", description: `returns ${format(pair)} instead of a pair [answer, next state]` }
    }
    const next = textOf(pair[1])
    if (Exit.isSuccess(next) && Exit.isSuccess(decode(JSON.parse(next.value)))) return undefined
    return { reason: "DoesNotFit", description: `makes the state ${format(pair[1])}, which does not fit the schema` }
  }

  const states = Arbitrary.schema(schema)
  const property = (state: S["Type"]) => {
    const found = fault(state)
    return found === undefined
      ? Effect.succeed(true)
      : Effect.fail(new PurityError({ ...found, state }))
  }
  return Effect.flatMap(
    Arbitrary.checkEffect(states, property, { runs: 200, ...options }),
    (result) => {
      if (result._tag !== "Falsified" || result.failure._tag !== "PropertyError") return Effect.void
      return Effect.fail(new PurityError({ ...result.failure.error, replay: result.replay }))
    }
  )
}
