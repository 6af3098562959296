/** What is committed outlives those who committed it. */
import { assert, describe } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import {
  commit,
  commitAll,
  committed,
  create,
  fresh,
  read,
  readAll,
  record,
  refused,
  type Rules,
  TestStore,
  write
} from "./TestStore.ts"

export const durability: Rules = (it) =>
  describe("a store that all have closed", () => {
    it.effect("has what was committed when it is opened again", () =>
      Effect.gen(function*() {
        const { prepare } = yield* TestStore
        const open = Effect.orDie(yield* prepare)
        const names = Array.from({ length: 50 }, () => fresh())
        const first = names.map((_, i) => record(`${i}`))
        const [removed, gone] = [fresh("removed"), record(null)] as const
        const [expiring, last] = [fresh("expiring"), record("1")] as const
        yield* Effect.scoped(Effect.gen(function*() {
          const driver = yield* open
          yield* commitAll(driver, names.map((name, i) => [write(name, null, first[i]!)]))
          const before = yield* create(driver, removed)
          assert.deepStrictEqual(yield* commit(driver, write(removed, before, gone)), committed)
          const options = { expiresIn: Duration.hours(1) }
          assert.deepStrictEqual(yield* commit(driver, write(expiring, null, last, options)), committed)
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          const driver = yield* open
          assert.deepStrictEqual(yield* readAll(driver, names), first)
          assert.deepStrictEqual(yield* read(driver, removed), gone)
          assert.isDefined((yield* driver.read([expiring]))[0]?.expiresIn)
          assert.deepStrictEqual(yield* commit(driver, write(names[0]!, null, record())), refused(first[0]!))
          assert.deepStrictEqual(yield* commit(driver, write(names[0]!, first[0]!, record("again"))), committed)
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          const driver = yield* open
          assert.strictEqual((yield* read(driver, names[0]!))?.data, "again")
        }))
      }))
  })
