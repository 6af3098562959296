/** Moving from one generation of the journal to the next. */
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Stream } from "effect"
import { readdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Driver, Record } from "../../src/Driver.ts"
import type { Faults } from "./faults.ts"
import { commit, committed, get, open, put, record, services, temporaryDirectory, write } from "./helpers.ts"

const generation = (name: string): number => Number(/^journal-(\d+)\.jsonl$/.exec(name)?.[1] ?? Number.NaN)

const highest = (directory: string): number =>
  Math.max(...readdirSync(directory).map(generation).filter((n) => !Number.isNaN(n)))

/** Writes until the directory is this many generations further. */
const churn = Effect.fnUntraced(function*(driver: Driver, directory: string, from: Record | null, generations = 1) {
  // What follows a commit comes to its end before the next turn.
  yield* driver.read([])
  const target = highest(directory) + generations
  let last = from
  for (let i = 0; highest(directory) < target; i++) {
    assert.isBelow(i, 100, "does not compact")
    last = yield* put(driver, "a", last, "\"churn\"")
    yield* driver.read([])
  }
  return last
})

/** Holds up calls of one kind, at the first path that looks so. */
const holdUp = (path: string | RegExp) => {
  const matches = (other: string): boolean => typeof path === "string" ? other.endsWith(path) : path.test(other)
  const reached = Deferred.makeUnsafe<void>()
  const go = Deferred.makeUnsafe<void>()
  let first = true
  const wait = (path: string) =>
    Effect.suspend(() => {
      if (!first || !matches(path)) return Effect.void
      first = false
      return Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(go))
    })
  return { wait, reached: Deferred.await(reached), go: Deferred.succeed(go, undefined) }
}

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  it.effect("writes a journal anew that is mostly garbage, and removes the old one", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const compactAt = 20_000
      const [a, b] = [yield* open({ directory, compactAt }), yield* open({ directory, compactAt })]
      const kept = yield* put(a, "kept", null, JSON.stringify("x".repeat(5000)))
      let last: Record | null = null
      let largest = 0
      for (let i = 0; i < 600; i++) {
        last = yield* put(i % 50 === 0 ? b : a, "a", last, JSON.stringify("é".repeat(i % 100)))
        const files = readdirSync(directory).filter((name) => name.endsWith(".jsonl"))
        largest = Math.max(largest, ...files.map((name) => statSync(join(directory, name)).size))
      }
      yield* a.read([])
      assert.isAbove(highest(directory), 4)
      assert.isBelow(highest(directory), 20)
      assert.isBelow(largest, 2 * compactAt + 5000)
      assert.deepStrictEqual(readdirSync(directory).length, 1)
      for (const driver of [a, b, yield* open({ directory })]) {
        assert.deepStrictEqual(yield* driver.read(["kept", "a"]), [kept, last])
      }
    }))

  it.effect("does not write anew what is mostly current, however large it is", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const a = yield* open({ directory, compactAt: 1 })
      const names = Array.from({ length: 3000 }, (_, i) => `${i}`)
      yield* a.commit(names.map((name) => [write(name, null, record("\"€€€€€€€€€€€€€€€€€\""))]))
      yield* a.read([])
      const before = highest(directory)
      yield* a.commit(names.slice(0, 500).map((name) => [write(`new ${name}`, null, record())]))
      yield* a.read([])
      assert.strictEqual(highest(directory), before)
    }))

  it.effect("carries many records over, whatever is in them", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const a = yield* open({ directory, compactAt: 1 })
      const names = Array.from({ length: 2000 }, (_, i) => `${i}\n😀"`)
      let last: ReadonlyArray<Record | null> = names.map(() => null)
      for (let round = 0; round < 3; round++) {
        const next = names.map((_, i) => record(JSON.stringify("\u2028é\n\0".repeat(i % 300))))
        for (let i = 0; i < names.length; i += 500) {
          yield* a.commit(names.slice(i, i + 500).map((name, k) => [write(name, last[i + k]!, next[i + k]!)]))
        }
        last = next
      }
      yield* a.read([])
      assert.isAbove(highest(directory), 1)
      for (const driver of [a, yield* open({ directory })]) assert.deepStrictEqual(yield* driver.read(names), last)
    }))

  it.effect("leaves expired records behind, and keeps those that have not expired", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 2000 }
      const a = yield* open(options)
      const big = JSON.stringify("x".repeat(3000))
      const kept = { ...write("kept", null, record(null)), expiresIn: Duration.minutes(10) }
      assert.deepStrictEqual(yield* commit(a, kept), committed)
      for (let i = 0; i < 20; i++) {
        yield* commit(a, { ...write(`${i}`, null, record(big)), expiresIn: Duration.millis(1) })
      }
      yield* Effect.sleep("3 millis")
      yield* churn(a, directory, null)
      const [name] = readdirSync(directory)
      assert.isBelow(statSync(join(directory, name!)).size, 3000)
      for (const driver of [a, yield* open(options)]) {
        assert.deepStrictEqual(yield* driver.read(["kept", "0"]), [kept.next!, null])
        assert.deepStrictEqual(yield* Stream.runCollect(driver.names("")), ["a"])
      }
    }))

  it.effect("does not split the store when it was held up before it gave the new generation its name", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const held = holdUp("journal-2.jsonl")
      const a = yield* open(options, { link: (path, proceed) => Effect.andThen(held.wait(path), proceed) })
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      const b = yield* open(options)
      const last = yield* churn(b, directory, yield* get(b, "a"), 3)
      assert.isAbove(highest(directory), 3)
      yield* held.go
      yield* Effect.ignoreCause(Fiber.join(churning))
      assert.deepStrictEqual(yield* get(a, "a"), last)
      assert.deepStrictEqual(yield* commit(a, write("a", record(), record())), { committed: false, current: [last] })
      const next = yield* put(a, "a", last)
      for (const driver of [b, yield* open(options)]) assert.deepStrictEqual(yield* get(driver, "a"), next)
    }))

  it.effect("does not split the store when it gave its name to a generation that is long past", () =>
    Effect.gen(function*() {
      for (const misses of [0, 2]) {
        const directory = yield* temporaryDirectory
        const options = { directory, compactAt: 1 }
        const held = holdUp(/journal-2\..*\.tmp$/)
        const linked: Array<string> = []
        let blind = 0
        const a = yield* open(options, {
          open: (path, proceed) => Effect.andThen(held.wait(path), proceed),
          link: (path, proceed) => Effect.tap(proceed, () => Effect.sync(() => linked.push(path))),
          // A directory that changes while it is listed may be listed with neither of two that follow each other.
          list: (_, proceed) =>
            Effect.map(
              proceed,
              (names) => blind > 0 && blind-- > 0 ? names.filter((name) => name === "journal-2.jsonl") : names
            )
        })
        const churning = yield* Effect.forkChild(churn(a, directory, null))
        yield* held.reached
        const b = yield* open(options)
        const last = yield* churn(b, directory, yield* get(b, "a"), 3)
        // One that is made to see whether ours is there, one to open it.
        blind = misses
        yield* held.go
        yield* Effect.ignoreCause(Fiber.join(churning))
        assert.strictEqual(blind, 0)
        assert.isTrue(linked.some((path) => path.endsWith("journal-2.jsonl")))
        assert.deepStrictEqual(yield* get(a, "a"), last)
        const next = yield* put(a, "a", last)
        for (const driver of [b, yield* open(options)]) assert.deepStrictEqual(yield* get(driver, "a"), next)
        assert.notInclude(readdirSync(directory), "journal-2.jsonl")
      }
    }))

  it.effect("does not split the store when it was held up after it gave the new generation its name", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const held = holdUp("journal-2.jsonl")
      const a = yield* open(options, { link: (path, proceed) => Effect.tap(proceed, () => held.wait(path)) })
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      const b = yield* open(options)
      const last = yield* churn(b, directory, yield* get(b, "a"), 3)
      yield* held.go
      yield* Effect.ignoreCause(Fiber.join(churning))
      const next = yield* put(a, "a", last)
      assert.deepStrictEqual(yield* get(b, "a"), next)
    }))

  it.effect("leaves the new generation alone that others have taken over while it was held up", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 500 }
      const held = holdUp("journal-2.jsonl")
      const a = yield* open(options, { link: (path, proceed) => Effect.tap(proceed, () => held.wait(path)) })
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      const b = yield* open(options)
      const last = yield* put(b, "b", null)
      assert.notInclude(readdirSync(directory), "journal-1.jsonl")
      yield* held.go
      yield* Fiber.join(churning)
      assert.include(readdirSync(directory), "journal-2.jsonl")
      for (const driver of [a, b]) assert.deepStrictEqual(yield* get(driver, "b"), last)
    }))

  it.effect("does not split the store when it was held up while it began one", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const held = holdUp("journal-1.jsonl")
      const opening = yield* Effect.forkChild(
        open(options, { link: (path, proceed) => Effect.andThen(held.wait(path), proceed) })
      )
      yield* held.reached
      const b = yield* open(options)
      const last = yield* churn(b, directory, null, 3)
      yield* held.go
      const a = yield* Fiber.join(opening)
      const next = yield* put(a, "a", last)
      assert.deepStrictEqual(yield* get(b, "a"), next)
      assert.notInclude(readdirSync(directory), "journal-1.jsonl")
    }))

  it.effect("follows when what it is about to open is removed", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const b = yield* open(options)
      const held = holdUp("journal-1.jsonl")
      const opening = yield* Effect.forkChild(
        open(options, { open: (path, proceed) => Effect.andThen(held.wait(path), proceed) })
      )
      yield* held.reached
      const last = yield* churn(b, directory, null, 3)
      yield* held.go
      const a = yield* Fiber.join(opening)
      assert.deepStrictEqual(yield* get(a, "a"), last)
      const next = yield* put(a, "a", last)
      assert.deepStrictEqual(yield* get(b, "a"), next)
    }))

  it.effect("writes again what came after the seal", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const faults: Faults = {}
      const a = yield* open(options, faults)
      const b = yield* open(options)
      let last = yield* put(a, "a", null)
      for (let i = 0; i < 10; i++) {
        yield* a.read([])
        const held = holdUp(`journal-${highest(directory)}.jsonl`)
        faults.write = (path, proceed, bytes) => Effect.andThen(held.wait(path), proceed(bytes))
        const next = record(`${i}`)
        const committing = yield* Effect.forkChild(a.commit([
          [write("a", last, next)],
          [write(`${i}`, null, record())],
          [write("a", record(), record())]
        ]))
        yield* held.reached
        const target = highest(directory) + 1
        let other: Record | null = yield* get(b, "b")
        while (highest(directory) < target) {
          other = yield* put(b, "b", other)
          yield* b.read([])
        }
        yield* held.go
        assert.deepStrictEqual(yield* Fiber.join(committing), [
          committed,
          committed,
          { committed: false, current: [next] }
        ])
        assert.deepStrictEqual(yield* get(b, "a"), next)
        last = next
      }
    }))

  it.effect("removes what a process that died has left behind", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const a = yield* open(options)
      yield* churn(a, directory, null)
      const current = highest(directory)
      for (
        const name of [
          `journal-1.jsonl`,
          `journal-1.x-1.tmp`,
          `journal-${current}.x-2.tmp`,
          `journal-${current + 1}.x-3.tmp`
        ]
      ) {
        writeFileSync(join(directory, name), "left behind")
      }
      const b = yield* open(options)
      assert.deepStrictEqual(
        readdirSync(directory).sort(),
        [
          `journal-${current + 1}.x-3.tmp`,
          `journal-${current}.jsonl`
        ].sort()
      )
      yield* churn(b, directory, yield* get(b, "a"))
      assert.deepStrictEqual(readdirSync(directory), [`journal-${current + 1}.jsonl`])
    }))

  it.effect("waits for the one who sealed, but not for ever", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const held = holdUp("journal-2.jsonl")
      const links: Array<string> = []
      const a = yield* open(options, { link: (path, proceed) => Effect.andThen(held.wait(path), proceed) })
      const b = yield* open(options, { link: (path, proceed) => (links.push(path), proceed) })
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      const reading = yield* Effect.forkChild(get(b, "a"))
      yield* Effect.sleep("10 millis")
      yield* held.go
      yield* Fiber.join(churning)
      assert.isNotNull(yield* Fiber.join(reading))
      assert.deepStrictEqual(links, [], "the other one was waited for")
    }))
})
