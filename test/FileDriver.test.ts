import { assert, it } from "@effect/vitest"
import { ConfigProvider, Duration, Effect, Exit, Fiber, FileSystem, Schema, Scope, Stream } from "effect"
import { suite } from "effect-scoped/testing/DriverSuite"
import * as Config from "effect/Config"
import { TestClock } from "effect/testing"
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Driver, expired, type Record, type Transaction, type Verdict } from "../src/Driver.ts"
import * as FileDriver from "../src/FileDriver.ts"
import * as MemoryDriver from "../src/MemoryDriver.ts"
import * as Scoped from "../src/Scoped.ts"
import { DriverError } from "../src/ScopedError.ts"
import type { Faults } from "./file/faults.ts"
import {
  commit,
  committed,
  files,
  get,
  journalOf,
  latest,
  open,
  put,
  record,
  services,
  temporaryDirectory,
  until,
  write
} from "./file/helpers.ts"
import { numbers } from "./file/seeded.ts"

const store = (options: Omit<FileDriver.Options, "directory">) =>
  Effect.map(
    temporaryDirectory,
    (directory) => Effect.provide(FileDriver.make({ ...options, directory }), services)
  ).pipe(Effect.provide(services))

suite("file", { store: store({}) })
suite("file that is written anew all the time", { store: store({ compactAt: 1 }) })

const decided = (verdict: Verdict | DriverError): boolean | DriverError =>
  verdict instanceof DriverError ? verdict : verdict.committed

it.layer(services)("two file drivers over one directory", (it) => {
  it.effect("have the verdicts and the records of one store in memory", () =>
    Effect.gen(function*() {
      for (let seed = 1; seed <= 20; seed++) {
        const directory = yield* temporaryDirectory
        const options = { directory, compactAt: seed % 2 === 0 ? 500 : 1e9 }
        const random = numbers(seed)
        const model = yield* MemoryDriver.make()
        const scopes = [yield* Scope.make(), yield* Scope.make()]
        const reopen = (i: number) => Effect.provideService(open(options), Scope.Scope, scopes[i]!)
        const drivers = [yield* reopen(0), yield* reopen(1)]
        const names = Array.from({ length: 6 }, (_, i) => `scope ${i}`)
        const history = new Map(names.map((name) => [name, [null] as Array<Record | null>]))

        const transaction = (): Transaction => {
          const chosen = names.filter(() => random(3) === 0)
          return (chosen.length === 0 ? [names[0]!] : chosen).map((name, i) => {
            const known = history.get(name)!
            // Mostly the newest revision, at times an old one.
            const expected = known.at(-1 - (random(3) === 0 ? random(known.length) : 0))!
            // A transaction that only checks is not ordered among those of its batch.
            if (i > 0 && random(4) === 0) return write(name, expected, undefined)
            const next = record(random(5) === 0 ? null : JSON.stringify("x".repeat(random(60))))
            const expiresIn = next.data !== null && random(3) === 0 ? Duration.millis(1 + random(50)) : undefined
            const retention = next.data === null || expiresIn !== undefined
              ? Duration.millis(1 + random(100))
              : undefined
            return write(name, expected, next, { expiresIn, retention })
          })
        }

        for (let round = 0; round < 60; round++) {
          if (random(3) === 0) yield* TestClock.adjust(random(30))
          const i = random(2)
          if (random(15) === 0) {
            yield* Scope.close(scopes[i]!, Exit.void)
            scopes[i] = yield* Scope.make()
            drivers[i] = yield* reopen(i)
          }
          const batch = Array.from({ length: random(4) }, transaction)
          const expected = yield* model.commit(batch)
          const verdicts = yield* drivers[i]!.commit(batch)
          assert.deepStrictEqual(verdicts.map(decided), expected.map(decided), `seed ${seed}, round ${round}`)
          const records = yield* model.read(names)
          for (const driver of drivers) {
            assert.deepStrictEqual(yield* driver.read(names), records, `seed ${seed}, round ${round}`)
          }
          names.forEach((name, k) => history.get(name)!.push(records[k]!))
          for (const [k, verdict] of verdicts.entries()) {
            if (verdict instanceof DriverError || verdict.committed) continue
            assert.deepStrictEqual(verdict.current, batch[k]!.map(({ name }) => records[names.indexOf(name)]!))
          }
        }
        yield* Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void))
      }
    }), 60_000)
})

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  it.effect("keeps a journal that can be read as JSON lines", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporaryDirectory, "made", "for", "it")
      const a = yield* open({ directory })
      const next = yield* put(a, "a", null, "{\"n\":1}")
      assert.deepStrictEqual(files(directory), ["journal-1.jsonl", "snapshot-0.jsonl"])
      const text = readFileSync(journalOf(directory), "utf8")
      const lines = text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line))
      assert.strictEqual(lines.length, 2)
      assert.deepInclude(lines[0], { format: "effect-scoped/2" })
      assert.deepStrictEqual(lines[1].tx[0].slice(0, 3), ["a", null, next.revision])
      assert.deepStrictEqual(lines[1].data, ["{\"n\":1}"])
    }))

  it.effect("keeps its files for their owner", () =>
    Effect.gen(function*() {
      const directory = join(yield* temporaryDirectory, "made", "for", "it")
      const a = yield* open({ directory, compactAt: 1 })
      let last = yield* put(a, "a", null)
      for (let i = 0; latest(directory) === 0; i++) {
        assert.isBelow(i, 500)
        last = yield* put(a, "a", last)
      }
      assert.strictEqual(statSync(directory).mode & 0o777, 0o700)
      for (const name of readdirSync(directory)) {
        assert.strictEqual(statSync(join(directory, name)).mode & 0o777, 0o600, name)
      }
    }))

  it.effect("appends nothing where there is nothing to write, or what is expected is known to be stale", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      let writes = 0
      const a = yield* open({ directory }, { write: (_, proceed, bytes) => (writes++, proceed(bytes)) })
      const b = yield* open({ directory })
      const first = yield* put(a, "a", null)
      writes = 0
      assert.deepStrictEqual(yield* commit(a, write("a", first, undefined)), committed)
      const refused = { committed: false, current: [first] }
      assert.deepStrictEqual(yield* commit(a, write("a", null, undefined)), refused)
      assert.deepStrictEqual(yield* commit(a, write("a", null, record())), refused)
      assert.strictEqual(writes, 0)
      // What looks stale may be newer than what is known here.
      const second = yield* put(b, "a", first)
      yield* put(a, "a", second)
      assert.strictEqual(writes, 1)
    }))

  it.effect("syncs once for a batch, and not at all for a read of what is synced", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const calls: Array<string> = []
      const a = yield* open({ directory }, {
        write: (_, proceed, bytes) => (calls.push("write"), proceed(bytes)),
        read: (_, proceed) => (calls.push("read"), proceed),
        sync: (_, proceed) => (calls.push("sync"), proceed)
      })
      calls.length = 0
      yield* a.commit([[write("a", null, record())], [write("b", null, record())]])
      assert.deepStrictEqual(calls, ["write", "sync"])
      calls.length = 0
      yield* get(a, "a")
      // What was appended since, and the state.
      assert.deepStrictEqual(calls, ["read", "read"])
    }))

  it.effect("reports nothing of another process before it is synced", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      let syncs = 0
      const a = yield* open({ directory }, faults)
      const b = yield* open({ directory }, { sync: (_, proceed) => (syncs++, proceed) })
      const go = Promise.withResolvers<void>()
      faults.sync = (_, proceed) => Effect.andThen(Effect.promise(() => go.promise), proceed)
      const next = record()
      yield* Effect.forkChild(commit(a, write("a", null, next)))
      syncs = 0
      while ((yield* get(b, "a")) === null) {
        assert.strictEqual(syncs, 0)
        yield* Effect.sleep("1 millis")
      }
      assert.strictEqual(syncs, 1)
      assert.deepStrictEqual(yield* get(b, "a"), next)
      assert.strictEqual(syncs, 1)
      go.resolve()
    }))

  it.effect("syncs once more what another process wrote behind its own lines, before it reports it", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      let syncs = 0
      const a = yield* open({ directory }, faults)
      const held: Faults = {}
      const b = yield* open({ directory }, held)
      const go = Promise.withResolvers<void>()
      held.sync = (_, proceed) => Effect.andThen(Effect.promise(() => go.promise), proceed)
      const [one, other] = [record(), record()]
      faults.sync = (_, proceed) => (syncs++, proceed)
      let others: Fiber.Fiber<unknown, unknown> | undefined
      // It comes behind the lines of the first, before these are looked for.
      faults.stat = (_, proceed) =>
        Effect.gen(function*() {
          if (others === undefined) {
            others = yield* Effect.forkDetach(commit(b, write("b", null, other)), { startImmediately: true })
            yield* Effect.sleep("50 millis")
          }
          return yield* proceed
        })
      assert.deepStrictEqual(yield* commit(a, write("a", null, one)), committed)
      assert.strictEqual(syncs, 1)
      assert.deepStrictEqual(yield* a.read(["a", "b"]), [one, other])
      assert.strictEqual(syncs, 2)
      go.resolve()
      yield* Fiber.join(others!)
    }))

  it.effect("takes what stands before its own lines into account, and syncs it with them", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      const a = yield* open({ directory }, faults)
      const b = yield* open({ directory })
      const [one, other] = [record(), record()]
      let first = true
      faults.write = (_, proceed, bytes) =>
        Effect.gen(function*() {
          if (first) {
            first = false
            assert.deepStrictEqual(yield* Effect.orDie(commit(b, write("a", null, other))), committed)
          }
          return yield* proceed(bytes)
        })
      assert.deepStrictEqual(yield* commit(a, write("a", null, one)), { committed: false, current: [other] })
      assert.deepStrictEqual(yield* get(b, "a"), other)
    }))

  it.effect("finishes what it has begun when its caller is interrupted, and begins nothing after that", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      const a = yield* open({ directory }, faults)
      const [first, second] = [record(), record()]
      const syncing = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      faults.sync = (_, proceed) => {
        syncing.resolve()
        return Effect.andThen(Effect.promise(() => go.promise), proceed)
      }
      const one = yield* Effect.forkChild(commit(a, write("a", null, first)))
      yield* Effect.promise(() => syncing.promise)
      const two = yield* Effect.forkChild(commit(a, write("b", null, second)), { startImmediately: true })
      // Neither of them makes the caller wait.
      yield* Fiber.interrupt(two)
      yield* Fiber.interrupt(one)
      go.resolve()
      delete faults.sync
      assert.deepStrictEqual(yield* a.read(["a", "b"]), [first, null])
    }))

  it.effect("writes nothing any more for a caller who has gone", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      const a = yield* open({ directory }, faults)
      const first = yield* put(a, "a", null)
      const reading = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      let writes = 0
      faults.read = (_, proceed) => {
        reading.resolve()
        return Effect.andThen(Effect.promise(() => go.promise), proceed)
      }
      faults.write = (_, proceed, bytes) => (writes++, proceed(bytes))
      // It looks stale, so that it reads on before it writes.
      const committing = yield* Effect.forkChild(a.commit([
        [write("a", null, record())],
        [write("b", null, record())]
      ]))
      yield* Effect.promise(() => reading.promise)
      yield* Fiber.interrupt(committing)
      go.resolve()
      assert.deepStrictEqual(yield* a.read(["a", "b"]), [first, null])
      assert.strictEqual(writes, 0)
    }))

  it.effect("waits for what runs when it is closed, and fails what comes later", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      const scope = yield* Scope.make()
      const a = yield* Effect.provideService(open({ directory }, faults), Scope.Scope, scope)
      const syncing = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      faults.sync = (_, proceed) => {
        syncing.resolve()
        return Effect.andThen(Effect.promise(() => go.promise), proceed)
      }
      const one = yield* Effect.forkChild(commit(a, write("a", null, record())))
      const watching = yield* Effect.forkChild(Effect.flip(Stream.runDrain(a.changes(["a"]))))
      yield* Effect.promise(() => syncing.promise)
      const two = yield* Effect.forkChild(Effect.flip(commit(a, write("b", null, record()))), {
        startImmediately: true
      })
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* Effect.sleep("5 millis")
      assert.isUndefined(closing.pollUnsafe())
      go.resolve()
      assert.deepStrictEqual(yield* Fiber.join(one), committed)
      yield* Fiber.join(closing)
      const closed = [
        yield* Fiber.join(two),
        yield* Fiber.join(watching),
        yield* Effect.flip(get(a, "a")),
        yield* Effect.flip(a.commit([[write("c", null, record())]])),
        yield* Effect.flip(Stream.runDrain(a.names(""))),
        yield* Effect.flip(Stream.runDrain(a.changes(["a"])))
      ]
      for (const error of closed) {
        assert.deepStrictEqual([error._tag, error.reason, error.inDoubt], ["DriverError", "Closed", false])
      }
      assert.strictEqual(
        readdirSync("/proc/self/fd").filter((fd) => {
          try {
            return readlinkSync(`/proc/self/fd/${fd}`).startsWith(directory)
          } catch {
            return false
          }
        }).length,
        0
      )
    }))

  for (const watch of ["the system tells of changes", "it only polls"] as const) {
    it.effect(`hints at the commits of others where ${watch}`, () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const b = yield* open({ directory })
        const pollInterval = watch === "it only polls" ? "5 millis" : "1 hour"
        const a = yield* Effect.updateService(
          open({ directory, pollInterval }),
          FileSystem.FileSystem,
          (fs) => watch === "it only polls" ? { ...fs, watch: () => Stream.die("cannot watch") } : fs
        )
        const hints: Array<string> = []
        const fiber = yield* a.changes(["a", "b"]).pipe(
          Stream.runForEach((name) => Effect.sync(() => hints.push(name))),
          Effect.forkChild({ startImmediately: true })
        )
        const hinted = (...expected: ReadonlyArray<string>) =>
          Effect.gen(function*() {
            while (hints.length < expected.length) yield* Effect.sleep("1 millis")
            assert.deepStrictEqual(hints, expected)
            hints.length = 0
          })
        yield* hinted("a", "b")
        yield* Effect.sleep("50 millis")
        const first = yield* put(b, "a", null)
        yield* hinted("a")
        yield* put(b, "c", null)
        yield* put(b, "b", null)
        yield* hinted("b")
        yield* put(b, "a", first)
        yield* hinted("a")
        yield* Fiber.interrupt(fiber)
      }))
  }

  it.effect("hints at what expires", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const a = yield* open({ directory, pollInterval: "5 millis" })
      const next = record()
      const expiring = write("a", null, next, { expiresIn: Duration.millis(40), retention: Duration.minutes(1) })
      const hints = a.changes(["a"]).pipe(Stream.take(3), Stream.runCollect)
      const fiber = yield* Effect.forkChild(hints, { startImmediately: true })
      yield* Effect.sleep("10 millis")
      assert.deepStrictEqual(yield* commit(a, expiring), committed)
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["a", "a", "a"])
      assert.deepStrictEqual(yield* get(a, "a"), { revision: expired(next.revision), data: null })
      const more = a.changes(["a"]).pipe(Stream.take(2), Stream.runCollect, Effect.timeoutOption("100 millis"))
      assert.strictEqual((yield* more)._tag, "None", "once")
    }))

  it.effect("hints at what comes while it syncs a commit of its own", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const b = yield* open({ directory })
      const faults: Faults = {}
      const a = yield* open({ directory, pollInterval: "1 hour" }, faults)
      const hints: Array<string> = []
      yield* a.changes(["b"]).pipe(
        Stream.runForEach((name) => Effect.sync(() => hints.push(name))),
        Effect.forkChild({ startImmediately: true })
      )
      yield* until("the subscription", Effect.sync(() => hints.length === 1))
      yield* Effect.sleep("50 millis")
      const syncing = Promise.withResolvers<void>()
      const go = Promise.withResolvers<void>()
      faults.sync = (_, proceed) => {
        syncing.resolve()
        return Effect.andThen(Effect.promise(() => go.promise), proceed)
      }
      const committing = yield* Effect.forkChild(commit(a, write("a", null, record())))
      yield* Effect.promise(() => syncing.promise)
      yield* put(b, "b", null)
      yield* Effect.sleep("50 millis")
      delete faults.sync
      go.resolve()
      yield* Fiber.join(committing)
      yield* until("the hint", Effect.sync(() => hints.length > 1))
    }))

  it.effect("looks for changes only while somebody watches", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      let reads = 0
      const a = yield* open({ directory, pollInterval: "1 millis" }, { read: (_, proceed) => (reads++, proceed) })
      const quiet = Effect.gen(function*() {
        const before = reads
        yield* Effect.sleep("30 millis")
        return reads === before
      })
      assert.isTrue(yield* quiet)
      const fibers = [
        yield* Effect.forkChild(Stream.runDrain(a.changes(["a"])), { startImmediately: true }),
        yield* Effect.forkChild(Stream.runDrain(a.changes(["b"])), { startImmediately: true })
      ]
      assert.isFalse(yield* quiet)
      yield* Fiber.interrupt(fibers[0]!)
      assert.isFalse(yield* quiet)
      yield* Fiber.interrupt(fibers[1]!)
      assert.isTrue(yield* quiet)
    }))

  it.effect("lets others have their turn on the event loop between the parts of a large transaction", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      let turns = 0
      let turnsAtWrite: number | undefined
      const a = yield* open({ directory }, {
        write: (_, proceed, bytes) => {
          turnsAtWrite ??= turns
          return proceed(bytes)
        }
      })
      turnsAtWrite = undefined
      const large = record(JSON.stringify("x".repeat(2 * 1024 * 1024)))
      const counting = yield* Effect.forkChild(
        Effect.forever(
          Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve))).pipe(
            Effect.tap(Effect.sync(() => turns++))
          )
        ),
        { startImmediately: true }
      )
      const before = turns
      yield* commit(a, ...Array.from({ length: 8 }, (_, i) => write(`${i}`, null, large)))
      yield* Fiber.interrupt(counting)
      // Each of these turns takes two rounds.
      assert.isAtLeast(turnsAtWrite! - before, 3)
    }))

  it.effect("refuses a transaction that is too large for a line, and does the others", () =>
    Effect.gen(function*() {
      const a: Driver = yield* open({ directory: yield* temporaryDirectory })
      const big = "x".repeat(a.limits.dataBytes)
      const verdicts = yield* a.commit([
        [write("a", null, record())],
        Array.from({ length: 5 }, (_, i) => write(`big ${i}`, null, record(big)))
      ])
      assert.deepStrictEqual(verdicts[0], committed)
      assert.instanceOf(verdicts[1], DriverError)
      assert.deepStrictEqual([verdicts[1].inDoubt, verdicts[1].operation], [false, "commit"])
      assert.deepStrictEqual(yield* a.read(["big 0", "big 4"]), [null, null])
    }))
})

it.layer(services, { excludeTestServices: true })("a storage in files", (it) => {
  const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
  const visit = Scoped.update(Visits, (n) => [n + 1, n + 1])

  it.effect("survives", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      assert.strictEqual(yield* Effect.provide(visit, FileDriver.layer({ directory })), 1)
      assert.strictEqual(yield* Effect.provide(visit, FileDriver.layer({ directory }, { namespace: "other" })), 1)
      const configured = FileDriver.layerConfig({ directory: Config.String("DIRECTORY") })
      const provider = ConfigProvider.layer(ConfigProvider.fromEnvRecord({ DIRECTORY: directory }))
      assert.strictEqual(yield* visit.pipe(Effect.provide(configured), Effect.provide(provider)), 2)
    }))
})
