/** A server whose memory, rights, replicas and connections come and go while money is moved. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Logger, Random } from "effect"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import { commits, counter, prefix, setUser, stored } from "./redis/helpers.ts"
import { type RedisServer, redisServer } from "./servers/redis.ts"

const accounts = ["a", "b", "c", "d", "e", "f"]

const rights = [
  ...commits,
  "+publish",
  "+spublish",
  "+subscribe",
  "+ssubscribe",
  "+ping",
  "+scan",
  "+info",
  `&${prefix}*`
]

const user = (server: RedisServer, ...changes: ReadonlyArray<string>) =>
  setUser(server, ...rights, ...changes.some((change) => change.includes("~")) ? [] : [`~${prefix}*`], ...changes)

const config = (server: RedisServer, name: string, value: string) => server.call("config", "set", name, value)

/** Each makes the server refuse something, and stop doing so. */
const troubles: ReadonlyArray<(server: RedisServer) => readonly [Effect.Effect<unknown>, Effect.Effect<unknown>]> = [
  (server) => [config(server, "maxmemory", "1"), config(server, "maxmemory", "0")],
  (server) => [config(server, "min-replicas-to-write", "1"), config(server, "min-replicas-to-write", "0")],
  (server) => [Effect.orDie(user(server, "-set")), Effect.orDie(user(server))],
  (server) => [Effect.orDie(user(server, "-publish")), Effect.orDie(user(server))],
  // Some of the accounts, and so the halves of some products.
  (server) => [Effect.orDie(user(server, `~${prefix}[a-c]`)), Effect.orDie(user(server))],
  (server) => [Effect.orDie(user(server, "-set", `~${prefix}*`, `(+set ~${prefix}[a-c])`)), Effect.orDie(user(server))],
  (server) => [server.call("script", "flush"), Effect.void],
  (server) => [server.call("client", "kill", "type", "normal"), Effect.void],
  (server) => [server.call("client", "pause", "30"), Effect.void]
]

it.live(
  "a server that refuses now this and now that moves money whole, once, or not at all",
  () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* user(server)
      const balances = new Map(accounts.map((name) => [name, 0]))
      const outcomes = new Map<string, number>()
      let running = true
      const move = Effect.gen(function*() {
        const [from = "a", to = "b", via = "c"] = yield* Random.shuffle(accounts)
        const some = Scoped.all({ from: counter(from), to: counter(to), via: counter(via) })
        const result = yield* Effect.result(
          Scoped.update(some, ({ from, to, via }) => [undefined, { from: from - 2, to: to + 1, via: via + 1 }])
        )
        const outcome = result._tag === "Success" ? "done" : result.failure._tag
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        if (outcome !== "done") return
        balances.set(from, balances.get(from)! - 2)
        balances.set(to, balances.get(to)! + 1)
        balances.set(via, balances.get(via)! + 1)
      })
      const look = Effect.gen(function*() {
        const all = Scoped.all(accounts.map(counter))
        const found = yield* Effect.result(Scoped.get(all))
        if (found._tag === "Success") assert.strictEqual(found.success.reduce((sum, one) => sum + one, 0), 0)
      })
      const workers = yield* Effect.forEach(
        [move, move, move, move, move, move, look, look],
        (work) =>
          Effect.gen(function*() {
            while (running) yield* work
          }),
        { concurrency: "unbounded", discard: true }
      ).pipe(
        Effect.provide(RedisDriver.layer({ url: server.url, username: "app", password: "secret" })),
        Effect.provide(Logger.layer([])),
        Effect.forkChild
      )
      for (let i = 0; i < 60; i++) {
        const trouble = troubles[i % troubles.length]!
        const [begin, end] = trouble(server)
        yield* begin
        yield* Effect.sleep("15 millis")
        yield* end
        yield* Effect.sleep("10 millis")
      }
      running = false
      yield* Fiber.join(workers)
      const found = yield* Effect.forEach(accounts, (name) => stored(server, name))
      assert.deepStrictEqual(found.map((balance) => balance ?? 0), accounts.map((name) => balances.get(name)!))
      assert.isUndefined(outcomes.get("AmbiguousCommitError"))
      assert.isAbove(outcomes.get("done") ?? 0, 50)
      assert.isAbove(outcomes.get("DriverError") ?? 0, 5)
    }),
  60_000
)
