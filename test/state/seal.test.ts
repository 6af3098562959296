import { assert, describe, it } from "@effect/vitest"
import { Console, DateTime, Effect, Fiber, Layer, ManagedRuntime, Option, Random, Schedule, Schema } from "effect"
import nodeCrypto from "node:crypto"
import { sealed } from "../../src/internal/state/seal.ts"

/** What a sealed function throws. */
const breach = (run: () => unknown): string => {
  try {
    sealed("cart", run)
  } catch (error) {
    assert.instanceOf(error, TypeError)
    assert.match(error.message, /The handler of "cart" used /)
    return error.message
  }
  throw new Error("was not sealed")
}

const world = (): ReadonlyArray<unknown> => [
  ...[globalThis, process, console, performance, crypto, Math, Date, Date.prototype, Promise.prototype].flatMap((
    owner
  ) => Object.entries(Object.getOwnPropertyDescriptors(owner)).map(([key, descriptor]) => ({ key, ...descriptor }))),
  ...[Object.getPrototypeOf(performance), Object.getPrototypeOf(crypto), nodeCrypto].flatMap((owner) =>
    Object.entries(Object.getOwnPropertyDescriptors(owner)).map(([key, descriptor]) => ({ key, ...descriptor }))
  )
]

describe("a sealed function", () => {
  const impure: ReadonlyArray<readonly [names: string, run: () => unknown]> = [
    ["Date.now()", () => Date.now()],
    ["new Date()", () => new Date()],
    ["Date()", () => Date()],
    ["performance.now()", () => performance.now()],
    ["Date.now()", () => DateTime.nowUnsafe()],
    ["process.hrtime()", () => process.hrtime.bigint()],
    ["process.uptime()", () => process.uptime()],
    ["Math.random()", () => [1, 2, 3].sort(() => Math.random() - 0.5)],
    ["crypto.randomUUID()", () => crypto.randomUUID()],
    ["crypto.getRandomValues()", () => crypto.getRandomValues(new Uint8Array(1))],
    ["crypto.subtle", () => crypto.subtle.digest("SHA-1", new Uint8Array(1))],
    ["crypto.randomBytes()", () => nodeCrypto.randomBytes(1)],
    ["setTimeout()", () => setTimeout(() => {}, 1)],
    ["setInterval()", () => setInterval(() => {}, 1)],
    ["setImmediate()", () => setImmediate(() => {})],
    ["queueMicrotask()", () => queueMicrotask(() => {})],
    ["process.nextTick()", () => process.nextTick(() => {})],
    ["a promise", () => Promise.resolve(1).then(() => {})],
    ["console.log()", () => console.log("x")],
    ["console.error()", () => console.error("x")],
    ["process.stdout", () => process.stdout.write("x")],
    ["process.stderr", () => process.stderr.write("x")],
    ["process.exit()", () => process.exit(1)],
    ["fetch()", () => fetch("http://localhost")],
    ["WebSocket", () => new WebSocket("ws://localhost")],
    ["a running Effect", () => Effect.runSync(Effect.sync(() => 1))],
    ["a running Effect", () =>
      Effect.runSyncExit(Effect.gen(function*() {
        return yield* Random.next
      }))],
    ["a running Effect", () => Effect.runFork(Effect.never)],
    ["a running Effect", () => Effect.runForkWith(Effect.runSync(Effect.context<never>()))(Effect.never)],
    ["a running Effect", () => Effect.runPromise(Effect.sleep(1))],
    ["a running Effect", () => Effect.runCallback(Console.log("x"))],
    ["a running Effect", () => ManagedRuntime.make(Layer.empty).runSync(Effect.sync(() => 1))],
    ["a running Effect", () => Effect.runFork(Effect.repeat(Effect.void, Schedule.forever))]
  ]
  for (const [names, run] of impure) {
    it(`must not touch ${run.toString().slice(6, 80)}`, () => {
      const before = world()
      assert.include(breach(run), names)
      assert.deepStrictEqual(world(), before)
    })
  }

  it("cannot hide it", () =>
    assert.include(
      breach(() => {
        try {
          console.log("x")
        } catch {
          return 1
        }
        return 2
      }),
      "console.log()"
    ))

  it("cannot hide it behind an error of its own", () =>
    assert.include(
      breach(() => {
        try {
          return Date.now()
        } catch {
          throw new Error("its own")
        }
      }),
      "Date.now()"
    ))

  it("leaves the world as it was wherever the stack ends", () => {
    const before = world()
    let sealedAt = 0
    let failed = 0
    const dig = (): void => {
      try {
        dig()
      } catch {
        // One try at each depth, from the very end of the stack up.
      }
      if (sealedAt > 50) return
      try {
        sealed("cart", () => sealedAt++)
      } catch {
        failed++
      }
    }
    dig()
    assert.isAbove(failed, 0)
    assert.isAbove(sealedAt, 50)
    assert.deepStrictEqual(world(), before)
  })

  it("leaves what cannot be written to as it was", () => {
    const was = Object.getOwnPropertyDescriptor(Math, "random")!
    Object.defineProperty(Math, "random", { ...was, writable: false })
    try {
      const before = Object.getOwnPropertyDescriptor(Math, "random")
      assert.include(breach(() => Math.random()), "Math.random()")
      assert.deepStrictEqual(Object.getOwnPropertyDescriptor(Math, "random"), before)
    } finally {
      Object.defineProperty(Math, "random", was)
    }
  })

  it("may do everything else", () => {
    const Moment = Schema.Struct({ at: Schema.Date, by: Schema.ReadonlyMap(Schema.String, Schema.Int) })
    const moment = { at: new Date(0), by: new Map([["a", 1]]) }
    const text = sealed("cart", () => JSON.stringify(Schema.encodeSync(Schema.toCodecJson(Moment))(moment)))
    assert.deepStrictEqual(
      sealed("cart", () => Schema.decodeUnknownSync(Schema.toCodecJson(Moment))(JSON.parse(text))),
      moment
    )
    assert.deepStrictEqual(
      sealed("cart", () => {
        const date = new Date(5)
        class Later extends Date {}
        return [
          date.getTime(),
          date instanceof Date,
          date.constructor === Date,
          new Later(3) instanceof Later,
          new Later(3).getTime(),
          Date.UTC(1970, 0),
          Date.parse("1970-01-01"),
          Option.isSome(DateTime.make("2020-01-01")),
          Math.max(1, 2)
        ]
      }),
      [5, true, true, true, 3, 0, 0, true, 2]
    )
  })

  it("leaves the world as it was, also when it throws", () => {
    const before = world()
    assert.strictEqual(sealed("cart", () => 1), 1)
    assert.deepStrictEqual(world(), before)
    assert.throws(() =>
      sealed("cart", () => {
        throw new Error("its own")
      }), "its own")
    assert.deepStrictEqual(world(), before)
    assert.isNumber(Date.now())
    assert.strictEqual(new Date(1).constructor, Date)
  })

  it("may run another one, whose scope is named", () => {
    const before = world()
    assert.throws(() => sealed("outer", () => sealed("inner", () => Date.now())), /"inner"/)
    assert.throws(() => sealed("outer", () => [sealed("inner", () => 1), Date.now()]), /"outer"/)
    assert.deepStrictEqual(world(), before)
  })

  it("keeps what a test put there", () => {
    const { now, random } = { now: Date.now, random: Math.random }
    const Real = Date
    try {
      Date.now = () => 7
      Math.random = () => 0.5
      assert.include(breach(() => Date.now()), "Date.now()")
      assert.include(breach(() => Math.random()), "Math.random()")
      assert.deepStrictEqual([Date.now(), Math.random()], [7, 0.5])
      class Fake extends Real {}
      globalThis.Date = Fake as DateConstructor
      assert.include(breach(() => new Date()), "new Date()")
      assert.strictEqual(globalThis.Date, Fake)
    } finally {
      globalThis.Date = Real
      Date.now = now
      Math.random = random
    }
    assert.include(breach(() => new Date()), "new Date()")
  })

  it.effect("runs inside a fiber, which goes on", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Effect.yieldNow)
      const inside = yield* Effect.sync(() => sealed("cart", () => Fiber.getCurrent()?.id))
      assert.strictEqual(inside, yield* Effect.fiberId)
      const exit = yield* Effect.exit(
        Effect.sync(() => sealed("cart", () => Effect.runFork(Effect.void.pipe(Effect.delay(1)))))
      )
      assert.isTrue(exit._tag === "Failure")
      yield* Fiber.join(fiber)
      assert.strictEqual(Fiber.getCurrent()?.id, yield* Effect.fiberId)
    }))
})
