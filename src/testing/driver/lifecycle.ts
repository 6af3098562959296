/** Calls that are interrupted, and drivers that are closed. */
import { assert, describe } from "@effect/vitest"
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

/** Commits to two scopes whatever they hold, and gives back the pair that it replaced. */
const replace = Effect.fnUntraced(function*(driver: Driver, names: readonly [string, string], data: string) {
  let current: ReadonlyArray<Record | null> = [null, null]
  while (true) {
    const transaction = names.map((name, i) => write(name, current[i] ?? null, record(data)))
    const verdict = yield* commit(driver, ...transaction)
    if (verdict.committed) return current
    current = verdict.current
  }
})

export const lifecycle: Rules = (it) =>
  describe("a driver", () => {
    it.effect("goes on after a commit was interrupted, which is applied whole or not at all", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = [fresh(), fresh()] as const
        for (let i = 0; i < 30; i++) {
          const fiber = yield* Effect.forkChild(replace(a, names, `${i}`), { startImmediately: true })
          for (let yields = 0; yields < i % 5; yields++) yield* Effect.yieldNow
          if (i % 3 === 2) yield* Effect.sleep(i % 2)
          yield* soon("the interruption of a commit", Fiber.interrupt(fiber))
          const [one, two] = yield* soon("the next commit", replace(i % 2 === 0 ? a : b, names, "next"))
          assert.strictEqual(one?.data, two?.data, "both scopes, or none")
        }
        yield* create(a, fresh())
      }))

    it.effect("goes on after reads and lists were interrupted", () =>
      Effect.gen(function*() {
        const { a } = yield* TestStore
        const name = fresh()
        const first = yield* create(a, name)
        for (let i = 0; i < 10; i++) {
          const calls = yield* Effect.forEach(
            [a.read([name]), Stream.runDrain(a.names("")), Stream.runDrain(a.changes([name]))],
            (call) => Effect.forkChild(call, { startImmediately: true })
          )
          for (let yields = 0; yields < i; yields++) yield* Effect.yieldNow
          yield* soon("the interruption of reads", Fiber.interruptAll(calls))
          assert.deepStrictEqual(yield* soon("the next read", read(a, name)), first)
        }
      }))

    it.effect("answers others while one of its callers is interrupted", () =>
      Effect.gen(function*() {
        const { a, b } = yield* TestStore
        const names = Array.from({ length: 20 }, () => fresh())
        const stored = names.map(() => record())
        const fibers = yield* Effect.forEach(
          names,
          (name, i) => Effect.forkChild(commit(a, write(name, null, stored[i]!)), { startImmediately: true })
        )
        const even = fibers.filter((_, i) => i % 2 === 0)
        const odd = fibers.filter((_, i) => i % 2 === 1)
        yield* soon("the interruption", Fiber.interruptAll(even))
        for (const fiber of odd) assert.deepStrictEqual(yield* soon("the others", Fiber.join(fiber)), committed)
        const found = yield* b.read(names)
        assert.deepStrictEqual(found.filter((_, i) => i % 2 === 1), stored.filter((_, i) => i % 2 === 1))
      }))
  })

/** Drivers over one store that come and go. */
export const sharing: Rules = (it) =>
  describe("drivers over one store", () => {
    it.effect("see what was committed before they were opened", () =>
      Effect.gen(function*() {
        const { a, open } = yield* TestStore
        const names = Array.from({ length: 50 }, () => fresh())
        const stored = names.map((_, i) => record(`${i}`))
        yield* commitAll(a, names.map((name, i) => [write(name, null, stored[i]!)]))
        const late = yield* open
        assert.deepStrictEqual(yield* late.read(names), stored)
        assert.deepStrictEqual(yield* commit(late, write(names[0]!, stored[0]!, record())), committed)
      }))

    it.effect("go on when another is closed", () =>
      Effect.gen(function*() {
        const { a, open } = yield* TestStore
        const name = fresh()
        for (let i = 0; i < 3; i++) {
          const scope = yield* Scope.make()
          const short = yield* Scope.provide(open, scope)
          const mine = fresh()
          const first = yield* create(short, mine)
          const watching = yield* a.changes([name]).pipe(Stream.take(1), Stream.runDrain, Effect.forkChild)
          yield* soon("closing", Scope.close(scope, Exit.void))
          assert.deepStrictEqual(yield* read(a, mine), first)
          assert.deepStrictEqual(yield* commit(a, write(mine, first, record())), committed)
          yield* create(a, fresh())
          yield* replace(a, [name, mine], "1")
          yield* soon(
            "a hint",
            Effect.gen(function*() {
              while (watching.pollUnsafe() === undefined) {
                yield* replace(a, [name, mine], "1")
                yield* Effect.sleep("5 millis")
              }
            })
          )
        }
      }))

    it.effect("end the calls that run when they are closed", () =>
      Effect.gen(function*() {
        const { a, open } = yield* TestStore
        for (let i = 0; i < 5; i++) {
          const scope = yield* Scope.make()
          const short = yield* Scope.provide(open, scope)
          const names = Array.from({ length: 20 }, () => fresh())
          const calls = yield* Effect.forEach(
            names,
            (name) =>
              Effect.forkChild(Effect.all([create(short, name), short.read([name])]), { startImmediately: true })
          )
          for (let yields = 0; yields < i; yields++) yield* Effect.yieldNow
          yield* soon("closing", Scope.close(scope, Exit.void))
          const exits = yield* soon("the calls", Effect.forEach(calls, Fiber.await))
          // What was answered with a verdict is stored; what was not may be.
          const found = yield* a.read(names)
          for (const [j, exit] of exits.entries()) {
            if (Exit.isSuccess(exit)) assert.deepStrictEqual(found[j], exit.value[0])
          }
        }
      }))
  })
