/** Giving back the space of what is not current any more, beside the work. */
import { assert, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, Fiber, Logger, Scope, Stream } from "effect"
import { readdirSync, readFileSync, readlinkSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Driver, expired, type Record } from "../../src/Driver.ts"
import * as Compaction from "../../src/internal/file/compaction.ts"
import type { Chain, Store } from "../../src/internal/file/store.ts"
import { fails, type Faults } from "./faults.ts"
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
} from "./helpers.ts"

const journals = (directory: string): ReadonlyArray<number> =>
  files(directory).filter((name) => name.startsWith("journal")).map((name) => Number(/\d+/.exec(name)))

const size = (directory: string): number =>
  readdirSync(directory).reduce((sum, name) => {
    try {
      return sum + statSync(join(directory, name)).size
    } catch {
      return sum
    }
  }, 0)

/** Whether a snapshot, the first file and one journal are all that there is. */
const isTidy = (directory: string): boolean => {
  const number = latest(directory)
  const names = number === 0 ? [] : [`snapshot-${number}.jsonl`]
  return JSON.stringify(files(directory)) ===
    JSON.stringify([`journal-${number + 1}.jsonl`, "snapshot-0.jsonl", ...names].sort())
}

/** Writes until the directory is this many snapshots further. */
const churn = Effect.fnUntraced(function*(driver: Driver, directory: string, from: Record | null, snapshots = 1) {
  const target = latest(directory) + snapshots
  let last = from
  for (let i = 0; latest(directory) < target; i++) {
    assert.isBelow(i, 500, "does not compact")
    last = yield* put(driver, "a", last, "\"churn\"")
    yield* Effect.sleep("1 millis")
  }
  yield* until("tidy", Effect.sync(() => isTidy(directory)))
  return last
})

/** Holds up calls of one kind, at the first path that looks so. */
const holdUp = (matches: RegExp) => {
  const reached = Deferred.makeUnsafe<void>()
  const go = Deferred.makeUnsafe<void>()
  let first = true
  const wait = (path: string) =>
    Effect.suspend(() => {
      if (!first || !matches.test(path)) return Effect.void
      first = false
      return Effect.andThen(Deferred.succeed(reached, undefined), Deferred.await(go))
    })
  return { wait, reached: Deferred.await(reached), go: Deferred.succeed(go, undefined) }
}

/** The files of a directory that this process has open. */
const opened = (directory: string): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      return []
    }
  })

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  it.effect("gives back the space of garbage, in all processes", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const compactAt = 20_000
      const [a, b] = [yield* open({ directory, compactAt }), yield* open({ directory, compactAt })]
      const kept = yield* put(a, "kept", null, JSON.stringify("x".repeat(5000)))
      let last: Record | null = null
      let largest = 0
      for (let i = 0; i < 600; i++) {
        last = yield* put(i % 50 === 0 ? b : a, "a", last, JSON.stringify("é".repeat(i % 100)))
        largest = Math.max(largest, size(directory))
      }
      assert.isBelow(largest, 5 * compactAt)
      yield* until("tidy", Effect.sync(() => isTidy(directory)))
      assert.isAbove(latest(directory), 3)
      assert.isBelow(latest(directory), 20)
      yield* until(
        "nothing that was removed is open",
        Effect.map(
          Effect.all([get(a, "a"), get(b, "a")]),
          () => opened(directory).every((path) => !/deleted/.test(path))
        )
      )
      for (const driver of [a, b, yield* open({ directory })]) {
        assert.deepStrictEqual(yield* driver.read(["kept", "a"]), [kept, last])
      }
    }))

  it.effect("does not write anew what is mostly current, however large it is", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const a = yield* open({ directory, compactAt: 1 })
      const names = Array.from({ length: 3000 }, (_, i) => `${i}`)
      for (let at = 0; at < names.length; at += 500) {
        yield* a.commit(
          names.slice(at, at + 500).map((name) => [write(name, null, record("\"€€€€€€€€€€€€€€€€€\""))])
        )
      }
      yield* Effect.sleep("100 millis")
      assert.deepStrictEqual(files(directory), ["journal-1.jsonl", "snapshot-0.jsonl"])
    }))

  it.effect("carries many records over, whatever is in them", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const a = yield* open({ directory, compactAt: 1 })
      const b = yield* open({ directory, compactAt: 1 })
      const names = Array.from({ length: 2000 }, (_, i) => `${i}\n😀"`)
      let last: ReadonlyArray<Record | null> = names.map(() => null)
      for (let round = 0; round < 3; round++) {
        const next = names.map((_, i) => record(JSON.stringify("\u2028é\n\0".repeat(i % 300))))
        for (let i = 0; i < names.length; i += 500) {
          yield* a.commit(names.slice(i, i + 500).map((name, k) => [write(name, last[i + k]!, next[i + k]!)]))
        }
        last = next
        for (const driver of [b, a]) assert.deepStrictEqual(yield* driver.read(names), last)
      }
      yield* until("a snapshot", Effect.sync(() => latest(directory) > 0))
      for (const driver of [a, b, yield* open({ directory })]) assert.deepStrictEqual(yield* driver.read(names), last)
    }))

  it.effect("leaves behind what has expired, and keeps tombstones for their time", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 2000 }
      const a = yield* open(options)
      const big = JSON.stringify("x".repeat(3000))
      const retention = Duration.minutes(10)
      const [removed, gone, forgotten] = [record(null), record(big), record(big)]
      yield* commit(a, write("removed", null, removed, { retention }))
      yield* commit(a, write("gone", null, gone, { expiresIn: Duration.millis(1), retention }))
      for (let i = 0; i < 20; i++) {
        yield* commit(
          a,
          write(`${i}`, null, i === 0 ? forgotten : record(big), {
            expiresIn: Duration.millis(1),
            retention: Duration.millis(1)
          })
        )
      }
      const lasting = write("lasting", null, record("1"), { expiresIn: Duration.hours(1), retention })
      yield* commit(a, lasting)
      yield* Effect.sleep("5 millis")
      yield* churn(a, directory, null)
      assert.isBelow(size(directory), 6000)
      const tombstone = { revision: expired(gone.revision), data: null }
      for (const driver of [a, yield* open(options)]) {
        assert.deepStrictEqual(yield* driver.read(["removed", "gone", "0"]), [removed, tombstone, null])
        assert.deepStrictEqual((yield* Stream.runCollect(driver.names(""))).sort(), ["a", "lasting"])
        const [left] = yield* driver.read(["lasting"])
        assert.approximately(Duration.toMillis(left!.expiresIn!), Duration.toMillis("1 hour"), 60_000)
        assert.deepStrictEqual(yield* commit(driver, write("gone", gone, record())), {
          committed: false,
          current: [tombstone]
        })
      }
      assert.deepStrictEqual(yield* commit(a, write("gone", tombstone, record())), committed)
    }))

  it.effect("goes on with reads and commits while it is written, and none of them comes into it", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 3000 }
      const held = holdUp(/snapshot-[1-9]\d*-.*\.tmp$/)
      let writes = 0
      const [a, b] = [
        yield* open(options, {
          // Between its first line and its second.
          write: (path, proceed, bytes) =>
            path.endsWith(".tmp") && ++writes === 4 ? Effect.andThen(held.wait(path), proceed(bytes)) : proceed(bytes)
        }),
        yield* open({ ...options, compactAt: 1e9 })
      ]
      const names = Array.from({ length: 1500 }, (_, i) => `${i}`)
      const first = names.map(() => record("\"first\""))
      yield* a.commit(names.map((name, i) => [write(name, null, first[i])]))
      const churning = yield* Effect.forkChild(Effect.gen(function*() {
        let last: Record | null = null
        for (let i = 0; i < 3000 && writes < 4; i++) {
          last = yield* put(a, "a", last, JSON.stringify("x".repeat(1000)))
        }
        return last
      }))
      yield* held.reached
      const last = yield* Fiber.join(churning)
      const second = names.map((_, i) => record(i % 3 === 0 ? null : "\"second\""))
      const half = names.length / 2
      for (const [driver, from] of [[a, 0], [b, half]] as const) {
        const verdicts = yield* driver.commit(
          names.slice(from, from + half).map((name, i) => [
            write(name, first[from + i]!, second[from + i], { retention: Duration.minutes(1) })
          ])
        )
        assert.isTrue(verdicts.every((verdict) => "committed" in verdict && verdict.committed))
      }
      yield* put(b, "new", null)
      assert.deepStrictEqual(yield* a.read(names), second)
      assert.strictEqual(latest(directory), 0)
      yield* held.go
      yield* until("tidy", Effect.sync(() => latest(directory) > 0))
      const snapshot = readdirSync(directory).find((name) => name.startsWith(`snapshot-${latest(directory)}-`))!
      const text = readFileSync(join(directory, snapshot), "utf8")
      assert.notInclude(text, "second")
      assert.notInclude(text, "\"new\"")
      for (const driver of [a, b, yield* open(options)]) {
        assert.deepStrictEqual(yield* driver.read([...names, "a"]), [...second, last])
      }
    }))

  it.effect("takes each record once, as it was, also when it changes or expires meanwhile", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 3000 }
      const held = holdUp(/snapshot-[1-9]\d*-.*\.tmp$/)
      let writes = 0
      const a = yield* open(options, {
        write: (path, proceed, bytes) =>
          path.endsWith(".tmp") && ++writes === 4 ? Effect.andThen(held.wait(path), proceed(bytes)) : proceed(bytes)
      })
      const names = Array.from({ length: 2000 }, (_, i) => `${i}`)
      const first = names.map(() => record("\"first\""))
      const lasts = { expiresIn: Duration.millis(1500), retention: Duration.minutes(1) }
      yield* a.commit(names.map((name, i) => [write(name, null, first[i], i % 2 === 0 ? lasts : {})]))
      let last: Record | null = null
      for (let i = 0; i < 3000 && writes < 4; i++) last = yield* put(a, "a", last, JSON.stringify("x".repeat(1000)))
      yield* held.reached
      yield* until("expiry", Effect.map(get(a, "0"), (record) => record?.data === null))
      const second = names.map((_, i) => i % 2 === 0 ? { revision: expired(first[i]!.revision), data: null } : record())
      // Enough writes to find out all that has expired.
      for (let round = 0; round < 2; round++) {
        yield* a.commit(names.flatMap((name, i) => i % 2 === 1 ? [[write(name, first[i]!, second[i])]] : []))
        yield* a.commit(names.map((name) => [write(`${round} ${name}`, null, record())]))
      }
      yield* held.go
      yield* until("the snapshot", Effect.sync(() => latest(directory) > 0))
      const name = readdirSync(directory).find((name) => name.startsWith(`snapshot-${latest(directory)}-`))!
      const taken = readFileSync(join(directory, name), "utf8").split("\n").flatMap((line) =>
        line === "" ? [] : JSON.parse(line).states ?? []
      )
      assert.deepStrictEqual(
        taken.filter(([name]) => name !== "a").map(([name, revision]) => [name, revision]).sort(),
        names.map((name, i) => [name, first[i]!.revision]).sort()
      )
      for (const driver of [a, yield* open(options)]) assert.deepStrictEqual(yield* driver.read(names), second)
    }))

  for (
    const [what, faults] of [
      ["before the new journal is there", { open: /journal-2-/ }],
      ["before it seals the old one", { write: /journal-1-/ }],
      ["after it has sealed the old one", { read: /journal-1-/ }],
      ["before it follows", { stat: /journal-2-/ }],
      ["in the middle of the snapshot", { write: /snapshot-1-.*tmp$/ }],
      ["before the snapshot gets its name", { rename: /snapshot-1-/ }],
      ["before it reads the snapshot", { open: /snapshot-1-.*jsonl$/ }],
      ["before it removes the old files", { remove: /journal-1-/ }]
    ] satisfies ReadonlyArray<readonly [string, { readonly [Call in keyof Faults]?: RegExp }]>
  ) {
    it.effect(`lets nobody wait when it is held up ${what}, however long`, () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const options = { directory, compactAt: 3000 }
        const [[call, path]] = Object.entries(faults) as [[keyof Faults, RegExp]]
        const held = holdUp(path)
        const hooks: Faults = {}
        const a = yield* open(options, hooks)
        const b = yield* open(options)
        const big = JSON.stringify("x".repeat(500))
        let last: Record | null = null
        for (let i = 0; i < 4; i++) last = yield* put(a, "a", last, big)
        let sealing = false
        const hold = (path: string, proceed: Effect.Effect<never>, bytes: Uint8Array) =>
          // The first line of a journal that is as short as a seal is one.
          call === "write" && /journal/.test(path) && bytes.length > 200
            ? (proceed as unknown as (bytes: Uint8Array) => Effect.Effect<never>)(bytes)
            : call === "read" && !sealing
            ? proceed
            : Effect.andThen(
              held.wait(path),
              typeof proceed === "function" ? (proceed as (bytes: Uint8Array) => Effect.Effect<never>)(bytes) : proceed
            )
        Object.assign(hooks, { [call]: hold })
        if (call === "read") {
          hooks.write = (_, proceed, bytes) => {
            if (bytes.length < 200) sealing = true
            return proceed(bytes)
          }
        }
        const churning = yield* Effect.forkChild(
          Effect.gen(function*() {
            for (let i = 0; i < 100; i++) last = yield* put(a, "a", last, big)
          }).pipe(Effect.ignoreCause)
        )
        yield* held.reached
        // Whoever waited for it would wait for ever.
        let other: Record | null = yield* get(b, "b")
        for (let i = 0; i < 100; i++) other = yield* put(b, "b", other, big)
        yield* held.go
        yield* Fiber.join(churning)
        const current = yield* get(b, "a")
        for (const driver of [a, yield* open(options)]) {
          assert.deepStrictEqual(yield* driver.read(["a", "b"]), [current, other])
        }
        const next = yield* put(a, "a", current)
        assert.deepStrictEqual(yield* get(b, "a"), next)
      }))
  }

  it.effect("catches up from far behind", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 500 }
      const [a, b] = [yield* open(options), yield* open(options)]
      const hinted: Array<string> = []
      yield* a.changes(["a"]).pipe(
        Stream.runForEach((name) => Effect.sync(() => hinted.push(name))),
        Effect.forkChild
      )
      for (let round = 0; round < 3; round++) {
        const last = yield* churn(b, directory, yield* get(b, "a"), 4)
        assert.deepStrictEqual(yield* get(a, "a"), last)
        const next = yield* put(a, "a", last)
        assert.deepStrictEqual(yield* get(b, "a"), next)
      }
      assert.isAbove(hinted.length, 3)
    }))

  it.effect("begins a directory only once, however late somebody is", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 500 }
      const held = holdUp(/snapshot-0\.jsonl$/)
      let lists = 0
      const opening = yield* Effect.forkChild(open(options, {
        link: (path, proceed) => Effect.andThen(held.wait(path), proceed),
        // A directory that changes while it is listed may be listed without what is new in it.
        list: (_, proceed) =>
          Effect.map(proceed, (names) => lists++ < 3 ? names.filter((name) => /^\D+0/.test(name)) : names)
      }))
      yield* held.reached
      const b = yield* open(options)
      const last = yield* churn(b, directory, null, 3)
      yield* held.go
      const a = yield* Fiber.join(opening)
      const next = yield* put(a, "a", last)
      assert.deepStrictEqual(yield* get(b, "a"), next)
      yield* churn(b, directory, next)
    }))

  it.effect("joins those who begin at the same time", () =>
    Effect.gen(function*() {
      for (const fault of ["list", "open", "link"] as const) {
        const directory = yield* temporaryDirectory
        let lists = 0
        const held = holdUp(fault === "list" ? /./ : fault === "open" ? /journal-1/ : /snapshot-0/)
        const after = Effect.fnUntraced(function*<A, E>(proceed: Effect.Effect<A, E>) {
          const done = yield* proceed
          yield* held.wait(fault === "open" ? "journal-1" : fault === "link" ? "snapshot-0" : directory)
          return done
        })
        const opening = yield* Effect.forkChild(
          fault === "list"
            // It has seen the journal of the other, but not the snapshot.
            ? open({ directory }, {
              list: (_, proceed) =>
                lists++ > 0
                  ? proceed
                  : Effect.andThen(
                    after(proceed),
                    Effect.sync(() => readdirSync(directory).filter((name) => name.startsWith("journal")))
                  )
            })
            : open({ directory }, {
              [fault]: (path: string, proceed: Effect.Effect<never>) =>
                (fault === "open" ? /journal-1/ : /snapshot-0/).test(path) ? after(proceed) : proceed
            })
        )
        yield* held.reached
        const b = yield* open({ directory })
        const first = yield* put(b, "a", null)
        yield* held.go
        const a = yield* Fiber.join(opening)
        assert.deepStrictEqual(yield* get(a, "a"), first)
        assert.deepStrictEqual(yield* get(b, "a"), first)
      }
    }))

  it.effect("leaves everything as it was when there is no room for it, and tries again later", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const faults: Faults = {}
      let attempts = 0
      const a = yield* open({ directory, compactAt: 10_000 }, faults)
      const b = yield* open({ directory, compactAt: 1e9 })
      const big = JSON.stringify("x".repeat(1000))
      for (
        const [what, fault] of [
          ["the snapshot", {
            write: (path, proceed, bytes) =>
              /snapshot.*tmp$/.test(path) ? (attempts++, fails("ENOSPC")) : proceed(bytes)
          }],
          ["its sync", { sync: (path, proceed) => /snapshot.*tmp$/.test(path) ? (attempts++, fails("EIO")) : proceed }],
          ["its name", { rename: () => (attempts++, fails("ENOSPC")) }],
          ["the new journal", {
            open: (path, proceed) =>
              /journal/.test(path) && path !== journalOf(directory, Math.max(...journals(directory)))
                ? (attempts++, fails("EMFILE"))
                : proceed
          }]
        ] satisfies ReadonlyArray<readonly [string, Faults]>
      ) {
        Object.assign(faults, fault)
        attempts = 0
        const snapshot = latest(directory)
        let last = yield* get(a, "a")
        const before = journals(directory).length
        for (let i = 0; i < 100; i++) {
          last = yield* put(a, "a", last, big)
          if (i % 10 === 0) assert.deepStrictEqual(yield* get(b, "a"), last)
        }
        yield* until("attempts", Effect.sync(() => attempts > 2))
        assert.isBelow(attempts, 20, `${what}: not at every commit`)
        assert.strictEqual(latest(directory), snapshot, what)
        if (what === "the new journal") assert.strictEqual(journals(directory).length, before, "no seal")
        yield* until(
          `${what}: nothing half written`,
          Effect.sync(() => files(directory).every((name) => !name.endsWith(".tmp")))
        )
        for (const driver of [a, b]) assert.deepStrictEqual(yield* get(driver, "a"), last)
        for (const call of Object.keys(fault)) delete faults[call as keyof Faults]
        for (let i = 0; latest(directory) === snapshot; i++) {
          assert.isBelow(i, 1000, `${what}: is tried again`)
          last = yield* put(a, "a", last, big)
          yield* Effect.sleep("1 millis")
        }
        yield* until(`${what}: tidy`, Effect.sync(() => isTidy(directory)))
        for (const driver of [a, b]) assert.deepStrictEqual(yield* get(driver, "a"), last)
      }
    }))

  it.effect("comes to an end also where everybody is there for a moment only", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 3000 }
      const names = Array.from({ length: 300 }, (_, i) => `${i}`)
      let most = 0
      for (let i = 0; i < 60; i++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const driver = yield* open(options)
          const last = yield* get(driver, "a")
          if (last === null) yield* driver.commit(names.map((name) => [write(name, null, record())]))
          yield* put(driver, "a", last, JSON.stringify("x".repeat(20_000)))
        }))
        most = Math.max(most, journals(directory).length)
      }
      assert.isAbove(latest(directory), 1)
      assert.isBelow(most, 4)
    }))

  it.effect("is done in the end by whoever can, where others begin it again and again in vain", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 20_000 }
      const a = yield* open(options)
      const vain: Faults = {
        write: (path, proceed, bytes) => /snapshot.*tmp$/.test(path) ? fails("ENOSPC") : proceed(bytes)
      }
      let last: Record | null = null
      let own: Record | null = null
      for (let i = 0; latest(directory) === 0; i++) {
        assert.isBelow(i, 40, "is left to those who cannot")
        own = yield* put(a, "own", own)
        yield* Effect.scoped(Effect.gen(function*() {
          const b = yield* open(options, vain)
          last = yield* put(b, "theirs", last, JSON.stringify("x".repeat(2000)))
        }))
      }
      assert.deepStrictEqual(yield* a.read(["own", "theirs"]), [own, last])
    }))

  it.effect("leaves few files open where everybody begins it and nobody comes to an end", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      // For those who come later it is all the same whether it failed or its process was killed.
      const vain: Faults = {
        write: (path, proceed, bytes) => /snapshot-[1-9].*tmp$/.test(path) ? fails("ENOSPC") : proceed(bytes)
      }
      let last: Record | null = null
      for (let i = 0; i < 80; i++) {
        yield* Effect.scoped(Effect.gen(function*() {
          const driver = yield* open({ directory, compactAt: 3000 }, vain)
          last = yield* put(driver, "a", last, JSON.stringify("x".repeat(2000)))
        })).pipe(Effect.provide(Logger.layer([])))
      }
      assert.isAbove(journals(directory).length, 4)
      assert.isBelow(journals(directory).length, 20)
      const driver = yield* open({ directory, compactAt: 3000 })
      assert.deepStrictEqual(yield* get(driver, "a"), last)
      yield* churn(driver, directory, last)
    }))

  it.effect("is done by one process, where others find that it is due at the same moment", () =>
    Effect.gen(function*() {
      const chain = { base: { size: 0 }, sealed: [], journal: { size: 5000 }, records: { bytes: 0 } } as never as Chain
      let rolls = 0
      const store = {
        open: chain,
        // Somebody else was faster.
        current: () => Effect.sync(() => ({ ...chain, sealed: [chain.journal], journal: { size: 100 } })),
        roll: () => Effect.sync(() => void rolls++)
      } as never as Store
      const running = new Set<Promise<void>>()
      Compaction.make({
        store,
        compactAt: 3000,
        turn: (operation) => operation,
        background: (effect) => running.add(Effect.runPromise(effect))
      }).look()
      assert.strictEqual(running.size, 1)
      yield* Effect.promise(() => Promise.all(running))
      assert.strictEqual(rolls, 0)
    }))

  it.effect("says nothing where others were so much faster that they have tidied up", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const held = holdUp(/snapshot-1-.*\.jsonl$/)
      const a = yield* open({ directory, compactAt: 3000 }, {
        rename: (path, proceed) => Effect.andThen(held.wait(path), proceed)
      })
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      yield* Fiber.interrupt(churning)
      const b = yield* open({ directory, compactAt: 3000 })
      yield* churn(b, directory, yield* get(b, "a"), 2)
      yield* held.go
      const last = yield* churn(a, directory, yield* get(a, "a"))
      assert.deepStrictEqual(yield* get(b, "a"), last)
    }).pipe(
      (test) => {
        const logged: Array<unknown> = []
        const logger = Logger.make(({ message }) => logged.push(message))
        return Effect.andThen(
          Effect.scoped(Effect.provide(test, Logger.layer([logger]))),
          Effect.sync(() => assert.deepStrictEqual(logged, []))
        )
      }
    ))

  it.effect("stops when it is closed, and leaves nothing open or half written", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const held = holdUp(/snapshot-[1-9]\d*-.*\.tmp$/)
      const scope = yield* Scope.make()
      const a = yield* Effect.provideService(
        open({ directory, compactAt: 3000 }, {
          write: (path, proceed, bytes) => Effect.andThen(held.wait(path), proceed(bytes))
        }),
        Scope.Scope,
        scope
      )
      const churning = yield* Effect.forkChild(churn(a, directory, null))
      yield* held.reached
      yield* Fiber.interrupt(churning)
      const last = yield* get(a, "a")
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(opened(directory), [])
      assert.deepStrictEqual(files(directory), ["journal-1.jsonl", "journal-2.jsonl", "snapshot-0.jsonl"])
      const b = yield* open({ directory, compactAt: 3000 })
      assert.deepStrictEqual(yield* get(b, "a"), last)
      yield* churn(b, directory, last)
    }))

  it.effect("leaves nothing open when it is closed while it leaves old files behind", () =>
    Effect.gen(function*() {
      for (const what of ["opens", "closes"] as const) {
        const directory = yield* temporaryDirectory
        const scope = yield* Scope.make()
        const reached = Deferred.makeUnsafe<void>()
        // A file that is opened slowly, and one that is closed slowly.
        const slow = Effect.andThen(Deferred.succeed(reached, undefined), Effect.sleep("50 millis"))
        const a = yield* Effect.provideService(
          open({ directory, compactAt: 3000 }, {
            open: (path, proceed) =>
              what === "opens" && /snapshot-1-.*\.jsonl$/.test(path)
                ? Effect.tap(proceed, slow)
                : what === "closes" && path.endsWith("snapshot-0.jsonl")
                ? Effect.andThen(Effect.addFinalizer(() => slow), proceed).pipe(
                  Effect.tap(Effect.addFinalizer(() => slow))
                )
                : proceed
          }),
          Scope.Scope,
          scope
        )
        const churning = yield* Effect.forkChild(churn(a, directory, null))
        yield* Deferred.await(reached)
        yield* Fiber.interrupt(churning)
        yield* Scope.close(scope, Exit.void)
        assert.deepStrictEqual(opened(directory), [], what)
      }
    }))

  it.effect("writes again what came after the seal", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const faults: Faults = {}
      const a = yield* open({ directory, compactAt: 1e9 }, faults)
      const b = yield* open(options)
      let last = yield* put(a, "a", null)
      for (let i = 0; i < 10; i++) {
        const held = holdUp(/journal/)
        faults.write = (path, proceed, bytes) => Effect.andThen(held.wait(path), proceed(bytes))
        const next = record(`${i}`)
        const committing = yield* Effect.forkChild(a.commit([
          [write("a", last, next)],
          [write(`${i}`, null, record())],
          [write("a", record(), record())]
        ]))
        yield* held.reached
        yield* churnOther(b, directory)
        yield* held.go
        assert.deepStrictEqual(yield* Fiber.join(committing), [
          committed,
          committed,
          { committed: false, current: [next] }
        ])
        assert.deepStrictEqual(yield* get(b, "a"), next)
        last = next
      }
    }))

  it.effect("removes what a process that died has left behind", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const options = { directory, compactAt: 1 }
      const a = yield* open(options)
      const last = yield* churn(a, directory, null, 2)
      const current = latest(directory)
      const [removed, kept] = [
        [
          "journal-1-x-1.jsonl",
          `journal-${current + 1}-x-1.jsonl`,
          `snapshot-${current - 1}-x-1.jsonl`,
          `snapshot-${current}-x-2.tmp`,
          "probe-0-x-3.tmp"
        ],
        [`journal-${current + 2}-x-4.jsonl`, `snapshot-${current + 1}-x-5.tmp`]
      ]
      for (const name of [...removed, ...kept]) writeFileSync(join(directory, name), "left behind")
      const b = yield* open(options)
      for (const name of removed) assert.notInclude(readdirSync(directory), name)
      for (const name of kept) assert.include(readdirSync(directory), name)
      yield* churn(b, directory, last, 2)
      assert.isTrue(isTidy(directory))
    }))
})

/** Lets another scope grow until there is a new journal. */
const churnOther = Effect.fnUntraced(function*(driver: Driver, directory: string) {
  const target = Math.max(...journals(directory)) + 1
  let other: Record | null = yield* get(driver, "b")
  for (let i = 0; Math.max(...journals(directory)) < target; i++) {
    assert.isBelow(i, 500)
    other = yield* put(driver, "b", other)
  }
})
