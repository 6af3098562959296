/** How structs, records and arrays are taken: in proportion to what has changed. */
import { assign } from "./assign.ts"
import * as Size from "./size.ts"
import { none, refused, sizeOf, Suspicious, type Take, type View, type ViewName, type Walk, withViews } from "./take.ts"
import type { Extras } from "./unknownKeys.ts"

interface Plain {
  readonly [key: string]: unknown
}

const isPlainObject = (value: unknown): value is Plain => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const hasSymbols = (value: object): boolean => Object.getOwnPropertySymbols(value).length > 0

export interface Field {
  readonly name: string
  readonly take: Take
  readonly optional: boolean
  readonly bytes: number
}

export const struct = (fields: ReadonlyArray<Field>): Take =>
  withViews(takeStruct(fields), (view) => viewStruct(fields, view))

const viewStruct = (fields: ReadonlyArray<Field>, view: ViewName): View | undefined => {
  const viewed = fields.filter(({ take }) => take[view] !== undefined)
  return viewed.length === 0 ? undefined : (taken) => {
    let out: { [key: string]: unknown } | undefined
    for (const { name, take } of viewed) {
      const value = (taken as Plain)[name]
      const seen = value === undefined ? value : take[view]!(value)
      if (seen !== value) (out ??= { ...taken as Plain })[name] = seen
    }
    return out === undefined ? taken : Object.freeze(out)
  }
}

const takeStruct = (fields: ReadonlyArray<Field>): Take => (next, before, walk) => {
  if (next === before) return before
  if (!isPlainObject(next)) return refused
  const old = before === none ? undefined : before as Plain
  const keys = Object.keys(next)
  const out: { [key: string]: unknown } = {}
  let count = 0
  let added = 0
  let removed = 0
  let changed = false
  let kept = true
  let below: Map<string, Extras> | undefined
  for (let i = 0; i < fields.length; i++) {
    const { bytes, name, optional, take } = fields[i]!
    const value = next[name]
    const prior = old === undefined ? undefined : old[name]
    if (value === undefined) {
      if (!optional || Object.hasOwn(next, name)) return refused
      if (prior !== undefined) {
        walk.bytes -= bytes + sizeOf(take, prior)
        removed++
      }
      continue
    }
    const taken = take(value, prior === undefined ? none : prior, walk)
    if (taken === refused) return refused
    if (prior === undefined) {
      walk.bytes += bytes
      added++
    } else if (taken !== prior) changed = true
    if (taken !== value || keys[count] !== name) kept = false
    out[name] = taken
    count++
    if (walk.unknown !== undefined) below = note(below, name, walk)
  }
  let unknown: Map<string, unknown> | undefined
  if (keys.length !== count) {
    if (walk.mode !== "adopt") return refused
    kept = false
    unknown = new Map()
    for (const key of keys) if (!Object.hasOwn(out, key)) unknown.set(key, next[key])
  }
  if (walk.mode === "copy" && hasSymbols(next)) return refused
  if (unknown !== undefined || below !== undefined) walk.unknown = { keys: unknown ?? noKeys, below: below ?? nothing }
  if (old === undefined) walk.bytes += 2 + Size.commas(count)
  else {
    if (!changed && added + removed === 0) return old
    walk.bytes += Size.commas(count) - Size.commas(count - added + removed)
  }
  if (walk.bytes > walk.limit) throw new Suspicious()
  if (walk.mode === "look") return next
  return Object.freeze(kept && walk.mode === "adopt" ? next : out)
}

export const record = (take: Take): Take => withViews(takeRecord(take), (view) => viewRecord(take[view]))

const viewRecord = (view: View | undefined): View | undefined =>
  view && ((taken) => {
    const out = {}
    let same = true
    for (const [key, value] of Object.entries(taken as Plain)) {
      const seen = view(value)
      if (seen !== value) same = false
      assign(out, key, seen)
    }
    return same ? taken : Object.freeze(out)
  })

const noKeys: ReadonlyMap<string, unknown> = new Map()
const nothing: ReadonlyMap<string | number, Extras> = new Map()

/** Notes what was unknown of the part that was adopted last. */
const note = <K extends string | number>(below: Map<K, Extras> | undefined, key: K, walk: Walk): Map<K, Extras> => {
  const noted = (below ?? new Map<K, Extras>()).set(key, walk.unknown!)
  walk.unknown = undefined
  return noted
}

const takeRecord = (take: Take): Take => (next, before, walk) => {
  if (next === before) return before
  if (!isPlainObject(next) || walk.mode === "copy" && hasSymbols(next)) return refused
  const old = before === none ? undefined : before as Plain
  const keys = Object.keys(next)
  const oldKeys = old === undefined ? [] : Object.keys(old)
  const out: { [key: string]: unknown } = {}
  let same = old !== undefined && keys.length === oldKeys.length
  let added = 0
  let kept = true
  let below: Map<string, Extras> | undefined
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    const value = next[key]
    const prior = old !== undefined && Object.hasOwn(old, key) ? old[key] : none
    const taken = take(value, prior, walk)
    if (taken === refused) return refused
    if (prior === none) {
      walk.bytes += Size.ofKey(key)
      added++
    }
    // The order of a record's keys is stored, so it counts.
    if (taken !== prior || key !== oldKeys[i]) same = false
    if (taken !== value) kept = false
    assign(out, key, taken)
    if (walk.unknown !== undefined) below = note(below, key, walk)
  }
  if (below !== undefined) walk.unknown = { keys: noKeys, below }
  if (old === undefined) walk.bytes += 2 + Size.commas(keys.length)
  else {
    if (same) return old
    if (keys.length - added < oldKeys.length) {
      for (const key of oldKeys) {
        if (!Object.hasOwn(out, key)) walk.bytes -= Size.ofKey(key) + sizeOf(take, old[key])
      }
    }
    walk.bytes += Size.commas(keys.length) - Size.commas(oldKeys.length)
  }
  if (walk.bytes > walk.limit) throw new Suspicious()
  if (walk.mode === "look") return next
  return Object.freeze(kept && walk.mode === "adopt" ? next : out)
}

export const array = (elements: ReadonlyArray<Take>, required: number, rest: Take | undefined): Take =>
  withViews(takeArray(elements, required, rest), (view) => viewArray(elements, rest, view))

const viewArray = (elements: ReadonlyArray<Take>, rest: Take | undefined, view: ViewName): View | undefined =>
  [...elements, rest].every((take) => take?.[view] === undefined) ? undefined : (taken) => {
    let same = true
    const out = (taken as ReadonlyArray<unknown>).map((value, i) => {
      const see = (i < elements.length ? elements[i]! : rest!)[view]
      const seen = see === undefined ? value : see(value)
      if (seen !== value) same = false
      return seen
    })
    return same ? taken : Object.freeze(out)
  }

const takeArray = (elements: ReadonlyArray<Take>, required: number, rest: Take | undefined): Take => {
  const fixed = elements.length
  const takeAt = (i: number): Take => i < fixed ? elements[i]! : rest!
  return (next, before, walk) => {
    if (next === before) return before
    if (!Array.isArray(next)) return refused
    const { length } = next
    if (length < required || rest === undefined && length > fixed) return refused
    const old: ReadonlyArray<unknown> = before === none ? [] : before as ReadonlyArray<unknown>
    const shorter = Math.min(length, old.length)
    let start = 0
    // Some schemas write 0 and -0 in two ways.
    while (start < shorter && Object.is(next[start], old[start])) start++
    if (before !== none && start === length && start === old.length) return before
    let end = 0
    // From the end only where all that moves is of the rest, since a tuple's elements differ.
    if (fixed === 0 || length === old.length) {
      while (end < shorter - start && Object.is(next[length - 1 - end], old[old.length - 1 - end])) end++
    }
    const out = walk.mode === "copy" ? prefix(old, start) : next as Array<unknown>
    let changed = before === none || length !== old.length
    let below: Map<number, Extras> | undefined
    for (let i = start; i < length - end; i++) {
      const value: unknown = next[i]
      const prior = i < old.length - end ? old[i] : none
      const taken = takeAt(i)(value, prior, walk)
      if (taken === refused) return refused
      if (taken !== prior) changed = true
      if (walk.mode === "copy") out.push(taken)
      else if (walk.mode === "adopt" && taken !== value) out[i] = taken
      if (walk.unknown !== undefined) below = note(below, i, walk)
    }
    if (below !== undefined) walk.unknown = { keys: noKeys, below }
    if (!changed) return before
    for (let i = Math.max(start, length - end); i < old.length - end; i++) walk.bytes -= sizeOf(takeAt(i), old[i])
    if (walk.mode === "copy") { for (let i = old.length - end; i < old.length; i++) out.push(old[i]) }
    walk.bytes += Size.commas(length) - Size.commas(old.length) + (before === none ? 2 : 0)
    if (walk.bytes > walk.limit) throw new Suspicious()
    return walk.mode === "look" ? out : Object.freeze(out)
  }
}

// Spreading a frozen array takes a tenth of the time of its `slice`.
const prefix = (items: ReadonlyArray<unknown>, length: number): Array<unknown> => {
  if (length < items.length / 8) return items.slice(0, length)
  const out = [...items]
  out.length = length
  return out
}
