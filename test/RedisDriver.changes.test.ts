/** Hints that must come although nobody sends them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { Redis } from "ioredis"
import type { Driver } from "../src/Driver.ts"
import { check, commit, create, driver, prefix, record, write } from "./redis/helpers.ts"
import { proxy } from "./redis/proxy.ts"
import { redisServer, until } from "./servers/redis.ts"

/** Counts the hints of each name. */
const watch = Effect.fnUntraced(function*(redis: Driver, names: ReadonlyArray<string>) {
  const hints = new Map<string, number>(names.map((name) => [name, 0]))
  yield* redis.changes(names).pipe(
    Stream.runForEach((name) => Effect.sync(() => hints.set(name, hints.get(name)! + 1))),
    Effect.forkScoped
  )
  // One when it begins to watch, one when the subscription stands.
  yield* until("it listens", Effect.sync(() => [...hints.values()].every((count) => count >= 2)))
  return {
    count: (name: string) => hints.get(name)!,
    more: (name: string, than: number) => until(`a hint of ${name}`, Effect.sync(() => hints.get(name)! > than))
  }
})

describe("hints of changes in Redis", { concurrent: true }, () => {
  for (const how of ["is cut", "is cut without a word"]) {
    it.live(`come for every name when the connection ${how} and comes back`, () =>
      Effect.gen(function*() {
        const server = yield* redisServer()
        const wire = yield* proxy(server.port)
        const watching = yield* driver(wire.port, { timeout: "400 millis" })
        const writing = yield* driver(server)
        const names = Array.from({ length: 700 }, (_, i) => `${i}`)
        const hints = yield* watch(watching, names)
        const before = names.map((name) => hints.count(name))
        wire.mode = how === "is cut" ? "closed" : "dead"
        if (how === "is cut") wire.cut()
        assert.isTrue(yield* commit(writing, create("0")))
        yield* Effect.sleep("200 millis")
        assert.strictEqual(hints.count("0"), before[0])
        wire.mode = "open"
        for (const [i, name] of names.entries()) yield* hints.more(name, before[i]!)
        const again = hints.count("1")
        assert.isTrue(yield* commit(writing, create("1")))
        yield* hints.more("1", again)
      }))
  }

  it.live("are sent with each commit that writes, once for each name, and with no other", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const listener = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.port)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      const heard: Array<string> = []
      listener.on("message", (channel) => heard.push(channel.slice(prefix.length)))
      yield* Effect.promise(() => listener.subscribe(...["a", "b", "c", "end"].map((name) => prefix + name)))
      const [first, second] = [record(), record()]
      assert.isTrue(yield* commit(redis, create("a", first)))
      assert.isFalse(yield* commit(redis, create("a")))
      assert.isFalse(yield* commit(redis, [write("a", first, second), write("b", first, second)]))
      assert.isTrue(yield* commit(redis, [write("a", first, second), check("c", null)]))
      assert.isTrue(yield* commit(redis, [write("b", null, first), write("c", null, first)]))
      assert.isTrue(yield* commit(redis, create("end")))
      yield* until("the last", Effect.sync(() => heard.at(-1) === "end"))
      assert.deepStrictEqual(heard, ["a", "a", "b", "c", "end"])
    }))

  it.live("come when the server cuts them off, or is another one", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const hints = yield* watch(redis, ["a"])
      yield* server.call("client", "kill", "type", "pubsub")
      yield* hints.more("a", 2)
      const before = hints.count("a")
      yield* server.stop("SIGKILL")
      yield* redisServer({ port: server.port })
      yield* hints.more("a", before)
    }))

  it.live("come in a while where they got lost", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const names = Array.from({ length: 1200 }, (_, i) => `${i}`)
      const hints = yield* watch(redis, names)
      const before = names.map((name) => hints.count(name))
      // As a commit that came from the old primary after the subscription to the new one.
      for (const name of ["0", "700", "1199"]) yield* server.call("set", prefix + name, "3::a:1=1")
      for (const name of ["0", "700", "1199"]) yield* hints.more(name, before[Number(name)]!)
      assert.isTrue(yield* commit(redis, [write("0", { revision: "a:1", data: "1" }, record())]))
      // Where nothing changes there are none.
      assert.strictEqual(hints.count("1"), before[1])
    }))
})
