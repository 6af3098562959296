import { assign } from "./plain.ts"

/**
 * `JSON.parse`, with every key as it was written.
 *
 * V8 (seen in 13.6, of Node 24) takes the key of an earlier object for the next one where it begins like its *source*:
 * after `{"n":0,"a\\n":0}` it reads the line break in `{"n":0,"a\nb":0}` as a backslash and an "n". So keys with
 * escapes are parsed behind a mark that no earlier key had.
 */
export const parse = (text: string): unknown => {
  if (!text.includes("\\")) return JSON.parse(text)
  let mark = "\ue000"
  while (text.includes(mark)) mark += "\ue000"
  const marked = markKeys(text, mark)
  return marked === undefined ? JSON.parse(text) : unmark(JSON.parse(marked), mark)
}

let marks = 0

/** Marks the keys with escapes. `undefined` where there are none. */
const markKeys = (text: string, mark: string): string | undefined => {
  let out: string | undefined
  let from = 0
  let escape = 0
  let end: number
  for (let start = text.indexOf("\""); start >= 0; start = text.indexOf("\"", end + 1)) {
    end = text.indexOf("\"", start + 1)
    if (escape >= 0 && escape < start) escape = text.indexOf("\\", start)
    // The quote is one of the string's own while an escape leads to it.
    const escaped = escape >= 0 && escape < end
    while (escape >= 0 && escape < end) {
      if (escape + 1 === end) end = text.indexOf("\"", end + 1)
      escape = text.indexOf("\\", escape + 2)
    }
    // It is no JSON, and JSON.parse says why.
    if (end < 0) return undefined
    if (!escaped || !isKey(text, end + 1)) continue
    out = `${out ?? ""}${text.slice(from, start + 1)}${mark}${marks++}${mark}`
    from = start + 1
  }
  return out === undefined ? undefined : out + text.slice(from)
}

const isKey = (text: string, at: number): boolean => {
  while (" \t\n\r".includes(text[at] ?? "x")) at++
  return text[at] === ":"
}

const unmark = (value: unknown, mark: string): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = unmark(value[i], mark)
    return value
  }
  const out = {}
  for (const [key, item] of Object.entries(value)) {
    const name = key.startsWith(mark) ? key.slice(key.indexOf(mark, mark.length) + mark.length) : key
    assign(out, name, unmark(item, mark))
  }
  return out
}
