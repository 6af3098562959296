import * as BigDecimal from "effect/BigDecimal"
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Redacted from "effect/Redacted"

/**
 * The path at which two values differ, or `undefined`.
 *
 * `NaN` equals `NaN` and `-0` equals `0`. Compared are the contents: of plain data, of Effect's data, of maps, sets,
 * dates and bytes, and the own enumerable fields of class instances, whatever their `Equal` says. Instances of unlike
 * classes differ, but an instance is the same as a plain object of the same fields. Functions are compared by their
 * text. The depth of the values does not matter, nor whether they refer to themselves. Values that throw when they are
 * looked at differ.
 */
export const differs = (a: unknown, b: unknown): ReadonlyArray<string | number> | undefined => {
  const comparison = new Comparison()
  try {
    const at = comparison.run(a, b)
    return at && pathOf(at)
  } catch {
    return pathOf(comparison.at)
  }
}

// Where a pair of values is, as a list from the inside out, so that walking far down stays cheap.
interface Place {
  readonly key: string | number
  readonly above: Place | undefined
}

const top: Place = { key: "", above: undefined }

const pathOf = (place: Place): ReadonlyArray<string | number> => {
  const path: Array<string | number> = []
  for (let at = place; at.above !== undefined; at = at.above) path.push(at.key)
  return path.reverse()
}

class Comparison {
  at: Place = top
  readonly #open: Array<readonly [a: object, b: object, at: Place]> = []
  // What each object was compared with: nearly always one other.
  readonly #first = new Map<object, object>()
  readonly #others = new Map<object, Set<object>>()

  /** The first place found where the values differ. */
  run(a: unknown, b: unknown): Place | undefined {
    if (!this.#same(a, b, top)) return top
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) {
      this.at = next[2]
      const found = this.#compare(next[0], next[1], next[2])
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Whether two values may be the same. Those that have parts are looked at later. */
  #same(a: unknown, b: unknown, at: Place): boolean {
    if (a === b) return true
    if (typeof a !== typeof b) return false
    if (typeof a === "number") return a !== a && b !== b
    if (typeof a === "function") return String(a) === String(b)
    if (typeof a !== "object" || a === null || typeof b !== "object" || b === null) return false
    if (this.#isNew(a, b)) this.#open.push([a, b, at])
    return true
  }

  #isNew(a: object, b: object): boolean {
    const first = this.#first.get(a)
    if (first === undefined) this.#first.set(a, b)
    else if (first === b) return false
    else {
      let others = this.#others.get(a)
      if (others === undefined) this.#others.set(a, others = new Set())
      if (others.has(b)) return false
      others.add(b)
    }
    return true
  }

  #compare(a: object, b: object, at: Place): Place | undefined {
    if (Array.isArray(a) || Array.isArray(b)) {
      return Array.isArray(a) && Array.isArray(b) ? this.#items(a, b, at) : at
    }
    if (Object.getPrototypeOf(a) !== Object.prototype) {
      const known = this.#known(a, b, at)
      if (known !== unknown) return known
      if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) && !isPlain(a) && !isPlain(b)) return at
    }
    return this.#fields(a, b, at)
  }

  /** Values whose contents are not their fields. */
  #known(a: object, b: object, at: Place): Place | undefined | typeof unknown {
    const unless = (same: boolean): Place | undefined => same ? undefined : at
    if (a instanceof Date && b instanceof Date) return unless(Object.is(a.getTime(), b.getTime()))
    if (a instanceof Map && b instanceof Map) {
      return unless(a.size === b.size) ?? this.#entries([...a], [...b], (key) => b.has(key), (key) => b.get(key), at)
    }
    if (a instanceof Set && b instanceof Set) {
      return unless(a.size === b.size) ?? this.#members([...a], [...b], (item) => b.has(item), at)
    }
    if (ArrayBuffer.isView(a) && ArrayBuffer.isView(b)) {
      return unless(kindOf(a) === kindOf(b) && sameBytes(bytesOf(a), bytesOf(b)))
    }
    if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
      return unless(sameBytes(new Uint8Array(a), new Uint8Array(b)))
    }
    if (a instanceof URL && b instanceof URL) return unless(a.href === b.href)
    if (a instanceof URLSearchParams && b instanceof URLSearchParams) return unless(String(a) === String(b))
    if (a instanceof RegExp && b instanceof RegExp) {
      return unless(String(a) === String(b) && a.lastIndex === b.lastIndex)
    }
    if (a instanceof Error && b instanceof Error) {
      if (a.name !== b.name || a.message !== b.message) return at
      return this.#same(a.cause, b.cause, { key: "cause", above: at }) ? unknown : { key: "cause", above: at }
    }
    if (Duration.isDuration(a) && Duration.isDuration(b)) return unless(Duration.equals(a, b))
    if (BigDecimal.isBigDecimal(a) && BigDecimal.isBigDecimal(b)) return unless(BigDecimal.equals(a, b))
    if (DateTime.isDateTime(a) && DateTime.isDateTime(b)) return unless(sameDateTime(a, b))
    if (Redacted.isRedacted(a) && Redacted.isRedacted(b)) {
      return unless(a.label === b.label && this.#same(Redacted.value(a), Redacted.value(b), at))
    }
    if (Chunk.isChunk(a) && Chunk.isChunk(b)) return this.#items(Chunk.toReadonlyArray(a), Chunk.toReadonlyArray(b), at)
    if (HashMap.isHashMap(a) && HashMap.isHashMap(b)) {
      return unless(HashMap.size(a) === HashMap.size(b)) ??
        this.#entries([...a], [...b], (key) => HashMap.has(b, key), (key) => HashMap.getUnsafe(b, key), at)
    }
    if (HashSet.isHashSet(a) && HashSet.isHashSet(b)) {
      return unless(HashSet.size(a) === HashSet.size(b)) ??
        this.#members([...a], [...b], (item) => HashSet.has(b, item), at)
    }
    if (isBoxed(a) && isBoxed(b)) return unless(Object.is(a.valueOf(), b.valueOf()))
    return unknown
  }

  #items(a: ReadonlyArray<unknown>, b: ReadonlyArray<unknown>, at: Place): Place | undefined {
    const length = Math.min(a.length, b.length)
    for (let i = 0; i < length; i++) {
      const both = a[i] === b[i] && (a[i] !== undefined || Object.hasOwn(a, i) === Object.hasOwn(b, i))
      if (!both && (a[i] === undefined || !this.#same(a[i], b[i], { key: i, above: at }))) return { key: i, above: at }
    }
    return a.length === b.length ? undefined : { key: length, above: at }
  }

  #fields(a: object, b: object, at: Place): Place | undefined {
    const keys = keysOf(a)
    for (const key of keys) {
      const place = { key: typeof key === "symbol" ? String(key) : key, above: at }
      if (!Object.hasOwn(b, key) || !this.#same(get(a, key), get(b, key), place)) return place
    }
    const others = keysOf(b)
    const more = others.length === keys.length ? undefined : others.find((key) => !Object.hasOwn(a, key))
    return more === undefined ? undefined : { key: String(more), above: at }
  }

  // Keys that are objects are compared in their order.
  #entries(
    a: ReadonlyArray<readonly [unknown, unknown]>,
    b: ReadonlyArray<readonly [unknown, unknown]>,
    has: (key: unknown) => boolean,
    get: (key: unknown) => unknown,
    at: Place
  ): Place | undefined {
    for (let i = 0; i < a.length; i++) {
      const [key, value] = a[i]!
      const place = { key: label(key, i), above: at }
      const same = isObject(key)
        ? this.#same(key, b[i]![0], place) && this.#same(value, b[i]![1], place)
        : has(key) && this.#same(value, get(key), place)
      if (!same) return place
    }
    return undefined
  }

  #members(
    a: ReadonlyArray<unknown>,
    b: ReadonlyArray<unknown>,
    has: (item: unknown) => boolean,
    at: Place
  ): Place | undefined {
    for (let i = 0; i < a.length; i++) {
      const place = { key: label(a[i], i), above: at }
      if (!(isObject(a[i]) ? this.#same(a[i], b[i], place) : has(a[i]))) return place
    }
    return undefined
  }
}

const unknown = Symbol()

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const isBoxed = (value: object): boolean =>
  /^\[object (?:Number|String|Boolean)\]$/.test(Object.prototype.toString.call(value))

const keysOf = (value: object): ReadonlyArray<string | symbol> => {
  const symbols = Object.getOwnPropertySymbols(value)
  const keys = Object.keys(value)
  return symbols.length === 0
    ? keys
    : [...keys, ...symbols.filter((key) => Object.prototype.propertyIsEnumerable.call(value, key))]
}

const get = (value: object, key: string | symbol): unknown =>
  (value as { readonly [key: string | symbol]: unknown })[key]

const label = (key: unknown, index: number): string | number =>
  typeof key === "string" || typeof key === "number" ? key : index

const sameDateTime = (a: DateTime.DateTime, b: DateTime.DateTime): boolean =>
  a._tag === b._tag && DateTime.toEpochMillis(a) === DateTime.toEpochMillis(b) &&
  (!DateTime.isZoned(a) || !DateTime.isZoned(b) || DateTime.zoneToString(a.zone) === DateTime.zoneToString(b.zone))

// A Buffer is a Uint8Array.
const kindOf = (view: ArrayBufferView): string => Object.prototype.toString.call(view)

const bytesOf = (view: ArrayBufferView): Uint8Array => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index])
