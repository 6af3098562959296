/** Several writers of one scope: who is refused again and again gets a turn, and nobody depends on it. */
import { assert, describe, it } from "@effect/vitest"
import { type Context, Effect, Layer, Schema, type Scope, Stream } from "effect"
import { Redis } from "ioredis"
import type { Driver } from "../src/Driver.ts"
import * as RedisDriver from "../src/RedisDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import type { DriverError, ScopedError } from "../src/ScopedError.ts"
import * as Storage from "../src/Storage.ts"
import { commits, counter, driver, prefix, record, says, setUser } from "./redis/helpers.ts"
import { type Proxy, proxy } from "./redis/proxy.ts"
import { connect, redisCluster, type RedisServer, redisServer, until } from "./servers/redis.ts"

interface Writer {
  /** Adds one to the scope that all share. */
  readonly update: Effect.Effect<number, ScopedError>
  readonly done: () => number
  /** How often handlers ran. */
  readonly attempts: () => number
}

/** `names`: those of the scopes that change together, all of them alike. */
const writerOf = (storage: Context.Context<Storage.Storage>, ...names: ReadonlyArray<string>): Writer => {
  let attempts = 0
  let done = 0
  const update = Scoped.update(Scoped.all(names.map(counter)), ([count = 0]) => {
    // oxlint-disable-next-line effect-scoped/pure-handlers -- how often it runs is the question
    attempts++
    return [count + 1, names.map(() => count + 1)]
  }).pipe(Effect.tap(() => Effect.sync(() => done++)), Effect.provideContext(storage))
  return { update, attempts: () => attempts, done: () => done }
}

const open = (made: Effect.Effect<Driver, DriverError, Scope.Scope>) => Layer.build(Storage.layer(made))

const writer = (
  made: Effect.Effect<Driver, DriverError, Scope.Scope>,
  ...names: ReadonlyArray<string>
) => Effect.map(open(made), (storage) => writerOf(storage, ...names.length > 0 ? names : ["shared"]))

/** Lets writers compete until together they have made so many updates. */
const compete = Effect.fnUntraced(function*(writers: ReadonlyArray<Writer>, updates: number) {
  const end = sum(writers.map(({ done }) => done())) + updates
  yield* Effect.forEach(
    writers,
    ({ update }) =>
      Effect.whileLoop({
        while: () => sum(writers.map(({ done }) => done())) < end,
        body: () => update,
        step: () => {}
      }),
    { concurrency: "unbounded", discard: true }
  )
})

const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, n) => sum + n, 0)

/** Attempts for each update while writers compete, once they know of each other. */
const wasted = Effect.fnUntraced(function*(writers: ReadonlyArray<Writer>) {
  yield* compete(writers, 500)
  const [done, attempts] = [sum(writers.map(({ done }) => done())), sum(writers.map(({ attempts }) => attempts()))]
  yield* compete(writers, 2_000)
  return (sum(writers.map(({ attempts }) => attempts())) - attempts) /
    (sum(writers.map(({ done }) => done())) - done)
})

const exact = Effect.fnUntraced(function*(writers: ReadonlyArray<Writer>) {
  assert.strictEqual(yield* writers[0]!.update, sum(writers.map(({ done }) => done())))
})

/** A driver that knows nothing of turns. */
const plain = (made: ReturnType<typeof driver>) =>
  Effect.map(made, (driver): Driver => ({
    ...driver,
    turn: undefined,
    commit: (batch) => driver.commit(batch.map((transaction) => transaction.map(({ claim: _, ...write }) => write)))
  }))

const channels = (port: number) => connect(port, (redis) => redis.pubsub("CHANNELS", "*") as Promise<Array<string>>)

describe("writers of one scope in Redis", () => {
  it.live("take turns, all alike, and try hardly anything in vain", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writers = yield* Effect.all(Array.from({ length: 6 }, () => writer(driver(server))))
      assert.isBelow(yield* wasted(writers), 1.5)
      const done = writers.map((writer) => writer.done())
      assert.isAbove(Math.min(...done) / Math.max(...done), 0.5, done.join(" "))
      yield* exact(writers)
    }), 60_000)

  it.live("read nothing more when their turn comes, where the state is small", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      for (const [length, isSmall] of [[10, true], [100_000, false]] as const) {
        const text = Scoped.make(`${length}`, { schema: Schema.String, initial: "0" })
        let turns = 0
        let reads = 0
        const one = Effect.gen(function*() {
          const redis = yield* driver(server)
          const storage = yield* open(Effect.succeed<Driver>({
            ...redis,
            turn: (names) => {
              const turn = redis.turn!(names)
              if (turn !== undefined) turns++
              return turn
            },
            read: (names) => {
              reads++
              return redis.read(names)
            }
          }))
          const update = Scoped.update(text, (text) => [0, `${Number(text) + 1}`.padStart(length, "0")])
          return Effect.provideContext(Effect.forever(update), storage)
        })
        const writers = yield* Effect.all([one, one, one])
        yield* Effect.raceFirst(
          until("there were turns", Effect.sync(() => turns > 50)),
          Effect.all(writers, { concurrency: "unbounded" })
        )
        if (isSmall) assert.isBelow(reads, turns / 4)
        else assert.isAbove(reads, turns / 2)
      }
    }), 60_000)

  /** Counts how often a turn is handed on over a wire, and how often so while a request has no answer yet. */
  const handingOn = (wire: Proxy) => {
    const seen = { all: 0, meanwhile: 0 }
    let underWay = false
    wire.overhear = (question) => {
      for (const [command] of question.toString("latin1").matchAll(/evalsha|s?publish\r\n\$\d+\r\n.* turns .*\r/g)) {
        if (command === "evalsha") underWay = true
        else {
          seen.all++
          if (underWay) seen.meanwhile++
        }
      }
    }
    wire.inspect = () => {
      underWay = false
      return true
    }
    return seen
  }

  it.live(
    "hand on before the last commit of a turn, so that the next gets ready meanwhile",
    () =>
      Effect.gen(function*() {
        const server = yield* redisServer()
        const wire = yield* proxy(server.port)
        const seen = handingOn(wire)
        const writers = [yield* writer(driver(wire.port)), yield* writer(driver(server)), yield* writer(driver(server))]
        yield* compete(writers, 2_000)
        assert.isAbove(seen.all, 10)
        assert.isBelow(seen.meanwhile, seen.all / 4)
        yield* exact(writers)
      }),
    60_000
  )

  it.live(
    "hand on behind a last commit that takes a while to arrive, so that the next does not come before it",
    () =>
      Effect.gen(function*() {
        const server = yield* redisServer()
        const wire = yield* proxy(server.port)
        const seen = handingOn(wire)
        const text = Scoped.make("text", { schema: Schema.String, initial: "0" })
        const update = Scoped.update(text, (text) => [0, `${Number(text) + 1}`.padStart(100_000, "0")])
        const one = (port: RedisServer | number) =>
          Effect.map(open(driver(port)), (storage) => Effect.provideContext(Effect.forever(update), storage))
        const writers = yield* Effect.all([one(wire.port), one(server), one(server)])
        yield* Effect.raceFirst(
          until("there were turns", Effect.sync(() => seen.all > 20)),
          Effect.all(writers, { concurrency: "unbounded" })
        )
        assert.isAbove(seen.meanwhile, seen.all / 2)
      }),
    60_000
  )

  it.live(
    "take turns at the same one of several scopes, in whatever order they name them",
    () =>
      Effect.gen(function*() {
        const server = yield* redisServer()
        const writers = yield* Effect.all(
          [["a", "b"], ["b", "a"], ["a", "b"], ["b", "a"]].map((names) => writer(driver(server), ...names))
        )
        assert.isBelow(yield* wasted(writers), 1.5)
        yield* exact(writers)
      }),
    60_000
  )

  it.live("go on without one that is held up when it has the turn", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const far = yield* writer(driver(wire.port, { timeout: "60 seconds" }))
      const near = yield* Effect.all([writer(driver(server)), writer(driver(server))])
      yield* compete([far, ...near], 500)
      for (let i = 0; i < 5; i++) {
        const before = far.done()
        const held = yield* Effect.forkChild(Effect.forever(far.update), { startImmediately: true })
        // It has the turn when it gets through several times in a row.
        yield* Effect.raceFirst(
          until("it has the turn", Effect.sync(() => far.done() >= before + 20 * (i + 1))),
          Effect.forever(compete(near, 10))
        )
        wire.mode = "dead"
        yield* compete(near, 500)
        wire.mode = "open"
        wire.cut()
        const reached = far.done()
        yield* Effect.raceFirst(
          until("it is back", Effect.sync(() => far.done() > reached)),
          Effect.forever(compete(near, 10))
        )
        yield* Effect.sync(() => held.interruptUnsafe())
      }
    }), 60_000)

  /** Updates of a far writer, several scopes at once or one, while near ones update one of these each without pause. */
  const beside = Effect.fnUntraced(function*(far: ReadonlyArray<string>, near: ReadonlyArray<string>) {
    const server = yield* redisServer()
    const wire = yield* proxy(server.port)
    wire.delay = 60
    const others = yield* Effect.forEach(near, (name) => writer(driver(server), name))
    for (const { update } of others) yield* Effect.forkScoped(Effect.forever(update))
    const distant = yield* writer(driver(wire.port), ...far)
    yield* Effect.forkScoped(Effect.forever(distant.update))
    yield* until("the far one had several turns", Effect.sync(() => distant.done() >= 8))
    // Most of the time is left to the others.
    for (const { done } of others) assert.isAbove(done(), 20 * distant.done())
  }, Effect.scoped)

  it.live(
    "come to who is so far away that the others are always first, also beside a single one",
    () =>
      Effect.gen(function*() {
        yield* beside(["shared"], ["shared"])
        yield* beside(["shared"], ["shared", "shared", "shared", "shared", "shared", "shared"])
      }),
    120_000
  )

  it.live("come to who is far away at several scopes, each with others of its own", () =>
    Effect.gen(function*() {
      yield* beside(["a", "b"], ["a"])
      yield* beside(["a", "b"], ["a", "b"])
    }), 120_000)

  it.live("are asked about seldom where somebody watches, and nobody wants any", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const watching = yield* driver(server)
      const one = yield* writer(driver(server))
      yield* Effect.forkScoped(Stream.runDrain(watching.changes(["shared"])))
      yield* until("it watches", Effect.map(channels(server.port), (channels) => channels.length === 1))
      const start = Date.now()
      for (let i = 0; i < 200; i++) yield* one.update
      const looks = 1 + Math.ceil((Date.now() - start) / 1_000)
      const stats = String(yield* server.call("info", "commandstats"))
      assert.isAtMost(Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1]), 200 + looks)
      assert.deepStrictEqual(yield* channels(server.port), [`${prefix}shared`])
    }))

  it.live("are there only once one is asked for, whoever listens to everything", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const redis = yield* driver(server)
      const one = writerOf(yield* open(Effect.succeed(redis)), "shared")
      yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const monitor = new Redis(server.port)
          await monitor.psubscribe("*")
          return monitor
        }),
        (monitor) => Effect.sync(() => monitor.disconnect())
      )
      yield* until(
        "it listens",
        Effect.andThen(
          one.update,
          Effect.map(channels(server.port), (channels) => channels.includes(`${prefix}shared turns`))
        )
      )
      assert.strictEqual(redis.lane!("shared"), "")
      assert.deepStrictEqual(yield* channels(server.port), [`${prefix}shared turns`])
      yield* server.call("publish", `${prefix}shared turns`, "somebody")
      yield* until("it has turns", Effect.map(one.update, () => redis.lane!("shared") !== ""))
    }))

  it.live(
    "are not waited for by who writes a scope of the same name in another database",
    () =>
      Effect.gen(function*() {
        const server = yield* redisServer()
        const url = (db: number) => ({ url: `${server.url}/${db}` })
        const crowd = yield* Effect.all(Array.from({ length: 3 }, () => writer(driver(server, url(1)))))
        const redis = yield* driver(server, url(2))
        const other = writerOf(yield* open(Effect.succeed(redis)), "shared")
        yield* Effect.raceFirst(compete(crowd, 1_000), Effect.forever(other.update))
        assert.strictEqual(redis.lane!("shared"), "")
      }),
    60_000
  )

  it.live("compete with those that know nothing of turns", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writers = [
        yield* writer(driver(server)),
        yield* writer(driver(server)),
        yield* writer(plain(driver(server))),
        yield* writer(plain(driver(server)))
      ]
      yield* compete(writers, 3_000)
      for (const { done } of writers) assert.isAbove(done(), 50)
      yield* exact(writers)
    }), 60_000)

  it.live("do without, where a user may neither publish nor subscribe", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      yield* setUser(
        server,
        `~${prefix}*`,
        ...commits,
        "+ping",
        "+info"
      )
      const restricted = () => driver(server, { username: "app", password: "secret" })
      const writers = [
        yield* writer(driver(server)),
        yield* writer(driver(server)),
        yield* writer(restricted()),
        yield* writer(restricted())
      ]
      yield* compete(writers, 2_000)
      for (const { done } of writers) assert.isAbove(done(), 50)
      yield* exact(writers)
    }), 60_000)

  it.live("come with nonsense to nobody but who reads it", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port)
      const one = writerOf(yield* open(Effect.succeed(redis)), "shared")
      yield* redis.commit([[{ name: "shared", expected: null, next: record(), claim: "writer" }]])
      // Until it has heard of somebody who has the turn, and who never hands it on.
      const waits = Effect.andThen(
        server.call("publish", `${prefix}shared turns`, "other:1 other other"),
        Effect.sync(() => redis.turn!(["shared"]) !== undefined)
      )
      for (const nonsense of [":7\r\n", "$-1\r\n", "+OK\r\n"]) {
        yield* until("it waits", waits)
        wire.replace = (answer) => answer.toString("latin1").startsWith("*1\r\n$") ? Buffer.from(nonsense) : answer
        says((yield* Effect.flip(one.update)) as DriverError, "Unknown", "unexpected")
        wire.replace = (answer) => answer
        yield* one.update
      }
    }))

  it.live("heed nobody who says nonsense about turns", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writers = yield* Effect.all(Array.from({ length: 3 }, () => writer(driver(server))))
      yield* Effect.raceFirst(
        Effect.forEach(
          [
            "",
            ":",
            "x",
            "x:x",
            "x:1 x x y",
            ":1 x",
            "x:1e9 x",
            "x~1e9",
            "x:2e9 x x~1e9 y~-1 z~z",
            "x:1e999 x",
            "😀:\n ",
            "x:99 x ".padEnd(10_000, "y ")
          ],
          (message) => Effect.andThen(server.call("publish", `${prefix}shared turns`, message), compete(writers, 200)),
          { discard: true }
        ),
        Effect.never
      )
      yield* exact(writers)
    }), 60_000)

  it.live("take no hint of a scope that is named like their channel for one of them", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writers = yield* Effect.all(Array.from({ length: 3 }, () => writer(driver(server))))
      const other = yield* writer(driver(server), "shared turns")
      const queues: Array<string> = []
      const listener = yield* Effect.acquireRelease(
        Effect.sync(() => new Redis(server.port)),
        (redis) => Effect.sync(() => redis.disconnect())
      )
      listener.on("message", (_, message) => {
        if (message.includes(":")) queues.push(message.slice(message.indexOf(":") + 1).split(" ").slice(2).join(" "))
      })
      yield* Effect.promise(() => listener.subscribe(`${prefix}shared turns`))
      yield* Effect.raceFirst(compete(writers, 1_000), Effect.forever(other.update))
      assert.isAbove(queues.length, 0)
      assert.deepStrictEqual(queues.filter((queue) => queue !== "" && queue.split(" ").includes("")), [])
      yield* exact(writers)
    }), 60_000)

  it.live("have lanes of their own, as many as there are, so that nobody else waits with them", () =>
    Effect.gen(function*() {
      const redis = yield* driver(yield* redisServer())
      const names = Array.from({ length: 100 }, (_, i) => `${i}`)
      const lanes = () => new Set(names.map((name) => redis.lane!(name)))
      assert.strictEqual(lanes().size, 1)
      for (const name of names.slice(0, 2)) {
        yield* redis.commit([[{ name, expected: null, next: record(), claim: "writer" }]])
      }
      assert.strictEqual(lanes().size, 3)
      for (const name of names) yield* redis.commit([[{ name, expected: null, next: record(), claim: "writer" }]])
      assert.strictEqual(lanes().size, 65)
    }))

  it.live("leave nothing behind", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writers = yield* Effect.all(Array.from({ length: 3 }, () => writer(driver(server))))
      yield* compete(writers, 500)
      // One for all of them, and one for each.
      const all = yield* channels(server.port)
      assert.strictEqual(all.filter((channel) => channel === `${prefix}shared turns`).length, 1)
      assert.strictEqual(all.filter((channel) => channel.startsWith(`${prefix}shared turns `)).length, 3)
      assert.deepStrictEqual(yield* server.call("keys", "*"), [`${prefix}shared`])
      // Also where one of them goes on.
      yield* Effect.raceFirst(
        until("nobody listens", Effect.map(channels(server.port), (channels) => channels.length === 0)),
        Effect.forever(writers[0]!.update)
      )
    }), 60_000)

  it.live("say and open nothing while nobody is in their way", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const one = yield* writer(driver(server))
      yield* one.update
      const clients = String(yield* server.call("client", "list"))
      for (let i = 0; i < 200; i++) yield* one.update
      assert.deepStrictEqual(yield* channels(server.port), [])
      assert.strictEqual(String(yield* server.call("client", "list")).split("\n").length, clients.split("\n").length)
      const stats = String(yield* server.call("info", "commandstats"))
      assert.strictEqual(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1], "201", "one hint for each commit")
    }))

  it.live("take turns in a cluster", () =>
    Effect.gen(function*() {
      const { nodes } = yield* redisCluster()
      for (const name of ["shared", "{tagged} one", "a}b{"]) {
        const writers = yield* Effect.all(
          Array.from({ length: 4 }, () => writer(RedisDriver.make({ cluster: nodes }), name))
        )
        assert.isBelow(yield* wasted(writers), 1.5, name)
        yield* exact(writers)
      }
    }), 120_000)
})
