import * as Equal from "effect/Equal"

/**
 * What `Equal.equals` says. That remembers whatever was compared, which costs more than it saves where the values are
 * small, plain and new each time.
 */
export const equal = (one: unknown, other: unknown): boolean => compare(one, other, 64)

const compare = (one: unknown, other: unknown, depth: number): boolean => {
  if (one === other) return true
  // What refers to itself is left to those who know how to go about it.
  if (depth === 0 || !isObject(one) || !isObject(other)) return Equal.equals(one, other)
  if (Array.isArray(one)) {
    if (!Array.isArray(other)) return Equal.equals(one, other)
    if (one.length !== other.length) return false
    for (let i = 0; i < one.length; i++) if (!compare(one[i], other[i], depth - 1)) return false
    return true
  }
  if (!isPlain(one) || !isPlain(other)) return Equal.equals(one, other)
  let left = 0
  for (const key in other) if (Object.hasOwn(other, key)) left++
  for (const key in one) {
    if (!Object.hasOwn(one, key)) continue
    if (!Object.hasOwn(other, key) || !compare(one[key], other[key], depth - 1)) return false
    left--
  }
  if (left !== 0) return false
  // Last, for it costs more than the rest: keys that are symbols, which hardly anything has.
  return !hasSymbols(one) && !hasSymbols(other) || Equal.equals(one, other)
}

const hasSymbols = (value: object): boolean => Object.getOwnPropertySymbols(value).length > 0

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const isPlain = (value: object): value is { readonly [key: string]: unknown } =>
  Object.getPrototypeOf(value) === Object.prototype && !Equal.isEqual(value)
