import type { Seeded } from "./random.ts"

/**
 * What becomes of a call to the store.
 *
 * - `fine`: it arrives, and so does the answer.
 * - `slow`: so it does, but late.
 * - `unreachable`: nothing is sent.
 * - `requestLost`, `answerLost`: the connection breaks before or after the store has worked on it.
 * - `silent`: the store has worked on it, and no answer ever comes.
 * - `late`, `veryLate`: the connection breaks at once; the request arrives seconds, or half an hour, later.
 * - `repeated`, `veryLateRepeated`: it is answered, and arrives once more seconds, or half an hour, later.
 * - `resent`: a client library sends it twice; the answer is that to the second sending.
 * - `oneFails`: one transaction of the batch fails alone, and is not applied.
 * - `notReplicated`: applied, but less safely than was asked for.
 */
export type Fate = typeof fates[number]

export const fates = [
  "fine",
  "slow",
  "unreachable",
  "requestLost",
  "answerLost",
  "answerLost",
  "silent",
  "late",
  "late",
  "veryLate",
  "repeated",
  "repeated",
  "veryLateRepeated",
  "resent",
  "oneFails",
  "notReplicated"
] as const

export const readFates: ReadonlyArray<Fate> = ["slow", "unreachable", "requestLost", "answerLost", "silent"]

/** How long a message is on its way, in milliseconds: mostly about one, at times many. */
export const travel = (random: Seeded): number => {
  const draw = random.next()
  return draw < 0.9 ? 0.1 + 2 * random.next() : 2 + 40 * random.next()
}
