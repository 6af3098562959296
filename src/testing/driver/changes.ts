/** Hints that a name may have changed: too many are allowed, one too few is not. */
import { assert, describe } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Driver, Record } from "../../Driver.ts"
import {
  commit,
  commitAll,
  committed,
  create,
  fresh,
  read,
  record,
  type Rules,
  soon,
  TestStore,
  write
} from "./TestStore.ts"

/**
 * Watches as the engine does: looks again at every hint. `sees` waits until the last look found the revision.
 */
const follow = Effect.fnUntraced(function*(
  driver: Driver,
  names: ReadonlyArray<string>,
  pause: Duration.Input = Duration.zero
) {
  const { hintsWithin } = yield* TestStore
  const seen = new Map<string, string | null>()
  const unknown: Array<string> = []
  let hints = 0
  const fiber = yield* driver.changes(names).pipe(
    Stream.runForEach(Effect.fnUntraced(function*(name) {
      hints++
      if (!names.includes(name)) unknown.push(name)
      seen.set(name, (yield* read(driver, name))?.revision ?? null)
      yield* Effect.sleep(pause)
    })),
    Effect.forkScoped({ startImmediately: true })
  )
  return {
    fiber,
    hints: () => hints,
    hinted: (name: string) => seen.has(name),
    sees: (name: string, revision: string) =>
      soon(
        `a hint of the last change of ${JSON.stringify(name)}`,
        Effect.gen(function*() {
          while (seen.get(name) !== revision) {
            if (fiber.pollUnsafe() !== undefined) yield* Fiber.join(fiber)
            yield* Effect.sleep("2 millis")
          }
          assert.deepStrictEqual(unknown, [], "hints of names that are not watched")
        }),
        hintsWithin
      )
  }
})

/** Commits until the first hint: from there on the subscription stands, however long it took. */
const established = Effect.fnUntraced(function*(
  follower: Effect.Success<ReturnType<typeof follow>>,
  driver: Driver,
  name: string
) {
  let last = yield* read(driver, name)
  yield* soon(
    "the first hint",
    Effect.gen(function*() {
      while (!follower.hinted(name)) {
        const next = record()
        assert.deepStrictEqual(yield* commit(driver, write(name, last, next)), committed)
        last = next
        yield* Effect.sleep("5 millis")
      }
    })
  )
  return last
})

export const changes: Rules = (it) =>
  describe("changes", () => {
    for (const writer of ["the same", "another"]) {
      it.effect(`hints after each commit of ${writer} driver`, () =>
        Effect.gen(function*() {
          const { a, b } = yield* TestStore
          const name = fresh()
          const follower = yield* follow(a, [name])
          const driver = writer === "another" ? b : a
          let last = yield* established(follower, driver, name)
          for (let i = 0; i < 5; i++) {
            const next = record()
            assert.deepStrictEqual(yield* commit(driver, write(name, last, next)), committed)
            yield* follower.sees(name, next.revision)
            last = next
          }
        }))
    }

    // A driver that needs a while to subscribe hints every name once it has: nobody can know when that was.
    it.effect("hints after the commits that follow its start at once", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, i) => i),
          Effect.fnUntraced(function*(i) {
            const name = fresh()
            const follower = yield* follow(a, [name])
            for (let yields = 0; yields < i; yields++) yield* Effect.yieldNow
            const { revision } = yield* create(b, name)
            yield* follower.sees(name, revision)
          }),
          { concurrency: 5 }
        )
      }))

    it.effect("hints every name once it watches, also what does not change and what is not there", () =>
      Effect.gen(function*() {
        const { a, b, hintsWithin } = yield* TestStore
        const names = [fresh(), fresh(), fresh()]
        yield* create(b, names[0]!)
        const follower = yield* follow(a, names)
        const all = Effect.gen(function*() {
          while (!names.every((name) => follower.hinted(name))) yield* Effect.sleep("2 millis")
        })
        yield* soon("a hint of each name at the start", all, hintsWithin)
      }))

    it.effect("hints after a removal, and after the scope is stored again", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const follower = yield* follow(a, [name])
        const last = yield* established(follower, b, name)
        const gone = record(null)
        assert.deepStrictEqual(yield* commit(b, write(name, last, gone)), committed)
        yield* follower.sees(name, gone.revision)
        const again = record()
        assert.deepStrictEqual(yield* commit(b, write(name, gone, again)), committed)
        yield* follower.sees(name, again.revision)
      }))

    it.effect("hints each name of a transaction and of a batch", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: 40 }, () => fresh())
        const follower = yield* follow(a, names)
        let last: ReadonlyArray<Record | null> = yield* Effect.forEach(names, (name) => established(follower, b, name))
        for (const together of [true, false, true]) {
          const next = names.map(() => record())
          const writes = names.map((name, i) => write(name, last[i] ?? null, next[i]!))
          const verdicts = yield* commitAll(b, together ? [writes] : writes.map((write) => [write]))
          for (const verdict of verdicts) assert.deepStrictEqual(verdict, committed)
          for (const [i, name] of names.entries()) yield* follower.sees(name, next[i]!.revision)
          last = next
        }
      }))

    it.effect("hints the names as they are written, not as patterns", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const root = fresh("")
        const ends = [
          "a",
          "A",
          "a*",
          "a?",
          "[a]",
          "\\",
          "\n",
          " ",
          "\0",
          "'",
          "\u00e9",
          "e\u0301",
          "😀",
          "%",
          "__proto__"
        ]
        const names = ends.map((end) => root + end)
        const follower = yield* follow(a, names)
        for (const name of names) {
          const { revision } = yield* create(b, name)
          yield* follower.sees(name, revision)
        }
      }))

    it.effect("hints a consumer that lags behind of the last change", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh(), fresh()] as const
        const follower = yield* follow(a, names, "30 millis")
        const last = [yield* established(follower, b, names[0]), yield* established(follower, b, names[1])]
        for (let i = 0; i < 60; i++) {
          const next = record()
          assert.deepStrictEqual(yield* commit(b, write(names[i % 2]!, last[i % 2]!, next)), committed)
          last[i % 2] = next
        }
        for (const i of [0, 1]) yield* follower.sees(names[i]!, last[i]!.revision)
      }))

    it.effect("hints all who watch, also after some stopped", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const [one, two] = [fresh(), fresh()] as const
        const scope = yield* Scope.make()
        const short = yield* Scope.provide(follow(a, [one, two]), scope)
        const followers = [yield* follow(a, [one, two]), yield* follow(a, [two]), yield* follow(b, [two])]
        const first = yield* create(a, two)
        for (const follower of [short, ...followers]) yield* follower.sees(two, first.revision)
        yield* soon("closing", Scope.close(scope, Exit.void))
        const next = record()
        assert.deepStrictEqual(yield* commit(b, write(two, first, next)), committed)
        for (const follower of followers) yield* follower.sees(two, next.revision)
      }))

    it.effect("does not go on hinting where nothing changes", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        yield* create(b, name)
        const follower = yield* follow(a, [name])
        const last = yield* established(follower, b, name)
        yield* Effect.sleep("300 millis")
        const before = follower.hints()
        yield* Effect.sleep("300 millis")
        assert.isAtMost(follower.hints() - before, 2)
        assert.deepStrictEqual(yield* read(b, name), last)
      }))

    it.effect("ends when its scope closes", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const name = fresh()
        const scope = yield* Scope.make()
        const follower = yield* Scope.provide(follow(a, [name]), scope)
        yield* established(follower, b, name)
        yield* soon("closing", Scope.close(scope, Exit.void))
        assert.isDefined(follower.fiber.pollUnsafe())
        const hints = follower.hints()
        yield* create(b, fresh())
        const last = yield* read(a, name)
        assert.deepStrictEqual(yield* commit(b, write(name, last, record())), committed)
        assert.strictEqual(follower.hints(), hints)
      }))
  })
