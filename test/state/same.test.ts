import { assert, describe, it } from "@effect/vitest"
import {
  BigDecimal,
  Chunk,
  Data,
  DateTime,
  Duration,
  Effect,
  Equal,
  Hash,
  HashMap,
  HashSet,
  Option,
  Redacted,
  Result,
  Schema
} from "effect"
import { differs } from "../../src/internal/state/same.ts"
import * as Schemas from "./schemas.ts"

class ById {
  readonly id: number
  readonly name: string
  constructor(id: number, name: string) {
    this.id = id
    this.name = name
  }
  [Equal.symbol](that: unknown) {
    return that instanceof ById && that.id === this.id
  }
  [Hash.symbol]() {
    return this.id
  }
}
class Other {
  readonly id = 1
}
class Another {
  readonly id = 1
}
class Point extends Data.Class<{ readonly x: number }> {}

const loop = (value: unknown) => {
  const self: { value: unknown; self: unknown } = { value, self: undefined }
  self.self = { back: [self] }
  return self
}
const deep = (end: unknown) => {
  let value = end
  for (let i = 0; i < 200_000; i++) value = i % 2 === 0 ? [value] : { in: value }
  return value
}
const arrow = (n: number) => ({ run: () => n })

describe("the same are", () => {
  const pairs: ReadonlyArray<readonly [string, () => unknown]> = [
    ["numbers that are none", () => [Number.NaN, { a: Number.NaN }]],
    ["plain data in any order of keys", () => Math.random() < 0.5 ? { a: 1, b: [2] } : { b: [2], a: 1 }],
    ["dates, also invalid ones", () => [new Date(5), new Date(Number.NaN)]],
    ["maps and sets", () => [new Map([["a", { n: 1 }]]), new Set([1, "b"]), new Map([[{ k: 1 }, 2]])]],
    ["sets in another order", () => new Set(Math.random() < 0.5 ? [1, 2] : [2, 1])],
    [
      "bytes",
      () => [
        new Uint8Array([1, 2]),
        new Float64Array([Number.NaN]),
        new ArrayBuffer(2),
        new DataView(new ArrayBuffer(1))
      ]
    ],
    ["addresses and expressions", () => [new URL("http://a/b?c"), /a/g, new URLSearchParams("a=1")]],
    ["errors, wherever they were made", () => [new Error("a", { cause: { n: 1 } }), new TypeError("b")]],
    ["instances by their fields", () => [new ById(1, "a"), new Other(), new Point({ x: 1 })]],
    ["functions by their text", () => arrow(1)],
    ["what refers to itself", () => loop(1)],
    ["what is nested deeply", () => deep(1)],
    ["symbols and bigints", () => [Symbol.for("a"), 1n, Object(1)]],
    ["keys that are symbols", () => ({ [Symbol.for("a")]: { n: 1 } })],
    ["Effect's data", () => [
      Option.some({ n: 1 }),
      Option.none(),
      Result.fail([1]),
      Chunk.make(1, { n: 2 }),
      HashMap.make(["a", { n: 1 }], ["b", { n: 2 }]),
      HashMap.make([Data.Class, 1]),
      HashSet.make("a", "b"),
      Duration.seconds(1),
      BigDecimal.fromStringUnsafe("1.50"),
      DateTime.makeUnsafe(0),
      DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Berlin" }),
      Redacted.make({ secret: 1 })
    ]]
  ]
  for (const [what, make] of pairs) it(what, () => assert.isUndefined(differs(make(), make())))

  it("zeros of either sign, durations in other units, caches", () => {
    assert.isUndefined(differs([0], [-0]))
    assert.isUndefined(differs(Duration.millis(1_000), Duration.seconds(1)))
    assert.isUndefined(differs(BigDecimal.fromStringUnsafe("1.50"), BigDecimal.fromStringUnsafe("1.5")))
    const used = DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Berlin" })
    DateTime.toParts(used)
    assert.isUndefined(differs(used, DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Berlin" })))
    const appended = Chunk.append(Chunk.make(1), 2)
    assert.isUndefined(differs(appended, Chunk.make(1, 2)))
    assert.isUndefined(differs(new Point({ x: 1 }), { x: 1 }))
    assert.isUndefined(differs(Buffer.from([1]), new Uint8Array([1])))
  })
})

describe("the path leads to what differs", () => {
  const cases: ReadonlyArray<readonly [string, unknown, unknown, ReadonlyArray<string | number>]> = [
    ["a value", 1, 2, []],
    ["a type", "1", 1, []],
    ["null", { a: null }, { a: {} }, ["a"]],
    ["a field", [{ a: { b: 1 } }], [{ a: { b: 2 } }], [0, "a", "b"]],
    ["a key that is only here", { a: 1, b: 2 }, { a: 1 }, ["b"]],
    ["a key that is only there", { a: 1 }, { a: 1, b: undefined }, ["b"]],
    ["an undefined that is only here", { a: undefined }, {}, ["a"]],
    ["a symbol", { [Symbol("k")]: 1 }, {}, ["Symbol(k)"]],
    ["an array that is longer", [1], [1, 2], [1]],
    ["a hole", Array(1), [undefined], [0]],
    ["an array and an object", [], {}, []],
    ["a date", { at: new Date(0) }, { at: new Date(1) }, ["at"]],
    ["a date and its time", new Date(0), 0, []],
    ["a map", new Map([["k", { n: 1 }]]), new Map([["k", { n: 2 }]]), ["k", "n"]],
    ["a map of other keys", new Map([["k", 1]]), new Map([["l", 1]]), ["k"]],
    ["a map under object keys", new Map([[{ a: 1 }, 1]]), new Map([[{ a: 2 }, 1]]), [0, "a"]],
    ["a set", new Set([{ n: 1 }]), new Set([{ n: 2 }]), [0, "n"]],
    ["bytes", new Uint8Array([1]), new Uint8Array([2]), []],
    ["kinds of bytes", new Uint8Array([1]), new Int8Array([1]), []],
    ["equal by its own account", [new ById(1, "a")], [new ById(1, "b")], [0, "name"]],
    ["unlike classes", new Other(), new Another(), []],
    ["functions", arrow(1).run, () => 2, []],
    ["options", Option.some(1), Option.none(), []],
    ["inside an option", Option.some({ n: 1 }), Option.some({ n: 2 }), ["value", "n"]],
    ["inside a chunk", Chunk.make({ n: 1 }), Chunk.make({ n: 2 }), [0, "n"]],
    ["inside a hash map", HashMap.make(["k", { n: 1 }]), HashMap.make(["k", { n: 2 }]), ["k", "n"]],
    ["a hash set", HashSet.make("a"), HashSet.make("b"), ["a"]],
    ["durations", Duration.seconds(1), Duration.seconds(2), []],
    [
      "time zones",
      DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Berlin" }),
      DateTime.makeZonedUnsafe(0, { timeZone: "Europe/Paris" }),
      []
    ],
    ["secrets", { a: Redacted.make("x") }, { a: Redacted.make("y") }, ["a"]],
    ["what an error says", new Error("a"), new Error("b"), []],
    ["what caused it", new Error("a", { cause: 1 }), new Error("a", { cause: 2 }), ["cause"]],
    ["in a cycle", loop(1), loop(2), ["value"]]
  ]
  for (const [what, a, b, path] of cases) {
    it(what, () => {
      assert.deepStrictEqual(differs(a, b), path)
      assert.isDefined(differs(b, a))
    })
  }

  it("far down", () => assert.strictEqual(differs(deep(1), deep(2))?.length, 200_000))

  it("where looking throws", () => {
    const bad = new Proxy({}, {
      ownKeys: () => {
        throw new Error("no")
      }
    })
    assert.deepStrictEqual(differs({ a: { b: bad } }, { a: { b: {} } }), ["a", "b"])
  })

  it("through cycles of unlike lengths", () => {
    const one: Array<unknown> = []
    one.push(one)
    const two: Array<unknown> = []
    two.push([two])
    assert.isUndefined(differs(one, two))
  })
})

for (const [name, schema] of Object.entries(Schemas.all)) {
  it.effect.prop(`agrees with equality by structure under ${name}`, [schema, schema], ([a, b]) =>
    Effect.sync(() => {
      assert.isUndefined(differs(a, structural(a)))
      if (name !== "url") assert.strictEqual(differs(a, b) === undefined, Equal.equals(a, b))
    }), { arbitrary: { runs: 50 } })
}

/** A copy of the plain parts of a value. */
const structural = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(structural)
    : typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structural(item)]))
    : value

it("schemas of classes", () => {
  const owner = () => new Schemas.Owner({ name: "Ada", tags: ["a"] })
  assert.isUndefined(differs(owner(), owner()))
  assert.deepStrictEqual(differs(owner(), new Schemas.Owner({ name: "Ada", tags: ["b"] })), ["tags", 0])
  assert.isUndefined(differs(Schema.Int, Schema.Int))
})
