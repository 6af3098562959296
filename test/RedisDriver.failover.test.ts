/** Primaries that die, and replicas that take their place. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as Slot from "../src/internal/redis/slot.ts"
import * as RedisDriver from "../src/RedisDriver.ts"
import { DriverError } from "../src/ScopedError.ts"
import { countWhile, create, prefix, says, type Tally } from "./redis/helpers.ts"
import {
  redisCluster,
  redisNode,
  redisSentinels,
  type RedisServer,
  redisServer,
  until,
  version
} from "./servers/redis.ts"

/** With one replica that has all that was acknowledged, nothing of that is lost with the primary. */
const wait = { replicas: 1, timeout: "200 millis" } as const

const exact = (tally: Tally & { readonly errors: ReadonlyArray<string> }, total: number) => {
  assert.deepStrictEqual([tally.errors, tally.unknown], [[], 0])
  assert.isAbove(tally.done, 0)
  assert.strictEqual(total, tally.done + tally.short)
}

it.live(
  "a cluster that loses a master counts exactly, hints, and goes on without what it lost for good",
  () =>
    Effect.gen(function*() {
      const { masters, nodes, replicas } = yield* redisCluster({ timeout: 500 })
      const [victim, heir] = [masters[0]!, replicas[0]!]
      const names = Array.from({ length: 30 }, (_, i) => `${i}`)
      const lost = names.filter((name) => Slot.ofKey(prefix + name) < 5461)
      assert.isNotEmpty(lost)
      const redis = yield* RedisDriver.make({ cluster: nodes, timeout: "2 seconds" })
      const hints = new Map<string, number>(names.map((name) => [name, 0]))
      yield* redis.changes(names).pipe(
        Stream.runForEach((name) => Effect.sync(() => hints.set(name, hints.get(name)! + 1))),
        Effect.forkScoped
      )
      let running = true
      const counting = yield* countWhile((i) => names[i % names.length]!, 8, () => running).pipe(
        Effect.provide(RedisDriver.layer({ cluster: nodes, wait })),
        Effect.forkChild
      )
      yield* Effect.sleep("300 millis")
      yield* victim.stop("SIGKILL")
      yield* until(
        "the replica takes its place",
        Effect.map(heir.call("role"), (role) => String(role).startsWith("master"))
      )
      yield* Effect.sleep("300 millis")
      running = false
      const tally = yield* Fiber.join(counting)
      const total = (yield* redis.read(names)).reduce((sum, found) => sum + Number(found?.data ?? 0), 0)
      exact(tally, total)

      // Hints come from the new master.
      const before = new Map(hints)
      const records = yield* redis.read(lost)
      yield* redis.commit(
        lost.map((
          name,
          i
        ) => [{ name, expected: records[i]?.revision ?? null, next: { revision: "t:hint", data: "0" } }])
      )
      yield* until("hints", Effect.sync(() => lost.every((name) => hints.get(name)! > before.get(name)!)))

      // Without the new one, its slots are out of reach, and no others.
      yield* heir.stop("SIGKILL")
      const fresh = Array.from({ length: 30 }, (_, i) => `fresh/${i}`)
      for (const attempt of ["waits", "does not wait"]) {
        const start = performance.now()
        const answers = yield* redis.commit(fresh.map((name) => create(`${attempt}/${name}`)))
        assert.isBelow(performance.now() - start, attempt === "waits" ? 3000 : 1000)
        for (const [i, answer] of answers.entries()) {
          if (Slot.ofKey(`${prefix}${attempt}/${fresh[i]}`) < 5461) {
            assert.instanceOf(answer, DriverError)
            assert.strictEqual(answer.reason, "Unavailable", answer.message)
          } else {
            assert.deepStrictEqual(answer, { committed: true })
          }
        }
      }
    }),
  60_000
)

it.live(
  "a primary that Sentinel replaces counts exactly, and a new one is found at start",
  () =>
    Effect.gen(function*() {
      const { current, name, primary, sentinels } = yield* redisSentinels
      let running = true
      const counting = yield* countWhile("count", 8, () => running).pipe(
        Effect.provide(RedisDriver.layer({ sentinels, name, wait })),
        Effect.forkChild
      )
      yield* Effect.sleep("300 millis")
      yield* primary.stop("SIGKILL")
      yield* until("another takes its place", Effect.map(current, (port) => port !== primary.port))
      yield* Effect.sleep("500 millis")
      running = false
      const tally = yield* Fiber.join(counting)
      const redis = yield* RedisDriver.make({ sentinels, name })
      const [found] = yield* redis.read(["count"])
      exact(tally, Number(found?.data))
      const elsewhere = yield* RedisDriver.make({ sentinels, name: "another", timeout: "2 seconds" })
      says(yield* Effect.flip(elsewhere.read(["count"])), "Unavailable", "sentinel")
    }),
  60_000
)

it.live(
  "a cluster whose servers are stopped goes on where they are not, lane by lane",
  () =>
    Effect.gen(function*() {
      const { masters, nodes } = yield* redisCluster()
      const redis = yield* RedisDriver.make({ cluster: nodes, timeout: "2 seconds" })
      const names = Array.from({ length: 90 }, (_, i) => `${i}`)
      const records = names.map((name) => ({ revision: `t:${name}`, data: "1" }))
      const answers = yield* redis.commit(names.map((name, i) => create(name, records[i])))
      assert.isTrue(answers.every((answer) => !(answer instanceof DriverError) && answer.committed))
      const lanes = new Map<string, Array<string>>()
      for (const name of names) {
        const lane = redis.lane!(name)
        lanes.set(lane, [...lanes.get(lane) ?? [], name])
      }
      assert.deepStrictEqual(
        [...lanes.keys()].toSorted(),
        masters.map(({ port }) => `127.0.0.1:${port}`).toSorted()
      )
      yield* masters[0]!.signal("SIGSTOP")
      const stopped = `127.0.0.1:${masters[0]!.port}`
      const results = yield* Effect.forEach(lanes, ([lane, names]) =>
        Effect.gen(function*() {
          const start = performance.now()
          for (let i = 0; i < (lane === stopped ? 1 : 5); i++) {
            const answers = yield* redis.commit(names.map((name) => create(`${name}`)))
            for (const answer of answers) {
              if (lane !== stopped) assert.isFalse(answer instanceof DriverError)
              else {
                assert.instanceOf(answer, DriverError)
                says(answer, "Timeout", "did not answer", true)
              }
            }
            const read = yield* Effect.exit(redis.read(names))
            assert.strictEqual(read._tag, lane === stopped ? "Failure" : "Success")
          }
          return [lane, performance.now() - start] as const
        }), { concurrency: "unbounded" })
      for (const [lane, millis] of results) {
        if (lane === stopped) assert.isAtLeast(millis, 1_900)
        else assert.isBelow(millis, 1_500)
      }
      yield* masters[0]!.signal("SIGCONT")
      yield* until(
        "it is used again",
        Effect.map(Effect.exit(redis.read(names)), (exit) => exit._tag === "Success")
      )
      assert.deepStrictEqual(yield* redis.read(names), records)
    }),
  60_000
)

it.live(
  "a cluster that is upgraded under those who watch is listened to as the newer one",
  () =>
    Effect.gen(function*() {
      if ((yield* version(yield* redisServer())) < 7) return
      // What Redis 6 does not know.
      const without = (command: string) => ["--rename-command", command, ""]
      const { masters, nodes } = yield* redisCluster({ args: [...without("SSUBSCRIBE"), ...without("SPUBLISH")] })
      const old = masters[0]!
      const redis = yield* RedisDriver.make({ cluster: nodes })
      const names = Array.from({ length: 30 }, (_, i) => `${i}`)
      const moved = names.filter((name) => Slot.ofKey(prefix + name) < 5461)
      const hints = new Map<string, number>(names.map((name) => [name, 0]))
      yield* redis.changes(names).pipe(
        Stream.runForEach((name) => Effect.sync(() => hints.set(name, hints.get(name)! + 1))),
        Effect.forkScoped
      )
      const channels = (server: RedisServer, how: string) =>
        Effect.map(server.call("pubsub", how), (channels) =>
          (channels as Array<string>).filter((channel) => channel.startsWith(prefix)).length)
      yield* until(
        "it listens",
        Effect.map(channels(old, "channels"), (count) =>
          count === moved.length)
      )
      yield* old.stop("SIGKILL")
      const renewed = yield* redisNode(10_000, { directory: old.directory, port: old.port })
      yield* until("it listens", Effect.map(channels(renewed, "shardchannels"), (count) => count === moved.length))
      yield* until(
        "the cluster is ready",
        Effect.map(Effect.exit(redis.read(names)), (exit) => exit._tag === "Success")
      )
      yield* Effect.sleep("300 millis")
      const before = new Map(hints)
      const start = performance.now()
      yield* redis.commit(moved.map((name) => create(name)))
      yield* until("hints", Effect.sync(() => moved.every((name) => hints.get(name)! > before.get(name)!)))
      // Not by looking now and then.
      assert.isBelow(performance.now() - start, 1_500)
    }),
  60_000
)
