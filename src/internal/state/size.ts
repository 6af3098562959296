import { utf8Length } from "../name.ts"

/** The UTF-8 bytes of a text. */
export const utf8: (text: string) => number = typeof Buffer === "undefined" ? utf8Length : Buffer.byteLength

/** The UTF-8 bytes of what `JSON.stringify` writes for a string. */
export const ofString = (value: string): number => {
  const { length } = value
  // A regular expression starts slowly and runs fast.
  if (length > 24) {
    if (!escaped.test(value)) return length + 2
    if (length > 4096) return utf8(JSON.stringify(value))
  }
  let bytes = length + 2
  for (let i = 0; i < length; i++) {
    const code = value.charCodeAt(i)
    if (code < 0x80) {
      if (code < 0x20) bytes += shortEscapes.includes(code) ? 1 : 5
      else if (code === 0x22 || code === 0x5c) bytes++
    } else if (code < 0x800) bytes++
    else if (code < 0xd800 || code > 0xdfff) bytes += 2
    else if (code < 0xdc00 && isLow(value.charCodeAt(i + 1))) {
      bytes += 2
      i++
    } else bytes += 5
  }
  return bytes
}

const escaped = /[^\x20\x21\x23-\x5b\x5d-\x7f]/

// \b, \t, \n, \f, \r
const shortEscapes = [8, 9, 10, 12, 13]

const isLow = (code: number): boolean => code >= 0xdc00 && code <= 0xdfff

/** The bytes of what `JSON.stringify` writes for a finite number. */
export const ofNumber = (value: number): number => {
  if (!Number.isSafeInteger(value)) return String(value).length
  let bytes = value < 0 ? 2 : 1
  const size = Math.abs(value)
  for (let power = 10; power <= size; power *= 10) bytes++
  return bytes
}

/** The UTF-8 bytes of what `JSON.stringify` writes for a JSON value. */
export const ofJson = (value: unknown): number => {
  switch (typeof value) {
    case "string":
      return ofString(value)
    case "number":
      return ofNumber(value)
    case "boolean":
      return value ? 4 : 5
  }
  if (value === null) return 4
  if (Array.isArray(value)) {
    let bytes = 2 + commas(value.length)
    for (const item of value) bytes += ofJson(item)
    return bytes
  }
  const keys = Object.keys(value as object)
  let bytes = 2 + commas(keys.length)
  for (const key of keys) bytes += ofKey(key) + ofJson((value as { readonly [key: string]: unknown })[key])
  return bytes
}

/**
 * About how many bytes the JSON text of a value takes, found in the time that it takes to look at each object once,
 * however often it is there.
 */
export const estimate = (value: unknown, known = new Map<object, number>()): number => {
  if (typeof value !== "object" || value === null) return typeof value === "string" ? value.length : 1
  let size = known.get(value)
  if (size === undefined) {
    size = 2
    // It may refer to itself.
    known.set(value, Infinity)
    for (const [key, item] of Object.entries(value)) size += key.length + estimate(item, known)
    known.set(value, size)
  }
  return size
}

/** The UTF-8 bytes of a key and the colon after it. */
export const ofKey = (key: string): number => ofString(key) + 1

/** The commas between that many entries. */
export const commas = (entries: number): number => entries > 1 ? entries - 1 : 0
