/**
 * Records as they are answered: decided on in a turn, read after it.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Record } from "../../Driver.ts"
import { atOnce } from "./bytes.ts"
import type * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import type { Entry } from "./records.ts"
import * as States from "./states.ts"

export type Answer = Record | null | Fault.Fault

/** Records, or why one of them cannot be read. */
export const all = (answers: ReadonlyArray<Answer>): ReadonlyArray<Record | null> | Fault.Fault => {
  const records: Array<Record | null> = []
  for (const answer of answers) {
    if (answer !== null && "reason" in answer) return answer
    records.push(answer)
  }
  return records
}

/**
 * Keeps the files open that these records are in, until what this gives has run.
 */
export const take = (
  entries: ReadonlyArray<Entry | undefined>,
  now: number
): Effect.Effect<ReadonlyArray<Answer>> => {
  const files = new Set(entries.flatMap((entry) => entry === undefined || entry.size === 0 ? [] : [entry.segment]))
  const releases = [...files].map((file) => file.retain())
  return States.read(entries).pipe(
    Effect.flatMap((states) => decode(entries, states, now)),
    Effect.ensuring(Effect.sync(() => releases.forEach((release) => release())))
  )
}

const decode = Effect.fnUntraced(function*(
  entries: ReadonlyArray<Entry | undefined>,
  states: ReadonlyArray<Uint8Array | Fault.Fault | undefined>,
  now: number
) {
  const answers: Array<Answer> = []
  let decoded = 0
  for (let i = 0; i < entries.length; i++) {
    answers.push(toAnswer(entries[i], states[i], now))
    decoded += entries[i]?.size ?? 0
    if (decoded < atOnce) continue
    decoded = 0
    yield* Effect.yieldNow
  }
  return answers
})

const toAnswer = (entry: Entry | undefined, state: Uint8Array | Fault.Fault | undefined, now: number): Answer => {
  if (entry === undefined) return null
  const { expiresAt, revision } = entry
  if (state === undefined) return { revision, data: null }
  if (!(state instanceof Uint8Array)) return state
  const data = Line.decodeState(state)
  return expiresAt === Infinity ? { revision, data } : { revision, data, expiresIn: Duration.millis(expiresAt - now) }
}
