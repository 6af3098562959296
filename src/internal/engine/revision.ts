/**
 * A revision lists the latest commit of each writer, newest first, as marks: `writer:sequence writer:sequence … <sequence`.
 * To a driver it is an opaque token. To the engine it tells whether a commit whose answer was lost has been applied.
 *
 * Sequences are milliseconds of the writer's clock, but always later than any that the writer has made or that the list
 * holds already. So a list is sorted, whatever the clocks of its writers show, and what is dropped from its end is older
 * than what stays. The last token says up to which sequence marks were dropped: who finds neither his mark nor a later
 * sequence there knows that it was never in the list. Clocks only decide how soon marks are dropped, never who is right.
 */

/** How many writers a revision remembers. */
export const capacity = 32

const separator = " "
const dropped = "<"

export interface Mark {
  readonly writer: string
  readonly sequence: number
}

const base = 36
const pairs = Array.from({ length: base * base }, (_, i) => i.toString(base).padStart(2, "0"))
let prefix = { writer: "", above: -1, text: "" }

// The sequence is in base 36. Writing a number that is no small integer is slow, and all but the last digits are nearly
// always the same.
export const format = ({ sequence, writer }: Mark): string => {
  const rest = sequence % base ** 4
  const above = (sequence - rest) / base ** 4
  if (above === 0) return `${writer}:${rest.toString(base)}`
  if (above !== prefix.above || writer !== prefix.writer) {
    prefix = { writer, above, text: `${writer}:${above.toString(base)}` }
  }
  return prefix.text + (pairs[Math.floor(rest / base ** 2)]! + pairs[rest % base ** 2]!)
}

/** The latest sequence of a revision, 0 where there is none. */
export const latest = (revision: string | null): number => {
  if (revision === null) return 0
  const end = revision.indexOf(separator)
  return sequenceOf(end === -1 ? revision : revision.slice(0, end))
}

/**
 * The revision of a commit on top of `current`: its mark in front, its writer's older mark dropped, and all that are
 * older than `oldest`, which nobody can ask for any more.
 */
export const next = (current: string | null, mark: Mark, oldest: number): string => {
  const own = `${mark.writer}:`
  const first = format(mark)
  if (current === null) return first
  if (!current.includes(separator) && current.startsWith(own)) return first
  const marks: Array<string> = []
  let upTo = 0
  for (const token of current.split(separator)) {
    if (token.startsWith(dropped)) upTo = Math.max(upTo, Number.parseInt(token.slice(1), 36))
    else if (token.includes(":") && !token.startsWith(own)) marks.push(token)
  }
  let length = Math.min(marks.length, capacity - 1)
  while (length > 0 && sequenceOf(marks[length - 1]!) < oldest) length--
  for (let i = length; i < marks.length; i++) upTo = Math.max(upTo, sequenceOf(marks[i]!))
  let revision = first
  for (let i = 0; i < length; i++) revision += separator + marks[i]
  return upTo === 0 ? revision : `${revision}${separator}${dropped}${upTo.toString(36)}`
}

/** Whether the commit with the mark led to `current`; `undefined` when it cannot be known. */
export const contains = (current: string | null, mark: Mark): boolean | undefined => {
  // Revisions outlive the data for longer than anybody asks.
  if (current === null) return false
  const wanted = format(mark)
  for (const token of current.split(separator)) {
    if (token === wanted) return true
    if (token.startsWith(dropped)) return Number.parseInt(token.slice(1), 36) < mark.sequence ? false : undefined
  }
  return false
}

// What is no mark was put there by the store, such as that the record has expired.
const sequenceOf = (token: string): number => {
  const colon = token.indexOf(":")
  return colon === -1 ? 0 : Number.parseInt(token.slice(colon + 1), 36) || 0
}
