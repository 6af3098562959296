/**
 * Is a handler pure? Tried on many states, the smallest of which that shows otherwise is told.
 *
 * @since 0.1.0
 */
import * as Arbitrary from "effect/Arbitrary"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import { format } from "effect/Formatter"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Codec from "../internal/state/codec.ts"
import { differs } from "../internal/state/same.ts"
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
  // The very codec of the storages, so that what passes here is not refused there.
  const codec = Codec.of(schema)
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(schema), { onExcessProperty: "error" })
  const moment = { now: DateTime.makeUnsafe(0) }

  const fault = (state: S["Type"]): Pick<PurityError, "reason" | "description"> | undefined => {
    const stored = Result.flatMap(codec.hold(state), (held) => Result.map(held.text(), (text) => ({ held, text })))
    // Not every value of a type can be stored: such a state never reaches a handler.
    if (Result.isFailure(stored)) return undefined
    const { held, text } = stored.success
    const run = (state: S["Type"]) => Result.try(() => sealed("purity", () => handler(state, moment)))
    const same = (state: unknown) => differs(state, held.view()) === undefined
    // One that could be changed, to see whether it is; then what storages hand out, which throws when it is changed.
    const copy = decode(JSON.parse(text))
    const open = Result.isSuccess(copy) && same(copy.success) ? copy.success : held.view() as S["Type"]
    const [first, second] = [run(open), run(held.view() as S["Type"])]
    if (!same(open)) return { reason: "Mutates", description: "changes the state that it was given" }
    if (Result.isFailure(first)) return { reason: "Throws", description: `throws ${String(first.failure)}` }
    const answer = first.success
    const aborts = Result.isResult(answer) && Result.isFailure(answer)
    const pair: unknown = Result.isResult(answer) ? Result.getOrUndefined(answer) : answer
    if (!aborts && !(Array.isArray(pair) && pair.length === 2)) {
      return { reason: "Malformed", description: `returns ${format(answer)} instead of a pair [answer, next state]` }
    }
    if (Result.isFailure(second) && second.failure instanceof TypeError) {
      return { reason: "Mutates", description: `changes the state that it was given: ${second.failure.message}` }
    }
    if (Result.isFailure(second) || !Equal.equals(answer, second.success)) {
      return {
        reason: "Differs",
        description: `gives two answers: ${format(answer)} and ${format(Result.merge(second))}`
      }
    }
    if (aborts) return undefined
    const next = codec.accept((pair as ReadonlyArray<unknown>)[1], held)
    if (Result.isSuccess(next)) return undefined
    const { path, reason } = next.failure
    const where = path.map((key) => `[${JSON.stringify(key)}]`).join("")
    return {
      reason: "DoesNotFit",
      description: `makes the state ${format((pair as ReadonlyArray<unknown>)[1])}, which does not fit the schema${
        where === "" ? "" : ` at ${where}`
      }: ${reason}`
    }
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
