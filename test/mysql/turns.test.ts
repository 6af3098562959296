/** Whose connection a turn is. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Mysql from "mysql2"
import * as Background from "../../src/internal/background.ts"
import { Deadlines } from "../../src/internal/deadlines.ts"
import * as Connections from "../../src/internal/mysql/connections.ts"
import * as Pool from "../../src/internal/mysql/pool.ts"
import * as Turns from "../../src/internal/mysql/turns.ts"
import { committed, create, fresh, record, soon, write } from "../../src/testing/driver/TestStore.ts"
import { mysqlServer } from "../servers/mysql.ts"
import { connect, session } from "./store.ts"

const timeout = 10_000
const size = 4

/** Turns at a server, and a name that there is a record of. */
const turns = Effect.gen(function*() {
  const server = yield* mysqlServer()
  const name = fresh()
  const first = yield* create(yield* connect(server.port), name)
  const { pool } = yield* Pool.make({ url: server.url, poolConfig: { connectionLimit: size } }, timeout)
  const clock = yield* Clock.Clock
  // What was asked once is trusted for as long as a test takes.
  const still: Clock.Clock = Object.assign(Object.create(clock), { currentTimeMillisUnsafe: () => 0 })
  const connections = Connections.make({ clock: still, pool, owned: true, timeout })
  yield* Effect.addFinalizer(() => connections.close)
  const now = () => clock.currentTimeMillisUnsafe()
  const deadline = now() + timeout
  const fork = yield* Background.make
  const deadlines = new Deadlines({ now, fork, soon: yield* Background.soon })
  const made = Turns.make({ connections, deadlines, fork, table: "`effect_scopes`" })
  // Those that were never used are lent to nobody.
  const using = Effect.replicateEffect(connections.run(deadline, ["SELECT SLEEP(0.1)"]), size, {
    concurrency: "unbounded"
  })
  yield* using
  const other = yield* session(server.url)
  const isFree = Effect.map(
    other(`SELECT IS_FREE_LOCK(SHA2(CONCAT(DATABASE(),'\`effect_scopes\`.${name}'),224)) AS free`),
    ([rows]) => (rows as unknown as ReadonlyArray<{ readonly free: number }>)[0]!.free === 1
  )
  const lend = (lender: Turns.Lender) =>
    Effect.callback<Mysql.PoolConnection>((resume) =>
      lender.lend((connection) => {
        assert.isDefined(connection)
        resume(Effect.succeed(connection!))
      })
    )
  return {
    connections,
    lend,
    /** Takes a turn, as one who claims the record does. */
    take: (commit: (lender: Turns.Lender) => Effect.Effect<void>) =>
      made.take(
        { ...write(name, first, record()), claim: "us" },
        deadline,
        (lender) => Effect.as(commit(lender), committed)
      ),
    giveBack: (lender: Turns.Lender, connection: Mysql.PoolConnection) => lender.giveBack(connection, true, deadline),
    ended: soon("the end of the turn", Effect.repeat(isFree, { until: (free) => free }))
  }
})

describe("the connection of a turn", () => {
  it.live("is not lent to one who comes when the turn is over: others have it then", () =>
    Effect.gen(function*() {
      const { connections, ended, giveBack, lend, take } = yield* turns
      yield* take((one) =>
        Effect.gen(function*() {
          const turn = yield* lend(one)
          giveBack(one, turn)
          yield* take((two) =>
            Effect.gen(function*() {
              yield* ended
              const all = yield* Effect.forEach(Array.from({ length: size }), () => lend(connections))
              assert.include(all, turn)
              for (const connection of all) if (connection !== turn) giveBack(connections, connection)
              const own = yield* lend(two)
              assert.notStrictEqual(own, turn)
              giveBack(two, own)
              giveBack(connections, turn)
            })
          )
        })
      )
    }))

  it.live("is lent to one at a time", () =>
    Effect.gen(function*() {
      const { giveBack, lend, take } = yield* turns
      yield* take((one) =>
        Effect.gen(function*() {
          const first = yield* lend(one)
          yield* take((two) =>
            Effect.gen(function*() {
              const second = yield* lend(two)
              assert.notStrictEqual(second, first)
              giveBack(two, second)
            })
          )
          giveBack(one, first)
        })
      )
    }))
})
