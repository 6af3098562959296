/** Clocks that are wrong, jump and go back. */
import { assert, it } from "@effect/vitest"
import { Clock, Duration, Effect, Option } from "effect"
import { expired } from "../../src/Driver.ts"
import { commit, committed, get, open, put, record, services, temporaryDirectory, until, write } from "./helpers.ts"

/** A clock on the wall that is off, over a monotonic one that may be turned. */
const clockOf = (now: { off: number; passed?: number }): Clock.Clock => {
  const clock = Clock.Clock.defaultValue()
  const offset = () => now.off + (now.passed ?? 0)
  return {
    currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + offset(),
    currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe() + offset()),
    currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(offset() * 1e6),
    currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe() + BigInt(offset() * 1e6)),
    monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe() + BigInt((now.passed ?? 0) * 1e6),
    monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe() + BigInt((now.passed ?? 0) * 1e6)),
    sleep: (duration) => clock.sleep(duration)
  }
}

const openAt = (now: { off: number; passed?: number }, directory: string) =>
  Effect.provideService(open({ directory }), Clock.Clock, clockOf(now))

const tenYears = Duration.toMillis("3650 days")
const hour = Duration.toMillis("1 hour")
const expiring = (name: string, expiresIn: Duration.Input, retention: Duration.Input = "1 hour") =>
  write(name, null, record(), {
    expiresIn: Duration.fromInputUnsafe(expiresIn),
    retention: Duration.fromInputUnsafe(retention)
  })

it.layer(services, { excludeTestServices: true })("the file driver", (it) => {
  for (const off of [tenYears, -tenYears, hour, -hour]) {
    it.effect(`neither stops nor forces expiry for a process that is ${off / hour} hours off`, () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const right = yield* openAt({ off: 0 }, directory)
        const [long, short] = [expiring("long", "1 hour"), expiring("short", "2 seconds")]
        yield* commit(right, long)
        const wrong = yield* openAt({ off }, directory)
        yield* commit(wrong, short)
        yield* put(wrong, "other", null)
        const gone = { revision: expired(short.next!.revision), data: null }
        for (const driver of [right, wrong]) {
          const [first, second] = yield* driver.read(["long", "short"])
          assert.strictEqual(first?.data, "{}")
          assert.approximately(Duration.toMillis(first!.expiresIn!), hour, 30_000)
          assert.strictEqual(second?.data, "{}")
        }
        for (const driver of [right, wrong]) {
          yield* until("expiry", Effect.map(get(driver, "short"), (record) => record?.revision === gone.revision))
        }
        // Nor for those who come later, when nobody else is there.
        const later = yield* openAt({ off: 0 }, directory)
        assert.strictEqual((yield* get(later, "long"))?.data, "{}")
        const last = expiring("last", "50 millis")
        assert.deepStrictEqual(yield* commit(later, last), committed)
        yield* until("expiry", Effect.map(get(later, "last"), (record) => record?.data === null))
      }))
  }

  it.effect("brings nothing back when clocks go back", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const now = { off: 0, passed: 0 }
      const a = yield* openAt(now, directory)
      const brief = expiring("a", "1 minute")
      yield* commit(a, brief)
      now.passed += 61_000
      assert.strictEqual((yield* get(a, "a"))?.data, null)
      for (const back of [-hour, -tenYears]) {
        now.off = back
        now.passed = 0
        assert.strictEqual((yield* get(a, "a"))?.data, null)
        yield* put(a, `tell ${back}`, null)
        assert.strictEqual((yield* get(yield* openAt(now, directory), "a"))?.data, null)
        assert.strictEqual((yield* get(yield* openAt({ off: 0 }, directory), "a"))?.data, null)
      }
    }))

  it.effect("does not count a step of all clocks while somebody is there", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      for (const step of [hour * 24, -hour]) {
        const now = { off: 0 }
        const openNow = open({ directory }, {
          info: (_, proceed) =>
            Effect.map(proceed, (info) => ({
              ...info,
              mtime: Option.map(info.mtime, (date) => new Date(date.getTime() + now.off))
            }))
        }).pipe(Effect.provideService(Clock.Clock, clockOf(now)))
        const a = yield* openNow
        const session = expiring(`session ${step}`, "1 hour")
        yield* commit(a, session)
        now.off = step
        yield* put(a, `other ${step}`, null)
        const b = yield* openNow
        yield* put(b, `third ${step}`, null)
        for (const driver of [a, b]) {
          const record = yield* get(driver, session.name)
          assert.strictEqual(record?.data, "{}")
          assert.approximately(Duration.toMillis(record!.expiresIn!), hour, 30_000)
        }
      }
    }))

  for (
    const [what, then, nows] of [
      ["by the clock of the file system", { off: -2 * hour, filed: -2 * hour }, [0, tenYears, -tenYears]],
      ["by its own, in a world of its own", { off: -2 * hour - tenYears, filed: 0 }, [-tenYears]]
    ] as const
  ) {
    it.effect(`counts the time in which nobody was there ${what}`, () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        yield* Effect.scoped(Effect.gen(function*() {
          const a = yield* open({ directory }, {
            info: (_, proceed) =>
              Effect.map(proceed, (info) => ({
                ...info,
                mtime: Option.map(info.mtime, (date) => new Date(date.getTime() + then.filed))
              }))
          }).pipe(Effect.provideService(Clock.Clock, clockOf({ off: then.off })))
          yield* commit(a, expiring("brief", "1 hour", "3 hours"))
          yield* commit(a, expiring("forgotten", "1 hour", "1 minute"))
          yield* commit(a, expiring("long", "3 hours"))
        }))
        for (const off of nows) {
          const b = yield* openAt({ off }, directory)
          const [brief, forgotten, long] = yield* b.read(["brief", "forgotten", "long"])
          assert.strictEqual(brief?.data, null)
          assert.isNull(forgotten)
          assert.approximately(Duration.toMillis(long!.expiresIn!), hour, 30_000)
        }
      }))
  }

  it.effect("has the same verdicts in all processes, whatever their clocks say", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const nows = [{ off: 0, passed: 0 }, { off: tenYears, passed: 0 }, { off: -hour, passed: 0 }]
      const drivers = yield* Effect.forEach(nows, (now) => openAt(now, directory))
      for (let round = 0; round < 60; round++) {
        nows[round % 3]!.passed += round % 7 * 20
        const driver = drivers[(round * 2) % 3]!
        const name = `${round % 4}`
        const current = yield* get(driver, name)
        yield* commit(
          driver,
          write(name, current, record(String(round)), {
            expiresIn: Duration.millis(30 + round % 5 * 20),
            retention: Duration.millis(50)
          })
        )
      }
      for (const now of nows) now.passed += 1e6
      yield* put(drivers[0]!, "tell", null)
      const fresh = yield* openAt({ off: 0 }, directory)
      for (const driver of [...drivers, fresh]) {
        assert.deepStrictEqual(yield* driver.read(["0", "1", "2", "3"]), [null, null, null, null])
      }
    }))
})
