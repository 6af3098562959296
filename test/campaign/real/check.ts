/** What must hold of the merged history of a round. */
import { Linearizability } from "effect-scoped/testing"
import { type Answer, isRead, type Log } from "../logs.ts"
import type { Event } from "./workers.ts"
import { appendsTo, lifetime, model, type Name, type Operation } from "./workload.ts"

type Call = Linearizability.Call<Operation, Answer>

export interface Options {
  /**
   * What survives when another server takes over: `all` where there is none that could. With `replicated`, what was
   * acknowledged; what was only seen, or written without replicas, may be gone after it.
   */
  readonly survives: "all" | "replicated"
  /** The moment from which on nothing went wrong any more. */
  readonly calmSince: number
}

/**
 * The reasons why the history of a group is wrong, none where all is well; and whether it took so few steps to say so
 * that it is known.
 */
export const check = (events: ReadonlyArray<Event>, options: Options) => {
  const verdict = Linearizability.check(history(events, options), model, { steps: 300_000 })
  return {
    decided: verdict._tag !== "Undecided",
    faults: [
      ...counts(events),
      ...overdue(events),
      ...(verdict._tag === "Violation" ? [verdict.message] : [])
    ]
  }
}

export const ofGroup = (events: ReadonlyArray<Event>, group: string): ReadonlyArray<Event> =>
  events.filter(({ operation }) => operation.group === group).toSorted((one, other) => one.called - other.called)

/** The calls that may have had an effect, and the expiries that may follow from them. */
const history = (events: ReadonlyArray<Event>, { calmSince, survives }: Options): ReadonlyArray<Call> => {
  const counted = events.filter(({ called, end, operation }) =>
    end?.is !== "failed" &&
    (!looks(operation) || end?.is === "answered" && (survives === "all" || called >= calmSince))
  )
  const seen = firstSeen(counted)
  return counted.flatMap((event): ReadonlyArray<Call> => {
    const { called, end, operation, returned, worker } = event
    const seenAt = seen.get(operation.id)
    // What appended, and was seen by nobody, might as well not have been.
    if (seenAt === undefined && end?.is !== "answered" && appendsTo(operation).length > 0) return []
    const call = { input: operation, called, client: worker }
    const done: Call = end?.is === "answered"
      ? { ...call, returned, outcome: Linearizability.answered(end.answer) }
      : end?.is === "short" && survives === "all"
      ? { ...call, returned, outcome: Linearizability.applied }
      // What was seen was there by then; a removal that is still on its way may arrive at any time.
      : seenAt === undefined
      ? { ...call, returned: Infinity, outcome: Linearizability.unknown }
      : { ...call, returned: Math.min(returned, seenAt), outcome: Linearizability.applied }
    const isLasting = !appendsTo(operation).includes("short")
    return isLasting ? [done] : [done, {
      input: { do: "expire", group: operation.group, to: "short", id: operation.id },
      called: called + lifetime - early,
      returned: done.returned + lifetime + late,
      outcome: Linearizability.unknown
    }]
  })
}

/** Whether it leaves nothing that a server could wait for: whoever aborts tells what is stored, replicated or not. */
const looks = (operation: Operation): boolean => isRead(operation) || operation.do === "abort"

/** When what was appended had been seen for the first time, at the latest. */
const firstSeen = (events: ReadonlyArray<Event>): ReadonlyMap<number, number> => {
  const seen = new Map<number, number>()
  for (const { end, returned } of events) {
    if (end?.is !== "answered" || end.answer === null) continue
    const answer = "aborted" in end.answer ? end.answer.aborted : end.answer
    for (const id of answer.flat()) seen.set(id, Math.min(seen.get(id) ?? Infinity, returned))
  }
  return seen
}

/** By how many milliseconds the clock of a store may be off when something expires. */
const early = 50
const late = 5_000

/** Every acknowledged operation is in the ledger once, every failed one never, all others once at the most. */
const counts = (events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const ledger = new Map<number, number>()
  for (const id of finalLedger(events)) ledger.set(id, (ledger.get(id) ?? 0) + 1)
  const faults: Array<string> = []
  for (const { end, operation, worker } of events) {
    if (!appendsTo(operation).includes("ledger")) continue
    const count = ledger.get(operation.id) ?? 0
    const shown = `${JSON.stringify(operation)} of ${worker}`
    if (count > 1) faults.push(`${shown} was applied ${count} times`)
    if (end?.is === "answered" && count === 0) faults.push(`${shown} was acknowledged, and is lost`)
    if (end?.is === "failed" && count > 0) faults.push(`${shown} failed with ${end.error}, and was applied`)
  }
  return faults
}

/** The longest ledger that anybody saw: it only grows. */
const finalLedger = (events: ReadonlyArray<Event>): Log => {
  let last: Log = []
  let at = -Infinity
  for (const event of events) {
    const seen = event.operation.do === "getBoth" ? seenOf(event, "ledger") : undefined
    if (seen !== undefined && event.called > at) [last, at] = [seen, event.called]
  }
  return last
}

/** What a call saw of a scope. */
const seenOf = ({ end, operation }: Event, name: Name): Log | undefined => {
  if (end?.is !== "answered" || end.answer === null) return undefined
  if ("aborted" in end.answer) return operation.to === name ? end.answer.aborted : undefined
  if (operation.do === "append" || operation.do === "get") {
    return operation.to === name ? end.answer as Log : undefined
  }
  if (!("from" in operation)) return undefined
  const [one, other] = end.answer as ReadonlyArray<Log>
  return operation.from === name ? one : operation.to === name ? other : undefined
}

/** What should have expired long ago is not seen any more. */
const overdue = (events: ReadonlyArray<Event>): ReadonlyArray<string> => {
  const written = new Map<number, number>()
  for (const { operation, returned } of events) {
    if (appendsTo(operation).includes("short")) written.set(operation.id, returned)
  }
  return events.flatMap((event) => {
    const last = seenOf(event, "short")?.at(-1)
    const since = last === undefined ? undefined : written.get(last)
    return since === undefined || event.called <= since + lifetime + late
      ? []
      : [`${event.worker} saw ${last} in "short" ${Math.round(event.called - since)} ms after it was written`]
  })
}

/** A history to be read by people. */
export const show = (events: ReadonlyArray<Event>): string => {
  const start = events[0]?.called ?? 0
  return events.map(({ called, end, operation, returned, worker }) => {
    const what = "from" in operation ? `${operation.from}, ${operation.to}` : operation.to
    return `  [${(called - start).toFixed(1)}, ${(returned - start).toFixed(1)}] ${worker}: ${operation.do} ` +
      `${operation.id} (${what}) => ${
        end === undefined ? "?" : end.is === "answered" ? JSON.stringify(end.answer) : `${end.is}: ${end.error}`
      }`
  }).join("\n")
}
