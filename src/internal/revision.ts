/**
 * A revision lists the latest commit of each writer, newest first: `writer:sequence writer:sequence …`. To a driver it
 * is an opaque token. To the engine it tells whether a commit whose answer was lost has been applied.
 */

/** How many writers a revision remembers. */
export const capacity = 32

/** The revision of a commit: its own mark in front, its writer's older mark dropped. */
export const next = (current: string | null, writer: string, mark: string): string => {
  if (current === null) return mark
  const own = `${writer}:`
  const others = marksOf(current).filter((other) => !other.startsWith(own))
  return [mark, ...others.slice(0, capacity - 1)].join(" ")
}

/**
 * Whether the commit with `mark`, made on top of `expected`, led to `current`; `undefined` when it cannot be known.
 *
 * A list forgets its oldest mark first. So a list that lacks our mark, yet is not full or still has a mark that was
 * there before ours, cannot have forgotten ours: it was never in it.
 */
export const contains = (current: string | null, expected: string | null, mark: string): boolean | undefined => {
  if (current === null) return expected === null ? false : undefined
  const marks = marksOf(current)
  if (marks.includes(mark)) return true
  if (marks.length < capacity) return false
  if (expected === null) return undefined
  const before = new Set(marksOf(expected))
  return marks.some((other) => before.has(other)) ? false : undefined
}

// What is no mark was put there by the store, such as that the record has expired.
const marksOf = (revision: string): ReadonlyArray<string> => revision.split(" ").filter((mark) => mark.includes(":"))
