/**
 * Is a history of concurrent calls explained by some order of them, one at a time?
 *
 * A history is linearizable when each call can be given one moment between its beginning and its end, such that the
 * calls, made one after another in the order of these moments, have the answers that they had. For calls that touch
 * several scopes at once this is strict serializability.
 *
 * The search is that of Wing and Gong, with Lowe's memory of what has been tried: G. Lowe, "Testing for
 * linearizability" (2017, <https://doi.org/10.1002/cpe.3928>); A. Horn and D. Kroening, "Faster linearizability
 * checking via P-compositionality" (2015, <https://arxiv.org/abs/1504.00204>). Porcupine
 * (<https://github.com/anishathalye/porcupine>) is the same for Go.
 *
 * @since 0.1.0
 */
import { format } from "effect/Formatter"
import { components } from "./internal/components.ts"
import { equal } from "./internal/equal.ts"
import { search } from "./internal/search.ts"

/**
 * What came of a call.
 *
 * - `Answered`: it took effect, and `output` is what it answered.
 * - `Applied`: it took effect, but its answer is not known.
 * - `Unknown`: it took effect between its beginning and its end, or never.
 *
 * What is known to have had no effect does not belong into a history.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome<Output> =
  | { readonly _tag: "Answered"; readonly output: Output }
  | { readonly _tag: "Applied" }
  | { readonly _tag: "Unknown" }

/**
 * A call: `called` and `returned` are moments of one clock, or numbers in the order of events. `returned` is `Infinity`
 * for a call that may take effect at any time after it was made, such as one whose caller crashed.
 *
 * A call cannot end before it began: {@link check} throws a `RangeError` for one that does.
 *
 * `client` is only shown.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call<out Input, out Output> {
  readonly input: Input
  readonly called: number
  readonly returned: number
  readonly outcome: Outcome<Output>
  readonly client?: string | undefined
}

/**
 * What calls do, one at a time.
 *
 * - `initial`: the state before the first call.
 * - `step`: the answer to a call and the next state; pure, like a handler.
 * - `keys`: what a call touches. Calls that have no key in common, also not by way of others, are checked apart from
 *   each other. Default: every call may touch everything.
 * - `reads`: whether an input never changes any state. Histories of many calls at once are checked faster for it.
 * - `accepts`: whether an answer is the one that `step` gave. Default: `Equal.equals`.
 *
 * States and answers are compared with `Equal.equals`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Model<State, Input, Output> {
  readonly initial: State
  readonly step: (state: State, input: Input) => readonly [output: Output, next: State]
  readonly keys?: ((input: Input) => Iterable<string>) | undefined
  readonly reads?: ((input: Input) => boolean) | undefined
  readonly accepts?: ((output: Output, expected: Output) => boolean) | undefined
}

/**
 * What {@link check} found.
 *
 * - `Linearizable`: `order` is an order that explains the history. Of the calls whose outcome is unknown it holds those
 *   that had to take effect.
 * - `Violation`: there is none. `calls` are a few calls that cannot be ordered, whatever became of all others, or, where
 *   too many had come before, those that none of could be next; `state` is the state in which the search came furthest;
 *   `message` tells it all.
 * - `Undecided`: the search was given up after so many steps.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict<State, Input, Output> =
  | { readonly _tag: "Linearizable"; readonly order: ReadonlyArray<Call<Input, Output>> }
  | {
    readonly _tag: "Violation"
    readonly calls: ReadonlyArray<Call<Input, Output>>
    readonly state: State
    readonly message: string
  }
  | { readonly _tag: "Undecided"; readonly steps: number; readonly message: string }

/**
 * The outcome of a call that was answered.
 *
 * @category constructors
 * @since 0.1.0
 */
export const answered = <Output>(output: Output): Outcome<Output> => ({ _tag: "Answered", output })

/**
 * The outcome of a call that took effect, and whose answer is not known.
 *
 * @category constructors
 * @since 0.1.0
 */
export const applied: Outcome<never> = { _tag: "Applied" }

/**
 * The outcome of a call that may have taken effect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unknown: Outcome<never> = { _tag: "Unknown" }

/**
 * Looks for an order of the calls that explains their answers.
 *
 * **Details**
 *
 * The order of `history` does not matter. Where one call ends at the moment at which another begins, either may be the
 * first. The time it takes grows with the number of calls, and steeply with how many of them run at once and tell little
 * in their answers; `steps` (default: 10,000,000) bounds it.
 *
 * **Example** (A lost update)
 *
 * ```ts
 * import { Linearizability } from "effect-scoped/testing"
 *
 * const counter: Linearizability.Model<number, "increment", number> = {
 *   initial: 0,
 *   step: (count) => [count + 1, count + 1]
 * }
 *
 * const verdict = Linearizability.check([
 *   { input: "increment", called: 0, returned: 3, outcome: Linearizability.answered(1) },
 *   { input: "increment", called: 1, returned: 2, outcome: Linearizability.answered(1) }
 * ], counter)
 *
 * console.log(verdict._tag) // => "Violation"
 * ```
 *
 * @category utils
 * @since 0.1.0
 */
export const check = <State, Input, Output>(
  history: ReadonlyArray<Call<Input, Output>>,
  model: Model<State, Input, Output>,
  options?: { readonly steps?: number | undefined }
): Verdict<State, Input, Output> => {
  const limit = options?.steps ?? 10_000_000
  for (const call of history) {
    // Whatever is not a number is not at any time either.
    if (!(call.called <= call.returned)) throw new RangeError(`A call cannot end before it began: ${show(call)}`)
  }
  const placed: Array<{ readonly call: Call<Input, Output>; readonly moment: number }> = []
  let steps = 0
  for (const part of model.keys === undefined ? [history] : components(history, ({ input }) => model.keys!(input))) {
    const quick = search(part, model, limit - steps, true)
    steps += quick.steps
    const found = quick._tag === "Ordered" ? quick : search(part, model, limit - steps)
    if (found !== quick) steps += found.steps
    switch (found._tag) {
      case "Ordered": {
        let moment = -Infinity
        for (const call of found.order) placed.push({ call, moment: moment = Math.max(moment, call.called) })
        break
      }
      case "Stuck": {
        const calls = core(part, model, found.last)
        const message = explain(model, calls, found)
        return { _tag: "Violation", calls: calls ?? found.waiting, state: found.state, message }
      }
      case "GivenUp":
        return {
          _tag: "Undecided",
          steps,
          message: `${history.length} calls: no order was found, nor shown not to exist, in ${steps} steps`
        }
    }
  }
  // Each call at the first moment that its own order leaves it: so they are in order across the parts as well.
  const byMoment = placed.toSorted((one, other) => one.moment === other.moment ? 0 : one.moment - other.moment)
  return { _tag: "Linearizable", order: byMoment.map(({ call }) => call) }
}

/** Calls that are looked at when the few are picked that cannot be ordered, and the steps for each attempt. */
const coreCalls = 64
const coreSteps = 20_000

/**
 * The calls whose outcomes contradict each other, whatever became of all others: what can be taken for unknown without
 * an order being found is taken for unknown.
 */
const core = <State, Input, Output>(
  part: ReadonlyArray<Call<Input, Output>>,
  model: Model<State, Input, Output>,
  last: number
): ReadonlyArray<Call<Input, Output>> | undefined => {
  // What began after the search was stuck had no part in it, but may explain what ends later once others are let go.
  const end = part.reduce((end, { called, returned }) => called <= last ? Math.max(end, returned) : end, last)
  let calls = part.filter(({ called }) => called <= end)
  if (calls.length > coreCalls) return undefined
  calls = calls.map((call) => call.called <= last ? call : letGo(call))
  for (let size = Math.ceil(calls.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < calls.length; at += size) {
      const relaxed = calls.map((call, i) => i >= at && i < at + size ? letGo(call) : call)
      if (search(relaxed, model, coreSteps)._tag === "Stuck") calls = relaxed
    }
  }
  // That a call of unknown outcome cannot have happened later may be what matters.
  return calls.filter(({ outcome, returned }) => outcome._tag !== "Unknown" || returned !== Infinity)
}

const letGo = <Input, Output>(call: Call<Input, Output>): Call<Input, Output> => ({
  ...call,
  returned: Infinity,
  outcome: unknown
})

const explain = <State, Input, Output>(
  model: Model<State, Input, Output>,
  calls: ReadonlyArray<Call<Input, Output>> | undefined,
  stuck: { readonly state: State; readonly ordered: number; readonly waiting: ReadonlyArray<Call<Input, Output>> }
): string => {
  const shown = calls === undefined
    ? ["No order of the calls explains their answers."]
    : ["No order of these calls explains their answers:", ...calls.slice(0, 12).map((call) => `  ${show(call)}`)]
  const here = stuck.waiting.slice(0, 6).map((call) => {
    const [output] = model.step(stuck.state, call.input)
    const fits = call.outcome._tag !== "Answered" || (model.accepts ?? equal)(call.outcome.output, output)
    return `  ${show(call)}${fits ? "" : `, where the model answers ${text(output)}`}`
  })
  return [
    ...shown,
    `The search came furthest with ${stuck.ordered} calls in order and the state ${text(stuck.state)}. Next would be:`,
    ...here
  ].join("\n")
}

const show = <Input, Output>({ called, client, input, outcome, returned }: Call<Input, Output>): string =>
  `[${called}, ${returned}] ${client === undefined ? "" : `${client}: `}${text(input)} => ${
    outcome._tag === "Answered" ? text(outcome.output) : outcome._tag === "Applied" ? "(applied)" : "?"
  }`

const text = (value: unknown): string => {
  const shown = format(value)
  return shown.length <= 200 ? shown : `${shown.slice(0, 199)}…`
}
