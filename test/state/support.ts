import { assert } from "@effect/vitest"
import { Schema } from "effect"
import * as Codec from "../../src/internal/state/codec.ts"
import { parse } from "../../src/internal/state/json.ts"
import { differs } from "../../src/internal/state/same.ts"

export const ok = <A>(result: A | Codec.Fault): A => {
  if (result instanceof Codec.Fault) throw new Error(`refused at ${result.path.join("/")}: ${result.reason}`)
  return result
}

export const fault = (result: unknown): Codec.Fault => {
  if (result instanceof Codec.Fault) return result
  throw new Error("was not refused")
}

export const text = (held: Codec.Held): string => ok(held.text())

/** What the schema itself says: the text it writes and the state it reads back. (`JSON.parse` misreads some keys.) */
export const oracle = (schema: Schema.Codec<unknown, unknown>, state: unknown) => {
  const json = Schema.toCodecJson(schema)
  const trip = (options: { readonly onExcessProperty?: "error" }) => {
    try {
      const text = JSON.stringify(Schema.encodeUnknownSync(json, options)(state))
      const back = Schema.decodeUnknownSync(json, { onExcessProperty: "error" })(parse(text))
      return differs(state, back, true) === undefined ? { text, back } : undefined
    } catch {
      return undefined
    }
  }
  return trip({}) ?? trip({ onExcessProperty: "error" })
}

/** That what is held is what the schema says. */
export const check = (codec: Codec.Codec, schema: Schema.Codec<unknown, unknown>, held: Codec.Held, state: unknown) => {
  const expected = oracle(schema, state)
  assert.isDefined(expected, "the schema itself refuses it")
  const written = text(held)
  assert.strictEqual(written, expected.text)
  assert.strictEqual(held.bytes, Buffer.byteLength(written))
  assert.isUndefined(differs(held.view(), expected.back))
  assert.isUndefined(differs(held.view(), ok(codec.read(written)).view()))
}

/** Numbers from a seed, so that a failure can be run again. */
export const random = (seed: number) => {
  let at = seed | 0
  return (below: number): number => {
    at = at + 0x6d2b79f5 | 0
    let t = Math.imul(at ^ at >>> 15, 1 | at)
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
    return Math.floor(((t ^ t >>> 14) >>> 0) / 4294967296 * below)
  }
}

type Random = ReturnType<typeof random>

const isPlain = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype

/** A state made of parts of both, the parts of the first by reference, as handlers do. */
export const blend = (before: unknown, next: unknown, random: Random): unknown => {
  switch (random(5)) {
    case 0:
      return before
    case 1:
      return next
  }
  if (Array.isArray(before) && Array.isArray(next)) {
    switch (random(5)) {
      case 0:
        return [...before, ...next.slice(0, random(3))]
      case 1:
        return before.filter(() => random(4) > 0)
      case 2:
        return [
          ...before.slice(0, random(before.length + 1)),
          ...next.slice(0, 2),
          ...before.slice(random(before.length + 1))
        ]
      case 3:
        return before.toReversed()
      default:
        return before.map((item, i) => i < next.length ? blend(item, next[i], random) : item)
    }
  }
  if (isPlain(before) && isPlain(next)) {
    const out: { [key: string]: unknown } = {}
    for (const key of new Set([...Object.keys(before), ...Object.keys(next)])) {
      const value = Object.hasOwn(before, key)
        ? Object.hasOwn(next, key) ? blend(before[key], next[key], random) : before[key]
        : next[key]
      if (Object.hasOwn(next, key) || random(3) > 0) {
        Object.defineProperty(out, key, { value, enumerable: true, writable: true, configurable: true })
      }
    }
    return out
  }
  return next
}

class Foreign {
  readonly a = 1
}

const boom = (): never => {
  throw new Error("from a state")
}

const junk: ReadonlyArray<unknown> = [
  undefined,
  null,
  Number.NaN,
  Infinity,
  -0,
  0.5,
  -1,
  "",
  "NaN",
  "\ud800",
  "\u0000\u001f\"\\",
  true,
  1n,
  Symbol("s"),
  () => 1,
  [],
  {},
  [undefined],
  Array.from({ length: 2 }).concat([1]),
  // oxlint-disable-next-line no-sparse-arrays
  [, 1],
  { a: undefined },
  { [Symbol("k")]: 1 },
  Object.create(null),
  JSON.parse(`{"__proto__":1}`),
  new Foreign(),
  new Date(0),
  new Date(Number.NaN),
  new Map([["a", 1]]),
  new Proxy({ a: 1 }, { get: boom, ownKeys: boom }),
  {
    get a() {
      return boom()
    }
  },
  { toJSON: () => 1 }
]

/** A state with something in it that may not belong there. */
export const spoil = (state: unknown, random: Random): unknown => {
  const bad = () => junk[random(junk.length)]
  if (random(4) === 0) return bad()
  if (Array.isArray(state)) {
    const at = random(state.length + 1)
    return random(2) === 0 && at < state.length ? state.with(at, bad()) : state.toSpliced(at, 0, bad())
  }
  if (isPlain(state)) {
    const keys = Object.keys(state)
    const key = keys[random(keys.length + 1)] ?? "extra"
    return { ...state, [key]: random(2) === 0 && Object.hasOwn(state, key) ? spoil(state[key], random) : bad() }
  }
  return bad()
}
