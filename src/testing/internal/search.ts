import * as Hash from "effect/Hash"
import type { Call, Model } from "../Linearizability.ts"
import { equal } from "./equal.ts"

/** How a search for an order ended. */
export type Found<State, Input, Output> =
  | { readonly _tag: "Ordered"; readonly steps: number; readonly order: ReadonlyArray<Call<Input, Output>> }
  | {
    readonly _tag: "Stuck"
    readonly steps: number
    /** Where the search came furthest: how many calls were in order, the state then, and who could have been next. */
    readonly ordered: number
    readonly state: State
    readonly waiting: ReadonlyArray<Call<Input, Output>>
    /** The moment that nothing gets past. */
    readonly last: number
  }
  | { readonly _tag: "GivenUp"; readonly steps: number }

/** One call that was put in order, and how to go on when that was wrong. */
interface Frame<State> {
  readonly state: State
  /** Who could be next, and how far they have been tried. */
  candidates: ReadonlyArray<number>
  next: number
  /** Whether some call did fit here. */
  progressed: boolean
  /** The calls of unknown outcome that the last one tried left behind in the past. */
  dropped: ReadonlyArray<number>
}

/**
 * Puts one call after another in order, and takes back what leads nowhere.
 *
 * What remains to be ordered is a list of beginnings and ends, as they followed each other. Whatever begins before the
 * first end could be next. The calls before that end say all about what remains, so they, with the state, are what
 * failures are remembered by: a key of a few numbers, however long the history.
 *
 * A thrifty search takes a call that need not have happened only where no other fits. It is much faster, and what it
 * finds is an order; that it finds none says nothing.
 */
export const search = <State, Input, Output>(
  history: ReadonlyArray<Call<Input, Output>>,
  model: Model<State, Input, Output>,
  limit: number,
  thrifty = false
): Found<State, Input, Output> => {
  const calls = history.toSorted((one, other) => one.called - other.called)
  const accepts = model.accepts ?? equal
  const classes = classesOf(calls)
  const list = new Moments(calls)
  const failed = new Map<string, Map<number, Array<State>>>()
  const frames: Array<Frame<State>> = []
  const furthest = { ordered: -1, state: model.initial, waiting: [] as ReadonlyArray<number>, last: -Infinity }
  let steps = 0
  let state = model.initial

  const calledBy = ({ candidates, next }: Frame<State>) => candidates[next - 1]!

  /**
   * Whether one of the last calls, which may still happen at any time, could as well wait until after this one. That
   * order leads to the same state, and is tried, too.
   */
  const couldWait = (at: number, next: State): boolean => {
    for (let i = frames.length - 1; i >= 0; i--) {
      const waits = calledBy(frames[i]!)
      if (classes[waits] === -1) return false
      if (classes[at] !== -1 && at > waits) continue
      let state = frames[i]!.state
      for (let j = i + 1; j < frames.length; j++) state = model.step(state, calls[calledBy(frames[j]!)]!.input)[1]
      const { input, outcome } = calls[at]!
      const [output, without] = model.step(state, input)
      if (outcome._tag === "Answered" && !accepts(outcome.output, output)) continue
      if (equal(model.step(without, calls[waits]!.input)[1], next)) return true
    }
    return false
  }

  for (;;) {
    // A state that was not tried yet: who could be next?
    const end = list.firstEnd()
    if (end === undefined) {
      return { _tag: "Ordered", steps, order: frames.map((frame) => calls[calledBy(frame)]!) }
    }
    const candidates = list.before(end)
    const known = failed.size === 0 ? undefined : failed.get(keyOf(end, candidates))
    const tried = known?.get(Hash.hash(state))?.some((other) => equal(other, state)) ?? false
    let frame: Frame<State> = {
      state,
      candidates: tried ? none : worthwhile(calls, classes, candidates),
      next: 0,
      progressed: false,
      dropped: []
    }
    furthest.last = Math.max(furthest.last, calls[end]!.returned)
    if (!tried && frames.length > furthest.ordered) {
      furthest.ordered = frames.length
      furthest.state = state
      furthest.waiting = frame.candidates
    }

    for (;;) {
      let found = false
      while (frame.next < frame.candidates.length) {
        if (steps++ >= limit) return { _tag: "GivenUp", steps }
        const at = frame.candidates[frame.next++]!
        const { input, outcome } = calls[at]!
        if (thrifty && frame.progressed && outcome._tag === "Unknown") continue
        const [output, next] = model.step(frame.state, input)
        if (outcome._tag === "Answered" && !accepts(outcome.output, output)) continue
        if (couldWait(at, next)) continue
        // A call that changes nothing, and need not have happened, has not happened.
        if (outcome._tag === "Unknown" && (next === frame.state || equal(next, frame.state))) continue
        frame.progressed = true
        frame.dropped = list.take(at)
        // Nothing is lost by letting a read take place as soon as it can: no other needs to be tried.
        if (frame.dropped.length === 0 && model.reads?.(input) === true) {
          frame.candidates = [at]
          frame.next = 1
        }
        frames.push(frame)
        state = next
        found = true
        break
      }
      if (found) break
      if (frame.candidates.length > 0) {
        const end = list.firstEnd()!
        const key = keyOf(end, list.before(end))
        const states = failed.get(key) ?? new Map<number, Array<State>>()
        failed.set(key, states)
        const hash = Hash.hash(frame.state)
        const same = states.get(hash)
        if (same === undefined) states.set(hash, [frame.state])
        else same.push(frame.state)
      }
      const last = frames.pop()
      if (last === undefined) {
        const waiting = furthest.waiting.map((at) => calls[at]!)
        return { _tag: "Stuck", steps, ordered: furthest.ordered, state: furthest.state, waiting, last: furthest.last }
      }
      list.putBack(calledBy(last), last.dropped)
      frame = last
    }
  }
}

/**
 * Who is to be tried, and in which order: those first that must come soon, and of those that nobody needs to have
 * happened, and that do the same, only the first.
 */
const worthwhile = (
  calls: ReadonlyArray<Call<unknown, unknown>>,
  classes: ReadonlyArray<number>,
  candidates: ReadonlyArray<number>
): ReadonlyArray<number> =>
  candidates.length === 1 ? candidates : candidates
    .filter((at, i) => {
      const same = classes[at]!
      if (same === -1) return true
      for (let j = 0; j < i; j++) {
        if (classes[candidates[j]!] === same) return false
      }
      return true
    })
    .toSorted((one, other) => {
      const a = calls[one]!.returned
      const b = calls[other]!.returned
      return a === b ? one - other : a - b
    })

/** Numbers those calls alike that never ended, whose outcome is unknown, and that do the same. */
const classesOf = (calls: ReadonlyArray<Call<unknown, unknown>>): ReadonlyArray<number> => {
  const seen = new Map<number, Array<number>>()
  return calls.map(({ input, outcome, returned }, i) => {
    if (outcome._tag !== "Unknown" || returned !== Infinity) return -1
    const hash = Hash.hash(input)
    const alike = seen.get(hash) ?? []
    seen.set(hash, alike)
    const first = alike.find((other) => equal(calls[other]!.input, input))
    if (first !== undefined) return first
    alike.push(i)
    return i
  })
}

const keyOf = (end: number, candidates: ReadonlyArray<number>): string => `${end}|${candidates.join(",")}`

/**
 * The beginnings and ends of calls in a doubly linked list, from which calls are taken and put back in reverse order
 * ("dancing links"). The beginning of call `i` is node `2i + 1`, its end node `2i + 2`; node 0 is the head.
 */
class Moments {
  private readonly after: Int32Array
  private readonly previous: Int32Array
  private readonly forced: ReadonlyArray<boolean>

  constructor(calls: ReadonlyArray<Call<unknown, unknown>>) {
    this.forced = calls.map(({ outcome }) => outcome._tag !== "Unknown")
    const at = (node: number) => node % 2 === 1 ? calls[node >> 1]!.called : calls[(node >> 1) - 1]!.returned
    const nodes: Array<number> = []
    for (let i = 0; i < calls.length; i++) {
      nodes.push(2 * i + 1)
      // What never ended, and need not have taken effect, holds nothing up.
      if (this.forced[i]! || calls[i]!.returned !== Infinity) nodes.push(2 * i + 2)
    }
    // Of one moment, what begins comes before what ends: they overlap.
    nodes.sort((one, other) => {
      const a = at(one)
      const b = at(other)
      return a === b ? (other % 2) - (one % 2) || one - other : a - b
    })
    this.after = new Int32Array(2 * calls.length + 2).fill(-1)
    this.previous = new Int32Array(2 * calls.length + 2).fill(-1)
    let last = 0
    for (const node of nodes) {
      this.after[last] = node
      this.previous[node] = last
      last = node
    }
  }

  /** The call whose end is the first that holds others up. */
  firstEnd(): number | undefined {
    for (let node = this.after[0]!; node !== -1; node = this.after[node]!) {
      if (node % 2 === 0 && this.forced[(node >> 1) - 1]!) return (node >> 1) - 1
    }
    return undefined
  }

  /** The calls that begin before the end of a call, in the order of their beginnings. */
  before(end: number): ReadonlyArray<number> {
    const found: Array<number> = []
    for (let node = this.after[0]!; node !== 2 * end + 2; node = this.after[node]!) {
      if (node % 2 === 1) found.push(node >> 1)
    }
    return found
  }

  /** Takes a call out, and those that may be left out and ended before it began. Gives back the latter. */
  take(call: number): ReadonlyArray<number> {
    const dropped: Array<number> = []
    for (let node = this.after[0]!; node !== 2 * call + 1; node = this.after[node]!) {
      if (node % 2 === 0) dropped.push((node >> 1) - 1)
    }
    for (const other of dropped) this.remove(other)
    this.remove(call)
    return dropped
  }

  putBack(call: number, dropped: ReadonlyArray<number>): void {
    this.restore(call)
    for (let i = dropped.length - 1; i >= 0; i--) this.restore(dropped[i]!)
  }

  private remove(call: number): void {
    this.unlink(2 * call + 1)
    if (this.previous[2 * call + 2] !== -1) this.unlink(2 * call + 2)
  }

  private restore(call: number): void {
    if (this.previous[2 * call + 2] !== -1) this.relink(2 * call + 2)
    this.relink(2 * call + 1)
  }

  private unlink(node: number): void {
    const [previous, after] = [this.previous[node]!, this.after[node]!]
    this.after[previous] = after
    if (after !== -1) this.previous[after] = previous
  }

  private relink(node: number): void {
    const [previous, after] = [this.previous[node]!, this.after[node]!]
    this.after[previous] = node
    if (after !== -1) this.previous[after] = node
  }
}

const none: ReadonlyArray<number> = []
