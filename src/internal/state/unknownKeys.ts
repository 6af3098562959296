/**
 * Keys of a stored record that today's schema does not know. A newer version of the program may have written them, so
 * they stay in the record through every update, at the place where they were.
 *
 * In arrays an element is found again when it is still equal, or, in the entries of a map, still has its key. What is
 * left is matched by position. So the unknown keys of an element survive any change of the others and any change of its
 * place; where an element changes *and* moves at once they may stay behind with the element that took its place.
 */
import type * as SchemaIssue from "effect/SchemaIssue"
import { assign } from "./plain.ts"

export type Path = ReadonlyArray<PropertyKey>

/** What the schema does not know of a JSON value: keys of it, and those further down by key or index. */
export interface Extras {
  readonly keys: ReadonlyMap<string, unknown>
  readonly below: ReadonlyMap<string | number, Extras>
}

/**
 * The paths of the keys for which alone a schema has refused a JSON value, or `undefined` where it has other reasons,
 * too. Of a union it is the member with the fewest.
 */
export const unexpected = (issue: SchemaIssue.Issue): ReadonlyArray<Path> | undefined => {
  switch (issue._tag) {
    case "UnexpectedKey":
      return [[]]
    case "Pointer":
      return unexpected(issue.issue)?.map((path) => [...issue.path, ...path])
    case "Encoding":
      return unexpected(issue.issue)
    case "Composite": {
      const paths = issue.issues.map(unexpected)
      return paths.includes(undefined) ? undefined : paths.flatMap((path) => path!)
    }
    case "AnyOf":
      return issue.issues.map(unexpected).reduce(
        (least, paths) => least === undefined || paths !== undefined && paths.length < least.length ? paths : least,
        undefined
      )
    default:
      return undefined
  }
}

/** Parts a JSON value into what is known of it and what is not. `undefined` where no path leads to a key. */
export const split = (json: unknown, paths: ReadonlyArray<Path>): readonly [known: unknown, Extras] | undefined => {
  const keys = new Map<string, unknown>()
  const below = new Map<string | number, Extras>()
  const deeper = new Map<string | number, Array<Path>>()
  if (!isContainer(json)) return undefined
  for (const [key, ...rest] of paths) {
    if (key === undefined || typeof key === "symbol" || !Object.hasOwn(json, key)) continue
    if (rest.length === 0) keys.set(String(key), get(json, key))
    else if (deeper.has(key)) deeper.get(key)!.push(rest)
    else deeper.set(key, [rest])
  }
  const known = copy(json)
  if (keys.size > 0 && Array.isArray(json)) return undefined
  for (const key of keys.keys()) delete (known as { [key: string]: unknown })[key]
  for (const [key, paths] of deeper) {
    const parts = split(get(json, key), paths)
    if (parts === undefined) continue
    put(known, key, parts[0])
    below.set(key, parts[1])
  }
  return keys.size + below.size === 0 ? undefined : [known, { keys, below }]
}

/** Carries what was unknown of `from` over to what has become of it. */
export const carry = (to: unknown, from: unknown, extras: Extras): Extras | undefined => {
  const keys = new Map<string, unknown>()
  const below = new Map<string | number, Extras>()
  const follow = (place: string | number, origin: string | number, deeper: Extras): void => {
    const carried = carry(get(to, place), get(from, origin), deeper)
    if (carried !== undefined) below.set(place, carried)
  }
  if (Array.isArray(to) && Array.isArray(from)) {
    const places = match(to, from)
    for (const [index, deeper] of extras.below) {
      const place = places[index as number]
      if (place !== undefined) follow(place, index, deeper)
    }
  } else if (isContainer(to) && isContainer(from) && Array.isArray(to) === Array.isArray(from)) {
    for (const [key, value] of extras.keys) if (!Object.hasOwn(to, key)) keys.set(key, value)
    for (const [key, deeper] of extras.below) {
      if (Object.hasOwn(to, key) && Object.hasOwn(from, key)) follow(key, key, deeper)
    }
  }
  return keys.size + below.size === 0 ? undefined : { keys, below }
}

/** Puts the unknown keys back. */
export const join = (json: unknown, extras: Extras): unknown => {
  const joined = copy(json as object)
  for (const [key, deeper] of extras.below) put(joined, key, join(get(json, key), deeper))
  for (const [key, value] of extras.keys) put(joined, key, value)
  return joined
}

/** Where each element of `from` is in `to`. */
const match = (to: ReadonlyArray<unknown>, from: ReadonlyArray<unknown>): ReadonlyArray<number | undefined> => {
  const places = new Array<number | undefined>(from.length).fill(undefined)
  const taken = new Set<number>()
  const matchBy = (identity: (item: unknown, index: number) => string | undefined): void => {
    const free = new Map<string | undefined, Array<number>>()
    for (let i = to.length - 1; i >= 0; i--) {
      if (taken.has(i)) continue
      const name = identity(to[i], i)
      const same = free.get(name)
      if (same === undefined) free.set(name, [i])
      else same.push(i)
    }
    for (let i = 0; i < from.length; i++) {
      if (places[i] !== undefined) continue
      const name = identity(from[i], i)
      const place = name === undefined ? undefined : free.get(name)?.pop()
      if (place === undefined) continue
      places[i] = place
      taken.add(place)
    }
  }
  matchBy((item) => JSON.stringify(item))
  matchBy((item) => Array.isArray(item) && item.length === 2 ? JSON.stringify(item[0]) : undefined)
  matchBy((_, index) => String(index))
  return places
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null

const copy = (value: object): object => {
  if (Array.isArray(value)) return [...value]
  const out = {}
  for (const key of Object.keys(value)) assign(out, key, get(value, key))
  return out
}

const get = (value: unknown, key: string | number): unknown => (value as { readonly [key: string]: unknown })[key]

const put = (value: object, key: string | number, item: unknown): void => {
  if (typeof key === "number") (value as Array<unknown>)[key] = item
  else assign(value, key, item)
}
