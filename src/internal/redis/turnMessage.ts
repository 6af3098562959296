/** What writers of one scope say to each other about whose turn it is. */

/**
 * In whose order turns go: whoever begins one anew, because nobody had the turn or whoever had it did not come, begins a
 * term. Of two terms the later is heeded, so that there is one turn at a time.
 */
export interface Term {
  readonly number: number
  readonly by: string
}

/** Numbers of terms begin with 1, and nobody counts as far as this. Whoever says that he did does not get ahead of all. */
const mostTerms = 2 ** 40

export const isLater = (one: Term, other: Term): boolean => {
  const ahead = (one.number - other.number + mostTerms) % mostTerms
  return ahead === 0 ? one.by > other.by : ahead < mostTerms / 2
}

export const after = (number: number): number => number % (mostTerms - 1) + 1

/** How many characters of a message are heeded: a crowd has some hundreds of writers. */
const longest = 2 ** 13

/** Nobody is waited for who needs more milliseconds. */
export const mostNeeds = 500

/** A writer, and how many milliseconds it takes him to come when he is called: many for one who is far away. */
export interface Writer {
  readonly name: string
  readonly needs: number
}

/** Somebody asks for a turn, or says who waits for one: the first has it. */
export type Message =
  | { readonly _tag: "Ask"; readonly from: Writer }
  | { readonly _tag: "Queue"; readonly from: Writer; readonly term: Term; readonly queue: ReadonlyArray<Writer> }

const toText = ({ name, needs }: Writer): string => needs === 0 ? name : `${name}~${needs}`

const toWriter = (text: string): Writer => {
  const [name = "", digits = "0"] = text.split("~")
  const needs = Number(digits)
  return { name, needs: needs > 0 ? Math.min(needs, mostNeeds) : 0 }
}

/** As `writer`, or as `writer:number by first second~60`. */
export const encode = (message: Message): string => {
  const from = toText(message.from)
  if (message._tag === "Ask") return from
  const { queue, term } = message
  return `${from}:${[term.number, term.by, ...queue.map(toText)].join(" ")}`
}

export const decode = (message: string): Message => {
  const text = message.slice(0, longest)
  const colon = text.indexOf(":")
  const from = toWriter(colon === -1 ? text : text.slice(0, colon))
  const [digits = "", by = "", ...queue] = colon === -1 ? [] : text.slice(colon + 1).split(" ")
  const number = Number(digits)
  return Number.isInteger(number) && number > 0 && number < mostTerms
    ? { _tag: "Queue", from, term: { number, by }, queue: queue.map(toWriter) }
    : { _tag: "Ask", from }
}
