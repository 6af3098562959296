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
 * A handler is not what it has to be, or could not be tried. `state` is the smallest state found that shows it.
 *
 * - `Throws`: it throws, perhaps because it reaches for a clock, randomness, timers, I/O or the console.
 * - `Differs`: run twice on the same state, it gives two answers.
 * - `Mutates`: it changes the state that it was given.
 * - `Malformed`: it returns something else than a pair, or a `Result` of one.
 * - `DoesNotFit`: its next state does not fit the schema.
 * - `Untried`: there was no state to try it on. There is no `state` then.
 *
 * @category errors
 * @since 0.1.0
 */
export class PurityError extends Schema.TaggedError<PurityError>("effect-scoped/PurityError")("PurityError", {
  reason: Schema.Literals(["Throws", "Differs", "Mutates", "Malformed", "DoesNotFit", "Untried"]),
  state: Schema.Unknown,
  description: Schema.String,
  /** What has the same states tried again: `check(handler, schema, { replay })`. */
  replay: Schema.optionalKey(Schema.String)
}) {
  override get message(): string {
    return this.reason === "Untried"
      ? `The handler was not tried: ${this.description}`
      : `On the state ${format(this.state)} the handler ${this.description}`
  }
}

/**
 * Options of {@link check}.
 *
 * - `states`: where they come from. Default: they are made from the schema.
 * - `runs`: how many states are tried. Default: 200.
 * - `seed`, `replay`: which ones; see `effect/Arbitrary`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<A = unknown> {
  readonly states?: Arbitrary.Arbitrary<A> | undefined
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
  options?: Options<S["Type"]>
): Effect.Effect<void, PurityError> => {
  // The very codec of the storages, so that what passes here is not refused there.
  const codec = Codec.of(schema)
  const decode = Schema.decodeUnknownResult(Schema.toCodecJson(schema), { onExcessProperty: "error" })
  const moment = { now: DateTime.makeUnsafe(0) }

  const fault = (state: S["Type"]): Pick<PurityError, "reason" | "description"> | "unstorable" | undefined => {
    const held = codec.hold(state)
    // Not every value of a type can be stored: such a state never reaches a handler.
    if (held instanceof Codec.Fault) return "unstorable"
    const text = held.text()
    if (text instanceof Codec.Fault) return "unstorable"
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
    if (next instanceof Codec.Held) return undefined
    const { path, reason } = next
    const where = path.map((key) => `[${JSON.stringify(key)}]`).join("")
    return {
      reason: "DoesNotFit",
      description: `makes the state ${format((pair as ReadonlyArray<unknown>)[1])}, which does not fit the schema${
        where === "" ? "" : ` at ${where}`
      }: ${reason}`
    }
  }

  const given = options?.states
  const states = given !== undefined ? Result.succeed(given) : Result.try({
    try: () => Arbitrary.schema(schema),
    catch: (cause) => `no states can be made from its schema (${String(cause)}): give some as \`states\``
  })
  if (Result.isFailure(states)) return Effect.fail(untried(states.failure))

  const tryOn = (replay: string | undefined): Effect.Effect<void, PurityError> => {
    let tried = 0
    const property = (state: S["Type"]) => {
      const found = fault(state)
      if (found === "unstorable") return Effect.succeed(true)
      tried++
      return found === undefined ? Effect.succeed(true) : Effect.fail(new PurityError({ ...found, state }))
    }
    const { runs = 200, seed } = options ?? {}
    return Effect.flatMap(
      Arbitrary.checkEffect(states.success, property, { runs, seed, replay }),
      (result) => {
        switch (result._tag) {
          case "Falsified":
            return result.failure._tag === "PropertyError"
              ? Effect.fail(new PurityError({ ...result.failure.error, replay: result.replay }))
              : Effect.void
          case "Exhausted":
            return Effect.fail(untried("nearly no state that was made fits its schema: give some as `states`"))
          case "Passed":
            return tried > 0 ? Effect.void : Effect.fail(untried("no state that was made can be stored"))
          case "ReplayMismatch":
            // What was wrong is mended, or is not what is tried here.
            return result.reason === "PropertyPassed" ? Effect.void : tryOn(undefined)
        }
      }
    )
  }
  return tryOn(options?.replay)
}

const untried = (description: string): PurityError =>
  new PurityError({ reason: "Untried", state: undefined, description })
