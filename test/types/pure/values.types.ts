// What handlers may give back, and what next states may be made of. All of these compile.
import {
  BigDecimal,
  Chunk,
  DateTime,
  Duration,
  HashMap,
  HashSet,
  Option,
  Redacted,
  Result,
  type Schema,
  Struct
} from "effect"
import { Scoped } from "effect-scoped"
import {
  bytes,
  type Cart,
  cart,
  count,
  dictionary,
  effects,
  expect,
  int,
  type Json,
  json,
  loose,
  Money,
  mutable,
  names,
  numbers,
  opaque,
  Owner,
  owner,
  pair,
  places,
  Point,
  TooMany,
  type Tree,
  tree,
  type Updated
} from "../scopes.ts"

// Plain data
Scoped.update(int, (n) => [undefined, n])
Scoped.update(int, (n) => [void 0, n])
Scoped.update(int, (n) => [null, n])
Scoped.update(int, (n) => [`number ${n}`, n])
Scoped.update(int, (n) => [10n, n])
Scoped.update(int, (n) => [Symbol.for("a"), n])
Scoped.update(int, (n) => [{}, n])
Scoped.update(int, (n) => [[], n])
Scoped.update(int, (n) => [{ a: { b: { c: { d: { e: { f: { g: { h: n } } } } } } } }, n])
Scoped.update(int, (n) => [[[[[[[[[n]]]]]]]], n])
Scoped.update(int, (n) => [{ a: [1, { b: new Map([["x", new Set([n])]]) }] }, n])
Scoped.update(int, (n) => [new Date(0), n])
Scoped.update(int, (n) => [/a+/u, n])
Scoped.update(int, (n) => [new URL("http://localhost"), n])
Scoped.update(int, (n) => [new Uint8Array([n]), n])
Scoped.update(int, (n) => [new Float64Array(n).buffer, n])
Scoped.update(int, (n) => [new DataView(new ArrayBuffer(8)), n])
Scoped.update(int, (n) => [Buffer.from("a"), n])
Scoped.update(int, (n) => [new Map([[n, { n }]]), n])
Scoped.update(int, (n) => [new Set([{ n }]), n])
Scoped.update(int, (n) => [new Error("plain"), n])
Scoped.update(int, (n) => [new RangeError("plain"), n])
Scoped.update(int, (n) => [new TooMany({ limit: n }), n])
Scoped.update(int, (n) => [new Point({ x: n, y: n }), n])
Scoped.update(int, (n) => ["a,b".split(","), n])
Scoped.update(int, (n) => ["a".match(/a/u), n])
Scoped.update(int, (n) => [Object.fromEntries([["a", n]]), n])
Scoped.update(int, (n) => [Object.entries({ a: n }), n])
Scoped.update(int, (n) => [structuredClone({ n }), n])
Scoped.update(int, (n) => [n as number & { readonly brand: "Id" }, n])
Scoped.update(int, (n) => [`${n}` as string & { readonly "~brand": { readonly Id: "Id" } }, n])

// Effect's own data, of data
Scoped.update(int, (n) => [Option.some(n), n])
Scoped.update(int, (n) => [Option.none<{ readonly a: string }>(), n])
Scoped.update(int, (n) => [Option.some([Option.some({ n })]), n])
Scoped.update(int, (n) => [Result.fail(new TooMany({ limit: n })), n])
Scoped.update(int, (n) => [Result.succeed({ n }), n])
Scoped.update(int, (n) => [Chunk.make({ n }), n])
Scoped.update(int, (n) => [HashMap.make(["a", { b: [n] }]), n])
Scoped.update(int, (n) => [HashSet.make("a"), n])
Scoped.update(int, (n) => [Duration.seconds(n), n])
Scoped.update(int, (n, { now }) => [now, n])
Scoped.update(int, (n, { now }) => [DateTime.add(now, { hours: 1 }), n])
Scoped.update(int, (n, { now }) => [DateTime.toEpochMillis(now), n])
Scoped.update(int, (n, { now }) => [DateTime.toDate(now), n])
Scoped.update(int, (n, { now }) => [DateTime.makeZonedUnsafe(now, { timeZone: "Europe/Berlin" }), n])
Scoped.update(int, (n) => [DateTime.zoneMakeOffset(0), n])
Scoped.update(int, (n) => [BigDecimal.fromNumberUnsafe(1.5), n])
Scoped.update(int, (n) => [Redacted.make("secret"), n])
Scoped.update(int, (n) => [Redacted.make({ user: "ada", n }), n])

// Parts of the state, whatever methods they have
expect<Updated<Cart>>()(Scoped.update(cart, (c) => [c, c]))
expect<Updated<Owner>>()(Scoped.update(cart, (c) => [c.owner, c]))
Scoped.update(cart, (c) => [c.items[0], c])
Scoped.update(cart, (c) => [Option.fromNullishOr(c.items[0]), c])
Scoped.update(cart, (c) => [Option.some(c.owner), c])
Scoped.update(cart, (c) => [[c.owner, c.total], c])
Scoped.update(cart, (c) => [{ by: c.owner, total: c.total, at: 1 }, c])
Scoped.update(cart, (c) => [new Map([[c.owner.name, c.total]]), c])
Scoped.update(cart, (c) => [c.owner.greeting(), c])
Scoped.update(cart, (c) => [Struct.pick(c, ["items", "total"]), c])
Scoped.update(cart, ({ note, ...rest }) => [note, rest])
expect<Updated<Tree>>()(Scoped.update(tree, (t) => [t, t]))
Scoped.update(
  tree,
  (t) => [t.children[0], { ...t, children: [...t.children, { value: 1, children: [], byName: new Map() }] }]
)
Scoped.update(tree, (t) => [t.byName.get("a"), { ...t, byName: new Map([...t.byName, ["b", t]]) }])
Scoped.update(tree, (t) => [[...t.byName.keys()], t])
expect<Updated<Json>>()(Scoped.update(json, (j) => [j, j]))
Scoped.update(json, (j) => [{ was: j }, { now: [1, "a", null, { deep: [j] }] }])
Scoped.update(opaque, (s) => [s.anything, s])
Scoped.update(opaque, (s) => [{ kept: s.anything }, { ...s, known: "b" }])
Scoped.update(loose, (s) => [s.anything, { ...s, known: "b" }])
Scoped.update(places, (m) => [m.get("a"), new Map(m).set("b", { id: "b", price: 1, tags: [] })])
Scoped.update(places, (m) => [m.size, new Map([...m].filter(([, item]) => item.price > 1))])
Scoped.update(names, (s) => [s.has("a"), new Set([...s, "b"])])
Scoped.update(names, (s) => [[...s], s])
Scoped.update(dictionary, (d) => [d["a"], { ...d, b: 1 }])
Scoped.update(dictionary, () => [undefined, {}])
Scoped.update(dictionary, (d) => [Object.keys(d), Object.fromEntries(Object.entries(d).map(([k, v]) => [k, v + 1]))])
Scoped.update(bytes, (s) => [s.bytes, { ...s, bytes: new Uint8Array([1]), date: new Date(0), big: s.big + 1n }])

// Instances that the handler makes of classes that the state holds
Scoped.update(owner, (o) => [o.name, new Owner({ name: "Grace" })])
Scoped.update(owner, (o) => [new Owner({ name: "Grace" }), o])
Scoped.update(owner, (o) => [o, new Owner({ ...o, name: "Grace" })])
Scoped.update(cart, (c) => [c.total.plus(new Money(1)), { ...c, total: c.total.plus(new Money(1)) }])
Scoped.update(cart, (c) => [new Money(3), { ...c, owner: new Owner({ name: "Grace" }), total: new Money(0) }])

// Effect's data in the state
Scoped.update(effects, (s) => [HashMap.get(s.table, "a"), s])
Scoped.update(effects, (s) => [Option.getOrElse(s.option, () => 0), { ...s, option: Option.none() }])
Scoped.update(effects, (s) => [s.chunk, { ...s, chunk: Chunk.append(s.chunk, 1), set: HashSet.add(s.set, "a") }])
Scoped.update(effects, (s) => [s.result, { ...s, result: Result.fail("no") }])
Scoped.update(effects, (s, { now }) => [DateTime.distance(s.at, now), { ...s, at: now }])
Scoped.update(effects, (s) => [s.secret, { ...s, lasts: Duration.sum(s.lasts, Duration.millis(1)) }])
Scoped.update(effects, (s) => [[s.zoned, s.amount], { ...s, amount: BigDecimal.sum(s.amount, s.amount) }])
Scoped.update(effects, (s) => [0, { ...s, table: HashMap.set(s.table, "a", { id: "a", price: 1, tags: ["x"] }) }])

// Mutable types, and tuples
Scoped.update(mutable, (m) => [m.list, m])
Scoped.update(mutable, (m) => [0, { ...m, list: [] }])
Scoped.update(mutable, (m) => [0, { ...m, list: [1, 2, 3], pair: [1, "a"] }])
Scoped.update(mutable, (m) => [0, { list: [...m.list, 1], pair: [m.pair[0] + 1, m.pair[1]], nested: [] }])
Scoped.update(mutable, (m) => [0, { ...m, nested: [[{ id: "a", price: 1, tags: ["x"] }]] }])
Scoped.update(mutable, (m) => [0, { ...m, list: m.list.map((n) => n + 1) }])
Scoped.update(pair, ([n, s]) => [n, [n + 1, s]])
Scoped.update(pair, () => [undefined, [1, "a"]])
Scoped.update(pair, (p) => [p[0], p])
Scoped.update(pair, ([n, ...rest]) => [rest, [n, ...rest]])
Scoped.update(numbers, () => [undefined, []])
Scoped.update(numbers, (xs) => [xs, Array.from({ length: 3 }, (_, i) => i)])
Scoped.update(count, (s) => [s, { ...s }])
Scoped.update(count, (s) => [Object.keys(s), Object.assign({}, s, { count: 1 })])
Scoped.update(count, (s) => [s as Schema.Json, s])
