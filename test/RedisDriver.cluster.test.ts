/** A cluster of real processes: where things are, and that they move. */
import { assert, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { suite } from "effect-scoped/testing/DriverSuite"
import { Cluster } from "ioredis"
import { once } from "node:events"
import * as Slot from "../src/internal/redis/slot.ts"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import { DriverError } from "../src/ScopedError.ts"
import { commit, counter, countWhile, create, prefix, record, says, write } from "./redis/helpers.ts"
import { redisCluster, redisNode, type RedisServer, until, version } from "./servers/redis.ts"

class Servers extends Context.Service<Servers, Effect.Success<ReturnType<typeof redisCluster>>>()("test/Cluster") {}

// With the tag all scopes are in one slot, and so may change together as the suite wants.
suite("redis cluster", {
  store: Effect.map(redisCluster(), ({ nodes }) => RedisDriver.make({ cluster: nodes, prefix: "{suite}:" }))
})

/** Who has the slot of a scope. */
const ownerOf = Effect.fnUntraced(function*(masters: ReadonlyArray<RedisServer>, name: string) {
  const slot = Slot.ofKey(prefix + name)
  for (const master of masters) {
    const slots = (yield* master.call("cluster", "slots")) as ReadonlyArray<
      readonly [number, number, readonly [string, number]]
    >
    const range = slots.find(([from, to]) => from <= slot && slot <= to)
    if (range?.[2][1] === master.port) return { slot, owner: master }
  }
  return yield* Effect.die(new Error(`nobody has ${slot}`))
})

const id = (server: RedisServer) => Effect.map(server.call("cluster", "myid"), String)

it.layer(Layer.effect(Servers, redisCluster()), { excludeTestServices: true, timeout: "30 seconds" })(
  "a Redis cluster",
  (it) => {
    const open = (options: RedisDriver.Options = {}) =>
      Effect.flatMap(Servers, ({ nodes }) => RedisDriver.make({ cluster: nodes, ...options }))

    it.effect("has keys in the slots that we think", () =>
      Effect.gen(function*() {
        const { masters } = yield* Servers
        const names = [
          "a",
          "{a}b",
          "{}a",
          "{{a}}b",
          "{a}{b}",
          "a{b",
          "a}b{",
          "x{é😀}y",
          "😀",
          "\u0000",
          "x".repeat(512)
        ]
        for (const name of [...names, ...Array.from({ length: 50 }, (_, i) => `${i * 7919}`)]) {
          assert.strictEqual(Slot.ofKey(name), yield* masters[0]!.call("cluster", "keyslot", name), name)
        }
      }))

    it.effect("takes a batch for all of its servers, and refuses what is not in one slot", () =>
      Effect.gen(function*() {
        const redis = yield* open()
        const names = Array.from({ length: 600 }, (_, i) => `batch/${i}`)
        const across = [write("items", null, record()), write("total", null, record())]
        const together = [write("{cart}:items", null, record()), write("{cart}:total", null, record())]
        const answers = yield* redis.commit([...names.map((name) => create(name)), across, together])
        const refused = answers[600]
        assert.instanceOf(refused, DriverError)
        says(refused, "Forbidden", /"items" and "total" are in different slots.*hash tag/)
        assert.isTrue(answers.every((answer, i) => i === 600 || ("committed" in answer && answer.committed)))
        assert.strictEqual((yield* redis.read(names)).filter((found) => found !== null).length, 600)
        assert.deepStrictEqual(yield* redis.read(["items", "total"]), [null, null])
        const [again] = yield* redis.commit([together])
        assert.deepStrictEqual(again, { committed: false, current: together.map(({ next }) => next!) })
      }))

    it.effect("says so where it is taken for one server", () =>
      Effect.gen(function*() {
        const { masters } = yield* Servers
        const redis = yield* RedisDriver.make({ url: masters[0]!.url })
        const answers = yield* redis.commit(Array.from({ length: 20 }, (_, i) => create(`single/${i}`)))
        for (const answer of answers) {
          assert.instanceOf(answer, DriverError)
          says(answer, "Forbidden", /CROSSSLOT.*"cluster"/)
        }
        const errors = yield* Effect.forEach([1, 2, 3, 4, 5, 6], (i) =>
          Effect.result(commit(redis, create(`single/${i}`))))
        const moved = errors.flatMap((result) =>
          result._tag === "Failure" ? [result.failure] : []
        )
        assert.isNotEmpty(moved)
        for (const error of moved) says(error, "Forbidden", /MOVED.*"cluster"/)
      }))

    it.effect("changes scopes with a tag together", () =>
      Effect.gen(function*() {
        const { nodes } = yield* Servers
        const both = Scoped.all({ one: counter("{pair}:one"), two: counter("{pair}:two") })
        const transfer = Scoped.update(both, ({ one, two }) => [undefined, { one: one + 1, two: two - 1 }])
        yield* Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 100 }), () => transfer, { concurrency: 10 })
          assert.deepStrictEqual(yield* Scoped.get(both), { one: 100, two: -100 })
          const apart = Scoped.all({ one: counter("one"), two: counter("two") })
          const error = yield* Effect.flip(
            Scoped.update(apart, (state) => [undefined, { ...state, one: state.one + 1 }])
          )
          assert.include(error.message, "hash tag")
        }).pipe(Effect.provide(RedisDriver.layer({ cluster: nodes })))
      }))

    it.effect("lists names and hints changes of all of its servers", () =>
      Effect.gen(function*() {
        const { masters } = yield* Servers
        const [writing, watching] = [yield* open({ prefix: "all:" }), yield* open({ prefix: "all:" })]
        const names = Array.from({ length: 300 }, (_, i) => `${i}`)
        const hints = new Map<string, number>(names.map((name) => [name, 0]))
        yield* watching.changes(names).pipe(
          Stream.runForEach((name) => Effect.sync(() => hints.set(name, hints.get(name)! + 1))),
          Effect.forkScoped
        )
        yield* until("it listens", Effect.sync(() => [...hints.values()].every((count) => count === 2)))
        yield* writing.commit(names.map((name) => create(name)))
        yield* until("each is hinted", Effect.sync(() => [...hints.values()].every((count) => count === 3)))
        assert.deepStrictEqual((yield* Stream.runCollect(writing.names(""))).toSorted(), names.toSorted())
        const channels = yield* Effect.forEach(masters, (master) =>
          Effect.gen(function*() {
            const sharded = (yield* version(master)) >= 7
            return (yield* master.call("pubsub", sharded ? "shardchannels" : "channels")) as ReadonlyArray<string>
          }))
        assert.strictEqual(channels.flat().filter((channel) => channel.startsWith("all:")).length, 300)
      }))

    it.effect("uses a client that it is given, and leaves it open", () =>
      Effect.gen(function*() {
        const { nodes } = yield* Servers
        const cluster = new Cluster([...nodes], { keyPrefix: "app:", scaleReads: "slave" })
        yield* Effect.addFinalizer(() => Effect.sync(() => cluster.disconnect()))
        yield* Effect.promise(() => once(cluster, "ready"))
        const scope = yield* Scope.make()
        const redis = yield* Scope.provide(RedisDriver.make({ client: cluster }), scope)
        const first = record()
        assert.isTrue(yield* commit(redis, create("given", first)))
        // From its primary, whatever the client reads from otherwise.
        assert.deepStrictEqual(yield* redis.read(["given"]), [first])
        assert.deepStrictEqual(yield* Stream.runCollect(redis.names("given")), ["given"])
        yield* Scope.close(scope, Exit.void)
        assert.strictEqual(cluster.status, "ready")
        assert.strictEqual(yield* Effect.promise(() => cluster.exists("effect-scoped:given")), 1)
      }))

    it.effect("counts exactly while a slot moves, key by key", () =>
      Effect.gen(function*() {
        const { masters, nodes } = yield* Servers
        const names = Array.from({ length: 40 }, (_, i) => `{moving}:${i}`)
        const { owner, slot } = yield* ownerOf(masters, names[0]!)
        // Somebody new, whom no client knows before it has a slot.
        const other = yield* redisNode(10_000)
        yield* other.call("cluster", "meet", "127.0.0.1", owner.port)
        yield* until(
          "all know each other",
          Effect.map(
            Effect.all([
              other.call("cluster", "info"),
              ...[other, ...masters].map((server) => server.call("cluster", "nodes"))
            ]),
            ([info, ...lists]) =>
              String(info).includes("cluster_state:ok") &&
              lists.every((list) => String(list).trim().split("\n").length === 7 && !String(list).includes("handshake"))
          )
        )
        const storage = RedisDriver.layer({ cluster: nodes })
        const hints = new Set<string>()
        const watching = yield* open()
        yield* watching.changes(names).pipe(
          Stream.runForEach((name) => Effect.sync(() => hints.add(name))),
          Effect.forkScoped
        )
        let running = true
        const tallies = yield* Effect.forEach(
          // Some are there before, some are created while the slot moves.
          [names.slice(0, 20), names.slice(20)],
          (some) => countWhile((i) => some[i % some.length]!, 4, () => running),
          { concurrency: "unbounded" }
        ).pipe(Effect.provide(storage), Effect.forkChild)
        const pairs = yield* Effect.forkChild(Effect.provide(
          Effect.gen(function*() {
            const both = Scoped.all({ one: counter("{moving}:one"), two: counter("{moving}:two") })
            let done = 0
            while (running) {
              yield* Scoped.update(both, ({ one, two }) => [undefined, { one: one + 1, two: two + 1 }])
              done++
            }
            return done
          }),
          storage
        ))
        yield* Effect.sleep("200 millis")
        for (const [from, to] of [[owner, other], [other, owner]] as const) {
          yield* to.call("cluster", "setslot", slot, "importing", yield* id(from))
          yield* from.call("cluster", "setslot", slot, "migrating", yield* id(to))
          for (;;) {
            const keys = (yield* from.call("cluster", "getkeysinslot", slot, 2)) as ReadonlyArray<string>
            if (keys.length === 0) break
            yield* from.call("migrate", "127.0.0.1", to.port, "", 0, 1000, "keys", ...keys)
            yield* Effect.sleep("10 millis")
          }
          // Between the two, whoever asks is sent on.
          const between = yield* open({ timeout: "1 second" })
          assert.isTrue(yield* commit(between, create(`{moving}:to ${to.port}`)))
          const pair = [`{moving}:1/${to.port}`, `{moving}:2/${to.port}`]
          for (const name of pair) assert.isTrue(yield* commit(between, create(name)))
          const [one, two] = yield* between.read(pair)
          assert.isTrue(yield* commit(between, [write(pair[0]!, one!, record()), write(pair[1]!, two!, record())]))
          yield* to.call("cluster", "setslot", slot, "node", yield* id(to))
          // A server that has given its last slot away may follow the new owner, and then takes no such orders.
          yield* Effect.exit(from.call("cluster", "setslot", slot, "node", yield* id(to)))
          yield* Effect.sleep("200 millis")
        }
        running = false
        const counted = yield* Fiber.join(tallies)
        for (const tally of counted) assert.deepStrictEqual([tally.errors, tally.unknown], [[], 0])
        const done = yield* Fiber.join(pairs)
        const redis = yield* open()
        const total = (yield* redis.read(names)).reduce((sum, found) => sum + Number(found?.data ?? 0), 0)
        assert.strictEqual(total, counted.reduce((sum, tally) => sum + tally.done, 0))
        assert.isAbove(total, 100)
        const both = yield* redis.read(["{moving}:one", "{moving}:two"])
        assert.deepStrictEqual(both.map((found) => Number(found?.data)), [done, done])
        // The subscriptions have moved with it, and back.
        hints.clear()
        const [first] = yield* redis.read([names[0]!])
        assert.isTrue(yield* commit(redis, [{ ...write(names[0]!, first!, record()), expiresIn: Duration.hours(1) }]))
        yield* until("the hint", Effect.sync(() => hints.has(names[0]!)))
      }), 60_000)
  }
)
