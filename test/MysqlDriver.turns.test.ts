/** A record that several want at once. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Scoped, Storage } from "effect-scoped"
import { commit, committed, create, fresh, readAll, record, write } from "../src/testing/driver/TestStore.ts"
import { connect, session } from "./mysql/store.ts"
import { mysqlServer } from "./servers/mysql.ts"

const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (n) => [n, n + 1])

describe("writers on one scope", () => {
  it.live("take turns, so that hardly an attempt is in vain, and none is left behind", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const writers = 6
      let attempts = 0
      const done = Array.from({ length: writers }, () => 0)
      const storages = yield* Effect.forEach(done, () =>
        Effect.gen(function*() {
          const driver = yield* connect(server.port)
          const commit: typeof driver.commit = (batch) => {
            attempts += batch.length
            return driver.commit(batch)
          }
          return yield* Layer.build(Storage.layer(Effect.succeed({ ...driver, limits: driver.limits, commit })))
        }))
      const total = 600
      let started = 0
      const work = (i: number) =>
        Effect.gen(function*() {
          while (started++ < total) {
            yield* increment
            done[i]!++
          }
        }).pipe(Effect.provide(storages[i]!))
      yield* Effect.forEach(done, (_, i) => work(i), { concurrency: "unbounded", discard: true })
      assert.strictEqual(yield* Effect.provide(Scoped.get(Count), storages[0]!), total)
      // Without turns it is more than three.
      assert.isBelow(attempts / total, 2.6)
      assert.isAbove(Math.min(...done), Math.max(...done) / 8, `${done}`)
    }), 120_000)
})

describe("a turn that is not taken", () => {
  it.live("holds up nobody for long", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const driver = yield* connect(server.port)
      const name = fresh()
      let last = yield* create(driver, name)
      const other = yield* session(server.url)
      yield* other(`SELECT GET_LOCK(SHA2(CONCAT(DATABASE(),'\`effect_scopes\`.${name}'),224),0)`)
      const claimed = Effect.gen(function*() {
        const next = record()
        const verdict = yield* driver.commit([[{ ...write(name, last, next), claim: "us" }]])
        assert.deepStrictEqual(verdict, [committed])
        last = next
      })
      yield* Effect.replicateEffect(claimed, 10)
      assert.deepStrictEqual(yield* readAll(driver, [name]), [last])
    }))

  it.live("comes to an end by itself", () =>
    Effect.gen(function*() {
      const server = yield* mysqlServer()
      const [one, two] = [yield* connect(server.port), yield* connect(server.port)] as const
      const name = fresh()
      const first = yield* create(one, name)
      const [second, third] = [record(), record()]
      assert.deepStrictEqual(yield* commit(one, { ...write(name, first, second), claim: "one" }), committed)
      assert.deepStrictEqual(yield* commit(two, { ...write(name, second, third), claim: "two" }), committed)
      const other = yield* session(server.url)
      yield* Effect.sleep(200)
      const [[lock]] = (yield* other(
        `SELECT IS_FREE_LOCK(SHA2(CONCAT(DATABASE(),'\`effect_scopes\`.${name}'),224)) AS free`
      )) as unknown as [[object]]
      assert.deepStrictEqual({ ...lock }, { free: 1 })
    }))
})
