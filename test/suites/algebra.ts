import { assert, it, type Vitest } from "@effect/vitest"
import { Effect, Fiber, type Layer, Option, Queue, Random, Result, Schedule, Schema, type Scope, Stream } from "effect"
import { type Driver, Scoped, type Storage } from "effect-scoped"
import * as Writers from "./writers.ts"

/** What makes scopes compose, on any storage. `store` prepares an empty store, and yields how to open it. */
export const algebraSuite = <E, E2>(
  name: string,
  store: Effect.Effect<Effect.Effect<Driver.Driver, E2, Scope.Scope>, E, Scope.Scope>
): void => {
  it.layer(Writers.layer(store), { excludeTestServices: true, timeout: "30 seconds" })(`algebra: ${name}`, (it) => {
    for (const rules of [products, families, watching, removal, expiry, listing]) rules(it)
  })
}

type Rules = (it: Vitest.MethodsNonLive<Writers.Writers>) => void

type AnyStorage = Layer.Layer<Storage.Storage>

const on = <A, E>(body: (a: AnyStorage, b: AnyStorage) => Effect.Effect<A, E, Scope.Scope>) =>
  Effect.flatMap(Writers.Writers, ({ a, b }) => body(a, b))

let next = 0
const unique = (label: string) => `${label}${next++}`
const counter = (name: string = unique("counter")) => Scoped.make(name, { schema: Schema.Int, initial: 0 })
const add = (n: number) => Scoped.update((count: number) => [count + n, count + n] as const)

const products: Rules = (it) => {
  it.effect("an update of several scopes changes all of them or none", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [x, y] = [counter(), counter()]
        const both = Scoped.all({ x, y })
        yield* Scoped.update(both, ({ x, y }) => [undefined, { x: x + 1, y: y + 10 }])
        assert.strictEqual(yield* Effect.flip(Scoped.updateResult(both, () => Result.fail("no"))), "no")
        const bad = yield* Effect.flip(Scoped.update(both, ({ x }) => [undefined, { x: x + 1, y: 0.5 }]))
        assert.strictEqual(bad._tag, "StateError")
        assert.deepStrictEqual(yield* Effect.provide(Scoped.get(both), b), { x: 1, y: 10 })
        assert.strictEqual(yield* Effect.provide(Scoped.get(y), b), 10)
      }).pipe(Effect.provide(a))
    ))

  it.effect("tuples, structs and products of products", () =>
    on((a) =>
      Effect.gen(function*() {
        const [w, x, y, z] = [counter(), counter(), counter(), counter()]
        const nested = Scoped.all({ pair: Scoped.all([w, x]), deep: Scoped.all({ y, more: Scoped.all([z]) }) })
        const seen = yield* Scoped.update(nested, (state) => [state, {
          pair: [state.pair[0] + 1, state.pair[1] + 2],
          deep: { y: state.deep.y + 3, more: [state.deep.more[0] + 4] }
        }])
        assert.deepStrictEqual(seen, { pair: [0, 0], deep: { y: 0, more: [0] } })
        assert.deepStrictEqual(yield* Scoped.get(Scoped.all([w, x, y, z])), [1, 2, 3, 4])
        assert.deepStrictEqual(yield* Scoped.get(nested), { pair: [1, 2], deep: { y: 3, more: [4] } })
      }).pipe(Effect.provide(a))
    ))

  it.effect("a scope twice, none at all, or too many are refused", () =>
    on((a) =>
      Effect.gen(function*() {
        const x = counter()
        const many = Array.from({ length: 1_001 }, () => counter())
        for (
          const [product, reason] of [
            [Scoped.all([x, x]), "is in it twice"],
            [Scoped.all([x, Scoped.all([counter(), counter(x.name)])]), "is in it twice"],
            [Scoped.all([]), "it is empty"],
            [Scoped.all(many), "it has 1001 scopes"]
          ] as const
        ) {
          const use = product as Scoped.Scoped<ReadonlyArray<unknown>>
          for (
            const effect of [
              Scoped.get(use),
              Scoped.update(use, (state) => [0, state]),
              Scoped.remove(use),
              Stream.runDrain(Scoped.changes(use))
            ]
          ) {
            const error = yield* Effect.flip(
              effect as Effect.Effect<unknown, { _tag: string; message: string }, Storage.Storage>
            )
            assert.strictEqual(error._tag, "ProductError")
            assert.include(error.message, reason)
          }
        }
      }).pipe(Effect.provide(a))
    ))

  it.effect("updates that cross each other's scopes never wait in a circle", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scopes = [counter(), counter(), counter(), counter()]
        const increments = Array.from({ length: 150 }, (_, i) => {
          const chosen = [scopes[i % 4]!, scopes[(i * 3 + 1) % 4]!, scopes[(i * 7 + 2) % 4]!]
          const distinct = [...new Set(chosen)].slice(0, 1 + i % 3)
          return Scoped.update(Scoped.all(distinct), (state) => [distinct.length, state.map((n) => n + 1)]).pipe(
            Effect.provide(i % 2 === 0 ? a : b)
          )
        })
        const counts = yield* Effect.all(increments, { concurrency: "unbounded" })
        const total = counts.reduce((sum, n) => sum + n, 0)
        const state = yield* Effect.provide(Scoped.get(Scoped.all(scopes)), a)
        assert.strictEqual(state.reduce((sum, n) => sum + n, 0), total)
      })
    ))

  it.effect(
    "makes progress while others keep changing its parts, here and elsewhere",
    () =>
      on((a, b) =>
        Effect.gen(function*() {
          const parts = [counter(), counter(), counter()]
          let done = false
          const noise = (storage: AnyStorage) =>
            Effect.forEach(
              parts,
              (part) => Effect.repeat(add(1)(part), { until: () => done }).pipe(Effect.provide(storage)),
              { concurrency: "unbounded" }
            )
          const fibers = yield* Effect.forEach([a, b], (storage) => Effect.forkChild(noise(storage)))
          const product = Scoped.all(parts)
          for (let i = 0; i < 10; i++) {
            yield* Scoped.update(product, (state) => [undefined, state.map((n) => n + 1_000_000)]).pipe(
              Effect.provide(a)
            )
          }
          done = true
          yield* Effect.forEach(fibers, Fiber.join)
          for (const n of yield* Effect.provide(Scoped.get(product), a)) {
            assert.strictEqual(Math.floor(n / 1_000_000), 10)
          }
        })
      ),
    60_000
  )

  it.effect("whatever is read while money moves, the sum is the same", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const accounts = Array.from(
          { length: 6 },
          () => Scoped.make(unique("account"), { schema: Schema.Int, initial: 100 })
        )
        let moving = true
        const transfer = Effect.gen(function*() {
          const from = yield* Random.nextIntBetween(0, 5)
          const to = (from + 1 + (yield* Random.nextIntBetween(0, 4))) % 6
          const amount = yield* Random.nextIntBetween(1, 50)
          yield* Scoped.updateResult(
            Scoped.all({ from: accounts[from]!, to: accounts[to]! }),
            (state) =>
              state.from < amount
                ? Result.fail("insufficient" as const)
                : Result.succeed([undefined, { from: state.from - amount, to: state.to + amount }] as const)
          ).pipe(Effect.ignore)
        })
        const mover = (storage: AnyStorage) =>
          Effect.forEach(Array.from({ length: 120 }), () => transfer, { concurrency: 4 }).pipe(Effect.provide(storage))
        const movers = yield* Effect.forkChild(
          Effect.all([mover(a), mover(b)], { concurrency: 2 }).pipe(Effect.ensuring(Effect.sync(() => moving = false)))
        )
        let looks = 0
        yield* Effect.suspend(() => Scoped.get(Scoped.all(accounts))).pipe(
          Effect.map((balances) => {
            looks++
            assert.strictEqual(balances.reduce((sum, n) => sum + n, 0), 600)
          }),
          Effect.repeat({ until: () => !moving }),
          Effect.provide(b)
        )
        yield* Fiber.join(movers)
        assert.isAbove(looks, 1)
      })
    ), 60_000)
}

const families: Rules = (it) => {
  const strange = [
    "",
    "a",
    "A",
    "a/b",
    "/",
    "~",
    "~0",
    "~1",
    "a~1b",
    ".",
    "..",
    "\u0000",
    "🙂",
    "é",
    "e\u0301",
    "__proto__",
    "*",
    "%"
  ]

  it.effect("no two keys, families or plain names meet", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [one, two] = [unique("family"), unique("family")]
        const scopes = [one, two, `${one}/x`, "~1", "/"].flatMap((name) => {
          const family = Scoped.family(name, { key: Schema.String, schema: Schema.String, initial: "" })
          return strange.map((key): readonly [string, Scoped.Scoped<string>] => [`${name} of ${key}`, family(key)])
        })
        for (const key of strange.slice(1)) {
          scopes.push([`plain ${key}`, Scoped.make(`${one}/${key}`, { schema: Schema.String, initial: "" })])
        }
        yield* Effect.forEach(scopes, ([own, scope]) => Scoped.update(scope, (old) => [undefined, old + own]), {
          concurrency: "unbounded"
        }).pipe(Effect.provide(a))
        for (const [own, scope] of scopes) {
          assert.strictEqual(yield* Effect.provide(Scoped.get(scope), b), own)
        }
        const family = Scoped.family(one, { key: Schema.String, schema: Schema.String, initial: "" })
        const keys = yield* Stream.runCollect(family.keys).pipe(Effect.provide(b))
        assert.deepStrictEqual(keys.toSorted(), strange.toSorted())
      })
    ))

  it.effect("keys are decoded; one that cannot be is skipped", () =>
    on((a) =>
      Effect.gen(function*() {
        const name = unique("family")
        const schema = Schema.Int
        const loose = Scoped.family(name, { key: Schema.String, schema, initial: 0 })
        const strict = Scoped.family(name, { key: Schema.FiniteFromString, schema, initial: (key) => key * 10 })
        assert.strictEqual(yield* Scoped.get(strict(4)), 40)
        yield* Effect.forEach([loose("1"), loose("x"), strict(2)], add(1))
        assert.strictEqual(yield* Scoped.get(strict(2)), 21)
        assert.deepStrictEqual((yield* Stream.runCollect(strict.keys)).toSorted(), [1, 2])
        assert.strictEqual(strict.name, name)
      }).pipe(Effect.provide(a))
    ))

  it.effect("a key that does not encode is a NameError", () =>
    on((a) =>
      Effect.gen(function*() {
        const family = Scoped.family("short", {
          key: Schema.String.check(Schema.isMaxLength(3)),
          schema: Schema.Int,
          initial: 0
        })
        const unnamed = Scoped.family("", { key: Schema.String, schema: Schema.Int, initial: 0 })
        for (const scope of [family("long"), unnamed("a")]) {
          for (const effect of [Scoped.get(scope), add(1)(scope), Scoped.get(Scoped.all([scope]))]) {
            const error = yield* Effect.flip(effect as Effect.Effect<unknown, { _tag: string }, Storage.Storage>)
            assert.strictEqual(error._tag, "NameError")
          }
        }
      }).pipe(Effect.provide(a))
    ))

  it.effect("an initial state that cannot be made is a StateError of its scope alone", () =>
    on((a) =>
      Effect.gen(function*() {
        const family = Scoped.family(unique("family"), {
          key: Schema.String,
          schema: Schema.Int,
          initial: (key) => {
            if (key === "bad") throw new Error("no initial state")
            return key.length
          }
        })
        assert.strictEqual(yield* Scoped.get(family("four")), 4)
        const error = yield* Effect.flip(add(1)(family("bad")))
        assert.strictEqual(error._tag, "StateError")
        assert.include(error.message, "no initial state")
      }).pipe(Effect.provide(a))
    ))
}

const watching: Rules = (it) => {
  /** Collects what a stream of changes emits. */
  const watch = <State>(scope: Scoped.Scoped<State>, storage: AnyStorage) =>
    Effect.gen(function*() {
      const seen = yield* Queue.unbounded<State>()
      yield* Scoped.changes(scope).pipe(
        Stream.runForEach((state) => Queue.offer(seen, state)),
        Effect.provide(storage),
        Effect.forkScoped
      )
      return seen
    })

  /** Takes until a state is seen, checking each on the way. */
  const until = Effect.fnUntraced(function*<State>(seen: Queue.Queue<State>, last: State, check = (_: State) => {}) {
    for (;;) {
      const state = yield* Queue.take(seen).pipe(
        Effect.timeoutOrElse({
          duration: "10 seconds",
          orElse: () => Effect.die(new Error(`never saw ${String(last)}`))
        })
      )
      check(state)
      if (state === last) return
    }
  })

  it.effect("starts with the state now, and goes on with what anybody commits", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = counter()
        const seen = yield* watch(scope, a)
        assert.strictEqual(yield* Queue.take(seen), 0)
        yield* Effect.provide(add(1)(scope), b)
        yield* until(seen, 1)
        yield* Effect.provide(add(1)(scope), a)
        yield* until(seen, 2)
        yield* Effect.provide(Scoped.remove(scope), b)
        yield* until(seen, 0)
      })
    ))

  it.effect("never goes back and never misses the last, whenever it starts", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = counter()
        const writer = yield* Effect.forkChild(
          Effect.repeat(add(1)(scope), { times: 299 }).pipe(Effect.provide(b))
        )
        const watchers = yield* Effect.forEach(Array.from({ length: 8 }, (_, i) => i), (i) =>
          Effect.gen(function*() {
            yield* Effect.yieldNow.pipe(Effect.repeat({ times: i * 40 }))
            const seen = yield* watch(scope, a)
            let before = -1
            yield* until(seen, 300, (state) => {
              assert.isAbove(state, before)
              before = state
            })
          }).pipe(Effect.scoped, Effect.forkChild))
        yield* Fiber.join(writer)
        yield* Effect.forEach(watchers, Fiber.join)
      })
    ), 60_000)

  it.effect("a commit that changes nothing else emits nothing", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [watched, other] = [counter(), counter()]
        const seen = yield* watch(watched, a)
        assert.strictEqual(yield* Queue.take(seen), 0)
        yield* Effect.provide(Effect.repeat(add(1)(other), { times: 5 }), b)
        yield* Effect.provide(add(1)(watched), b)
        assert.strictEqual(yield* Queue.take(seen), 1)
      })
    ))

  it.effect("a product emits states that all parts had at one moment", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [x, y] = [counter(), counter()]
        const both = Scoped.all([x, y])
        const writer = yield* Effect.forkChild(
          Scoped.update(both, ([x, y]) => [undefined, [x + 1, y + 1]]).pipe(
            Effect.repeat({ times: 99 }),
            Effect.provide(b)
          )
        )
        const last = yield* Scoped.changes(both).pipe(
          Stream.tap(([x, y]) => Effect.sync(() => assert.strictEqual(x, y))),
          Stream.takeUntil(([x]) => x === 100),
          Stream.runLast,
          Effect.provide(a)
        )
        yield* Fiber.join(writer)
        assert.deepStrictEqual(Option.getOrThrow(last), [100, 100])
      })
    ))

  it.effect("a state that the schema cannot read ends the stream with a StateError", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const name = unique("watched")
        const seen = yield* Queue.unbounded<number>()
        const fiber = yield* Scoped.changes(counter(name)).pipe(
          Stream.runForEach((state) => Queue.offer(seen, state)),
          Effect.flip,
          Effect.provide(a),
          Effect.forkChild
        )
        assert.strictEqual(yield* Queue.take(seen), 0)
        const AsText = Scoped.make(name, { schema: Schema.String, initial: "" })
        yield* Effect.provide(Scoped.update(AsText, () => [undefined, "text"]), b)
        assert.strictEqual((yield* Fiber.join(fiber))._tag, "StateError")
      })
    ))
}

const removal: Rules = (it) => {
  it.effect("a removed scope reads as its initial state, and can be used again", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = Scoped.make(unique("removed"), { schema: Schema.Int, initial: 7 })
        yield* Scoped.remove(scope)
        assert.strictEqual(yield* add(1)(scope), 8)
        yield* Effect.provide(add(1)(scope), b)
        yield* Scoped.remove(scope)
        for (const storage of [a, b]) assert.strictEqual(yield* Effect.provide(Scoped.get(scope), storage), 7)
        assert.strictEqual(yield* Effect.provide(add(1)(scope), b), 8)
        assert.strictEqual(yield* add(1)(scope), 9)
        yield* Scoped.remove(scope)
        yield* Scoped.remove(scope)
        assert.strictEqual(yield* Scoped.get(scope), 7)
      }).pipe(Effect.provide(a))
    ))

  it.effect("removals and updates that wait together are serial", () =>
    on((a) =>
      Effect.gen(function*() {
        const scope = counter()
        const results = yield* Effect.all([add(1)(scope), add(1)(scope), Scoped.remove(scope), add(5)(scope)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(results, [1, 2, undefined, 5])
        yield* Effect.all([add(1)(scope), Scoped.remove(scope)], { concurrency: "unbounded" })
        assert.strictEqual(yield* Scoped.get(scope), 0)
      }).pipe(Effect.provide(a))
    ))

  it.effect("a product is removed at once", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [x, y] = [counter(), counter()]
        yield* Effect.forEach([x, y], add(3))
        yield* Scoped.remove(Scoped.all({ x, y }))
        assert.deepStrictEqual(yield* Effect.provide(Scoped.get(Scoped.all([x, y])), b), [0, 0])
      }).pipe(Effect.provide(a))
    ))

  it.effect("what cannot be read can be removed", () =>
    on((a) =>
      Effect.gen(function*() {
        const name = unique("unreadable")
        yield* Scoped.update(Scoped.make(name, { schema: Schema.String, initial: "" }), () => [undefined, "text"])
        assert.strictEqual((yield* Effect.flip(Scoped.get(counter(name))))._tag, "StateError")
        yield* Scoped.remove(counter(name))
        assert.strictEqual(yield* Scoped.get(counter(name)), 0)
      }).pipe(Effect.provide(a))
    ))

  it.effect("concurrent removals and updates of two writers leave no update half done", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const [x, y] = [counter(), counter()]
        const both = Scoped.all([x, y])
        const bump = Scoped.update(both, ([x, y]) => [undefined, [x + 1, y + 1]])
        yield* Effect.forEach(
          Array.from({ length: 120 }, (_, i) => i),
          (i) => Effect.provide(i % 5 === 0 ? Scoped.remove(both) : bump, i % 2 === 0 ? a : b),
          { concurrency: 12 }
        )
        const [left, right] = yield* Effect.provide(Scoped.get(both), a)
        assert.strictEqual(left, right)
      })
    ))
}

const expiry: Rules = (it) => {
  const eventually = <A, E, R>(effect: Effect.Effect<A, E, R>, holds: (value: A) => boolean) =>
    Effect.repeat(effect, { schedule: Schedule.spaced("20 millis"), until: holds }).pipe(
      Effect.timeoutOrElse({ duration: "10 seconds", orElse: () => Effect.die(new Error("never")) })
    )

  it.effect("a scope expires when no commit renews it, everywhere at once", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = Scoped.make(unique("expiring"), { schema: Schema.Int, initial: 0, idleTimeToLive: "1 second" })
        const started = performance.now()
        yield* Effect.repeat(Effect.andThen(Effect.sleep("100 millis"), Effect.provide(add(1)(scope), a)), {
          times: 14
        })
        // Renewed for longer than it lives, unless this machine stood still meanwhile.
        const renewed = yield* Effect.provide(Scoped.get(scope), b)
        if (performance.now() - started < 2_400) assert.strictEqual(renewed, 15)
        yield* eventually(Effect.provide(Scoped.get(scope), b), (count) => count === 0)
        assert.strictEqual(yield* Effect.provide(Scoped.get(scope), a), 0)
        const names = yield* Stream.runCollect(Scoped.names({ prefix: scope.name })).pipe(Effect.provide(b))
        assert.deepStrictEqual(names, [])
        assert.strictEqual(yield* Effect.provide(add(1)(scope), a), 1)
      })
    ))

  it.effect("whoever watches sees it expire", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = Scoped.make(unique("expiring"), { schema: Schema.Int, initial: 0, idleTimeToLive: "300 millis" })
        yield* Effect.provide(add(1)(scope), b)
        const states = yield* Scoped.changes(scope).pipe(
          Stream.takeUntil((count) => count === 0),
          Stream.runCollect,
          Effect.provide(a)
        )
        assert.strictEqual(states.at(-1), 0)
      })
    ))

  it.effect("updates that race with the expiry are before or after it", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const scope = Scoped.make(unique("expiring"), {
          schema: Schema.Array(Schema.Int),
          initial: [],
          idleTimeToLive: "30 millis"
        })
        for (let i = 0; i < 25; i++) {
          const seen = yield* Effect.provide(Scoped.update(scope, (list) => [list, [...list, i]]), i % 2 === 0 ? a : b)
          // Either all that was there, or nothing.
          assert.deepStrictEqual(seen, Array.from({ length: seen.length }, (_, j) => i - seen.length + j))
          yield* Effect.sleep(`${20 + i} millis`)
        }
      })
    ))
}

const listing: Rules = (it) => {
  it.effect("names lists what is stored, once each", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const prefix = unique("listed")
        const plain = ["", "b", "b/c", "~", "*", "[x]", "é"].map((rest) => counter(prefix + rest))
        const family = Scoped.family(`${prefix}family`, { key: Schema.String, schema: Schema.Int, initial: 0 })
        const gone = counter(`${prefix}gone`)
        const never = counter(`${prefix}never`)
        yield* Effect.forEach([...plain, family("k/1"), family("k2"), gone], add(1)).pipe(Effect.provide(a))
        yield* Effect.provide(Scoped.remove(gone), a)
        yield* Effect.provide(Scoped.update(never, (n) => [n, n]), a)
        const names = (under: string) =>
          Effect.map(
            Stream.runCollect(Scoped.names({ prefix: under })).pipe(Effect.provide(b)),
            (found) => found.toSorted()
          )
        const all = [...plain.map((scope) => scope.name), `${prefix}family/k/1`, `${prefix}family/k2`].toSorted()
        assert.deepStrictEqual(yield* names(prefix), all)
        assert.deepStrictEqual(yield* names(`${prefix}b/`), [`${prefix}b/c`])
        assert.deepStrictEqual(yield* names(`${prefix}family/k`), [`${prefix}family/k/1`, `${prefix}family/k2`])
        assert.deepStrictEqual(yield* names(`${prefix}[`), [`${prefix}[x]`])
        assert.includeMembers(yield* Stream.runCollect(Scoped.names()).pipe(Effect.provide(b)), all)
      })
    ))

  it.effect("a namespace lists its own", () =>
    Effect.gen(function*() {
      const { a, inNamespace } = yield* Writers.Writers
      const [name, namespace] = [unique("spaced"), unique("space")]
      yield* Effect.provide(add(1)(counter(name)), inNamespace(namespace))
      yield* Effect.provide(add(1)(counter(`${name}plain`)), a)
      const names = Stream.runCollect(Scoped.names({ prefix: "space" }))
      assert.deepStrictEqual(yield* Effect.provide(names, inNamespace(namespace)), [name])
      assert.deepStrictEqual(
        (yield* Effect.provide(names, a)).filter((found) => found.includes(name)),
        [`${name}plain`]
      )
    }))

  it.effect("twenty thousand scopes", () =>
    on((a, b) =>
      Effect.gen(function*() {
        const family = Scoped.family(unique("many"), { key: Schema.String, schema: Schema.Int, initial: 0 })
        const keys = Array.from({ length: 20_000 }, (_, i) => `${i}`)
        yield* Effect.forEach(keys, (key) => add(1)(family(key)), { concurrency: 2_000, discard: true }).pipe(
          Effect.provide(a)
        )
        const found = yield* Stream.runCollect(family.keys).pipe(Effect.provide(b))
        assert.strictEqual(found.length, keys.length)
        assert.strictEqual(new Set(found).size, keys.length)
      })
    ), 60_000)
}
