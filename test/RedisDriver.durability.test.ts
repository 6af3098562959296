/** What `wait` and `waitAof` promise. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Stream } from "effect"
import type { Driver, Transaction } from "../src/Driver.ts"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import {
  check,
  commit,
  counter,
  create,
  driver,
  increment,
  layer,
  prefix,
  record,
  refusal,
  says,
  setUser,
  stored,
  write
} from "./redis/helpers.ts"
import { type Proxy, proxy } from "./redis/proxy.ts"
import {
  flags,
  type RedisCluster,
  redisCluster,
  redisReplica,
  type RedisServer,
  redisServer,
  until,
  version
} from "./servers/redis.ts"

/** Makes a replica lag: what it has acknowledged stays as it is. */
const lagging = Effect.fnUntraced(function*(primary: RedisServer, replica: RedisServer) {
  yield* until(
    "the replica has caught up",
    Effect.map(primary.call("wait", 1, 1000), (count) => Number(count) === 1)
  )
  yield* replica.signal("SIGSTOP")
})

/** How often replicas were waited for on a wire, from now on. */
const waits = (wire: Proxy) => {
  const asked = { count: 0 }
  wire.overhear = (question) => {
    asked.count += question.toString("latin1").split("wait\r\n$1\r\n1").length - 1
  }
  return asked
}

/** What a refused transaction lacks, which may be among what it was refused for. */
const shortfall = (driver: Driver, transaction: Transaction) =>
  Effect.map(driver.commit([transaction]), ([verdict]) => {
    if (verdict === undefined || !("shortfall" in verdict)) return assert.fail("it says nothing of the replicas")
    return verdict.shortfall!
  })

const isCommitted = (answer: Buffer): boolean => /^:1\r\n|\*1\r\n:1\r\n/.test(answer.toString("latin1"))

/** Drops the first answer that tells of a commit, and the connection with it. Tells whether it has. */
const dropsCommitted = (wire: Proxy, onDrop = () => {}): () => boolean => {
  let dropped = false
  wire.inspect = (answer) => {
    if (dropped || !isCommitted(answer)) return true
    dropped = true
    onDrop()
    return false
  }
  return () => dropped
}

describe("an update in Redis", { concurrent: true }, () => {
  it.live("waits for replicas, and says that it is committed where too few have it", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      const options = { wait: { replicas: 1, timeout: "1 second" } } as const
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* increment(counter("a")), 1)
        assert.strictEqual(yield* stored(replica, "a"), 1)
        yield* lagging(primary, replica)
        const error = yield* Effect.flip(increment(counter("a")))
        assert.strictEqual(error._tag, "NotReplicatedError")
        assert.include(error.message, "committed on the primary, but only 0 of 1 replicas")
        assert.strictEqual(yield* stored(primary, "a"), 2)
        yield* replica.signal("SIGCONT")
        assert.strictEqual(yield* increment(counter("a")), 3)
        assert.strictEqual(yield* stored(replica, "a"), 3)
      }).pipe(Effect.provide(layer(primary, options)))
    }))

  it.live("may wait longer than anything else takes, while reads go on", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* increment(counter("a")), 1)
        yield* lagging(primary, replica)
        const waiting = yield* Effect.forkChild(Effect.flip(increment(counter("a"))), { startImmediately: true })
        yield* until("it is committed", Effect.map(stored(primary, "a"), (count) => count === 2))
        assert.strictEqual(yield* Scoped.get(counter("a")), 2)
        assert.isUndefined(waiting.pollUnsafe())
        const error = yield* Fiber.join(waiting)
        assert.strictEqual(error._tag, "NotReplicatedError")
      }).pipe(Effect.provide(layer(primary, { wait: { replicas: 1, timeout: "4 seconds" }, timeout: "2 seconds" })))
      assert.strictEqual(yield* stored(primary, "a"), 2)
    }))

  it.live("waits once, also on a server that has not got the script", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const wire = yield* proxy(primary.port)
      const redis = yield* driver(wire.port, { wait: { replicas: 1, timeout: "100 millis" } })
      const asked = waits(wire)
      for (let i = 0; i < 3; i++) {
        yield* primary.call("script", "flush")
        says(yield* refusal(redis, create(`${i}`)), "NotReplicated", "0 of 1")
        assert.strictEqual(asked.count, i + 1)
      }
    }))

  it.live("is in doubt where the connection is lost before the replicas have answered", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const wire = yield* proxy(primary.port)
      const redis = yield* driver(wire.port, { wait: { replicas: 1, timeout: "500 millis" } })
      says(yield* refusal(redis, create("a")), "NotReplicated", "0 of 1")
      let cut = false
      wire.overhear = (question) => {
        if (cut || !question.includes("wait\r\n$1\r\n1")) return
        cut = true
        setTimeout(wire.cut, 100)
      }
      const first = record()
      says(yield* refusal(redis, create("b", first)), "Unavailable", "was lost", true)
      // On the new connection nothing was written, and so nothing would be waited for.
      says(yield* shortfall(redis, create("b", first)), "NotReplicated", "0 of 1")
      assert.deepStrictEqual(yield* redis.read(["b"]), [first])
    }))

  it.live("that is refused needs no replica", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const redis = yield* driver(primary, { wait: { replicas: 1, timeout: "100 millis" } })
      const first = record()
      says(yield* refusal(redis, create("a", first)), "NotReplicated", "0 of 1")
      assert.isFalse(yield* commit(redis, create("a")))
      // The very same once more is found applied, and still has no replica.
      says(yield* shortfall(redis, create("a", first)), "NotReplicated", "0 of 1")
      assert.deepStrictEqual(yield* redis.read(["a"]), [first])
      const two = yield* driver(primary, { wait: { replicas: 0 } })
      assert.isTrue(yield* commit(two, [write("a", first, record())]))
    }))

  // How the connection comes to have written something, that is waited for, where the commit is found applied.
  for (const how of ["may publish", "may not publish"]) {
    it.live(`whose answer was lost waits for replicas as well when it is sent again, by one who ${how}`, () =>
      Effect.gen(function*() {
        const primary = yield* redisServer()
        const replica = yield* redisReplica(primary)
        if (how === "may not publish") yield* primary.call("acl", "setuser", "default", "-publish")
        const wire = yield* proxy(primary.port)
        const last = yield* Effect.gen(function*() {
          assert.strictEqual(yield* increment(counter("a")), 1)
          yield* lagging(primary, replica)
          const dropped = dropsCommitted(wire)
          // The first sending was applied and has no replica either, though the connection of the second wrote nothing.
          const error = yield* Effect.flip(increment(counter("a")))
          assert.strictEqual(error._tag, "NotReplicatedError")
          assert.isTrue(dropped())
          yield* replica.signal("SIGCONT")
          return yield* Scoped.get(counter("a"))
        }).pipe(Effect.provide(layer(wire.port, { wait: { replicas: 1, timeout: "1500 millis" } })))
        assert.deepStrictEqual([last, yield* stored(primary, "a")], [2, 2])
      }))
  }

  it.live("whose answer was lost waits for replicas as well when others have written on top of it", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const replica = yield* redisReplica(primary)
      const wire = yield* proxy(primary.port)
      const others = yield* Layer.build(layer(primary))
      yield* Effect.gen(function*() {
        assert.strictEqual(yield* increment(counter("a")), 1)
        yield* lagging(primary, replica)
        const dropped = dropsCommitted(wire, () => {
          wire.mode = "closed"
        })
        const lost = yield* Effect.forkChild(Effect.flip(increment(counter("a"))))
        yield* until("the answer is lost", Effect.sync(dropped))
        assert.strictEqual(yield* Effect.provideContext(increment(counter("a")), others), 3)
        wire.mode = "open"
        assert.strictEqual((yield* Fiber.join(lost))._tag, "NotReplicatedError")
        yield* replica.signal("SIGCONT")
      }).pipe(Effect.provide(layer(wire.port, { wait: { replicas: 1, timeout: "1500 millis" } })))
      assert.strictEqual(yield* stored(primary, "a"), 3)
    }))

  it.live("waits for disks where the server can, and is not sent where it cannot", () =>
    Effect.gen(function*() {
      const durable = yield* redisServer({ args: flags({ appendonly: "yes", appendfsync: "everysec" }) })
      const fleeting = yield* redisServer()
      const waitAof = { local: 1, timeout: "3 seconds" } as const
      const cannot = yield* driver(fleeting, { waitAof })
      for (let i = 0; i < 2; i++) says(yield* refusal(cannot, create("a")), "Forbidden", /WAITAOF/i)
      assert.isUndefined(yield* stored(fleeting, "a"))
      const can = yield* driver(durable, { waitAof })
      if ((yield* version(durable)) < 7.2) {
        says(yield* refusal(can, create("a")), "Forbidden", "7.2")
        assert.isUndefined(yield* stored(durable, "a"))
        return
      }
      assert.isTrue(yield* commit(can, create("a")))
      const more = yield* driver(durable, { waitAof: { local: 1, replicas: 1, timeout: "1500 millis" } })
      says(yield* refusal(more, create("b")), "NotReplicated", "0 of 1 of its replicas")
      assert.strictEqual(yield* stored(durable, "b"), 1)
    }))

  it.live("that only reads waits for nobody, and tells nobody", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      const wire = yield* proxy(primary.port)
      const redis = yield* driver(wire.port, { wait: { replicas: 1, timeout: "1 second" } })
      const hints: Array<string> = []
      yield* Effect.forkScoped(Stream.runForEach(redis.changes(["a"]), (name) => Effect.sync(() => hints.push(name))))
      yield* until("it listens", Effect.sync(() => hints.length >= 2))
      const asked = waits(wire)
      assert.isFalse(yield* commit(redis, [{ name: "a", expected: "t:0", next: undefined }]))
      assert.isTrue(yield* commit(redis, [{ name: "a", expected: null, next: undefined }]))
      assert.deepStrictEqual(yield* redis.read(["a"]), [null])
      assert.strictEqual(asked.count, 0)
      assert.strictEqual(hints.length, 2)
    }))

  it.live("that is sent again by one who may not replicate it leaves no doubt about what goes with it", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      if ((yield* version(primary)) < 7) return
      const rights = ["+@all", "-publish", `~${prefix}*`, `&${prefix}*`]
      yield* setUser(primary, ...rights)
      const user = { username: "app", password: "secret" }
      const redis = yield* driver(primary, { ...user, wait: { replicas: 0 } })
      const first = record()
      assert.isTrue(yield* commit(redis, create("a", first)))
      yield* setUser(primary, ...rights, "-set", `(+set ~${prefix}b)`)
      const [b, a] = yield* redis.commit([create("b"), create("a", first)])
      assert.deepStrictEqual(b, { committed: true })
      assert.include(String(a), "NOPERM")
      assert.strictEqual(yield* stored(primary, "b"), 1)
    }))

  it.live("that is sent again leaves what it only checked as it was", () =>
    Effect.gen(function*() {
      const primary = yield* redisServer()
      yield* primary.call("acl", "setuser", "default", "-publish")
      const redis = yield* driver(primary, { wait: { replicas: 1, timeout: "50 millis" } })
      const first = record()
      const transaction = [check("absent", null), write("a", null, first)]
      says(yield* refusal(redis, transaction), "NotReplicated", "0 of 1")
      for (let i = 0; i < 2; i++) says(yield* shortfall(redis, transaction), "NotReplicated", "0 of 1")
      assert.strictEqual(yield* primary.call("exists", `${prefix}absent`), 0)
      assert.deepStrictEqual(yield* redis.read(["absent", "a"]), [null, first])
    }))
})

/** A wire to each of the servers of a cluster. */
const wired = Effect.fnUntraced(function*({ masters, replicas }: RedisCluster) {
  const natMap: { [address: string]: { readonly host: string; readonly port: number } } = {}
  const wires: Array<Proxy> = []
  for (const { port } of [...masters, ...replicas]) {
    const wire = yield* proxy(port)
    natMap[`127.0.0.1:${port}`] = { host: "127.0.0.1", port: wire.port }
    wires.push(wire)
  }
  return { natMap, wires }
})

it.live("an update whose answer was lost waits for replicas as well when it is sent again to a cluster", () =>
  Effect.gen(function*() {
    const cluster = yield* redisCluster()
    const { natMap, wires } = yield* wired(cluster)
    let dropped = 0
    let drops = false
    for (const wire of wires) {
      wire.inspect = (answer) => !(drops && isCommitted(answer) && dropped++ === 0)
    }
    yield* Effect.gen(function*() {
      assert.strictEqual(yield* increment(counter("a")), 1)
      for (const replica of cluster.replicas) yield* replica.signal("SIGSTOP")
      drops = true
      assert.strictEqual((yield* Effect.flip(increment(counter("a"))))._tag, "NotReplicatedError")
      assert.isAbove(dropped, 0)
      for (const replica of cluster.replicas) yield* replica.signal("SIGCONT")
      assert.strictEqual(yield* Scoped.get(counter("a")), 2)
    }).pipe(Effect.provide(RedisDriver.layer({
      cluster: cluster.nodes,
      clusterOptions: { natMap },
      wait: { replicas: 1, timeout: "1500 millis" }
    })))
  }))

it.live("updates of many slots of a cluster wait for replicas together, also when they are the first", () =>
  Effect.gen(function*() {
    const cluster = yield* redisCluster()
    for (const replica of cluster.replicas) yield* replica.signal("SIGSTOP")
    const { natMap, wires } = yield* wired(cluster)
    const asked = wires.map(waits)
    const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
    const errors = yield* Effect.forEach(names, (name) => Effect.flip(increment(counter(name))), {
      concurrency: "unbounded"
    }).pipe(Effect.provide(RedisDriver.layer({
      cluster: cluster.nodes,
      clusterOptions: { natMap },
      wait: { replicas: 1, timeout: "600 millis" }
    })))
    assert.isTrue(errors.every(({ _tag }) => _tag === "NotReplicatedError"))
    assert.isBelow(asked.reduce((sum, { count }) => sum + count, 0), 30)
    for (const replica of cluster.replicas) yield* replica.signal("SIGCONT")
  }))
