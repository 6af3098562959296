/** Large states: that they do not keep the server from everybody else. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Record } from "../src/Driver.ts"
import { DriverError } from "../src/ScopedError.ts"
import { check, commit, create, driver, large, record, write } from "./redis/helpers.ts"
import { type Proxy, proxy } from "./redis/proxy.ts"
import { redisServer } from "./servers/redis.ts"

const KiB = 2 ** 10
const MiB = 2 ** 20

/** The most bytes that were answered between two questions, and how many questions there were. */
const listen = (wire: Proxy) => {
  let open = 0
  const heard = { questions: 0, most: 0 }
  wire.overhear = () => {
    heard.questions++
    open = 0
  }
  wire.inspect = (answer) => {
    open += answer.length
    heard.most = Math.max(heard.most, open)
    return true
  }
  return heard
}

describe("a Redis server with large states", { concurrent: true }, () => {
  it.live("is asked for a part at a time, and never for more than one largest", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const direct = yield* driver(server)
      const names = Array.from({ length: 61 }, (_, i) => `${i}`)
      const records = names.map((_, i) => i === 7 ? large(5 * MiB) : i % 3 === 0 ? record() : large(300 * KiB))
      for (const [i, name] of names.entries()) assert.isTrue(yield* commit(direct, create(name, records[i])))
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port, { timeout: "20 seconds" })
      assert.deepStrictEqual(yield* redis.read(["absent"]), [null])
      for (
        const [what, ask] of [
          ["a read", redis.read(names)],
          [
            "many reads at once",
            Effect.map(
              Effect.forEach([0, 1, 2], () => redis.read(names), { concurrency: "unbounded" }),
              ([first]) => first!
            )
          ],
          [
            "refusals",
            Effect.map(
              redis.commit(names.map((name) => [check(name, null)])),
              (answers) => answers.map((answer) => "current" in answer ? answer.current[0] : answer)
            )
          ],
          [
            "one refusal",
            Effect.map(redis.commit([names.map((name) => check(name, null))]), ([answer]) =>
              answer !== undefined && "current" in answer ? answer.current : answer)
          ]
        ] as const
      ) {
        const heard = listen(wire)
        const found: unknown = yield* ask
        assert.deepStrictEqual(found, records, what)
        // The first questions of reads may come one right after the other.
        assert.isAtMost(heard.most, (what === "many reads at once" ? 12 : 7.5) * MiB, what)
      }
    }))

  it.live("answers with small ones at once", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const wire = yield* proxy(server.port)
      const redis = yield* driver(wire.port)
      const names = Array.from({ length: 500 }, (_, i) => `${i}`)
      const first = large(KiB)
      yield* redis.commit(names.map((name) => create(name, first)))
      const heard = listen(wire)
      assert.deepStrictEqual(yield* redis.read(names), names.map(() => first))
      const [answer] = yield* redis.commit([names.map((name) => check(name, null))])
      assert.deepStrictEqual(answer, { committed: false, current: names.map(() => first) })
      // A question may arrive in some pieces.
      assert.isAtMost(heard.questions, 8)
    }))

  it.live("tells a refused transaction what was at one moment, however many parts that takes", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writing = yield* driver(server)
      const reading = yield* driver(server, { timeout: "20 seconds" })
      const names = Array.from({ length: 12 }, (_, i) => `${i}`)
      const versions = (n: number): Array<Record> =>
        names.map((_, i) => ({
          revision: `v:${n}`,
          // Some small, some large; together more than is told at once.
          data: i % 4 === 3 ? String(n) : `"${n} ${"x".repeat(300 * KiB)}"`
        }))
      let current = versions(0)
      assert.isTrue(yield* commit(writing, names.map((name, i) => write(name, null, current[i]!))))
      let running = true
      let commits = 0
      const churn = yield* Effect.forkChild(Effect.gen(function*() {
        while (running) {
          const next = versions(commits + 1)
          assert.isTrue(yield* commit(writing, names.map((name, i) => write(name, current[i]!, next[i]!))))
          current = next
          commits++
          yield* Effect.sleep("30 millis")
        }
      }))
      let during = 0
      for (let i = 0; i < 15; i++) {
        const before = commits
        const [answer] = yield* reading.commit([names.map((name) => check(name, null))])
        if (answer === undefined || answer instanceof DriverError || answer.committed) {
          return assert.fail(`not refused: ${String(answer)}`)
        }
        assert.strictEqual(new Set(answer.current.map((found) => found?.revision)).size, 1)
        for (const found of answer.current) {
          assert.strictEqual(found!.revision, `v:${Number.parseInt(found!.data!.replace("\"", ""))}`)
        }
        // As it was after the call began.
        assert.isAtLeast(Number(answer.current[0]!.revision.slice(2)), before)
        if (commits > before) during++
      }
      running = false
      yield* Fiber.join(churn)
      assert.isAbove(during, 0)
    }))

  it.live("tells what was at one moment also of what changes all the time", () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const writing = yield* driver(server)
      const wire = yield* proxy(server.port)
      const reading = yield* driver(wire.port, { timeout: "30 seconds" })
      assert.deepStrictEqual(yield* reading.read(["absent"]), [null])
      wire.delay = 150
      let questions = 0
      wire.overhear = (question) => {
        questions += question.toString("latin1").split("evalsha\r\n").length - 1
      }
      const names = ["a", "b", "c", "d"]
      const next = () => {
        const data = JSON.stringify("x".repeat(MiB))
        const { revision } = record()
        return names.map((): Record => ({ revision, data }))
      }
      let current = next()
      assert.isTrue(yield* commit(writing, names.map((name, i) => write(name, null, current[i]!))))
      let running = true
      const churn = yield* Effect.forkChild(Effect.gen(function*() {
        while (running) {
          const after = next()
          assert.isTrue(yield* commit(writing, names.map((name, i) => write(name, current[i]!, after[i]!))))
          current = after
        }
      }))
      for (let i = 0; i < 3; i++) {
        const before = questions
        const [answer] = yield* reading.commit([names.map((name) => check(name, null))])
        assert.isTrue(answer !== undefined && "current" in answer, String(answer))
        // Each but the first tells more than those before it, or there is more room from then on.
        assert.isAbove(questions - before, 2)
        assert.isAtMost(questions - before, 8)
        if (answer !== undefined && "current" in answer) {
          assert.strictEqual(new Set(answer.current.map((found) => found?.revision)).size, 1)
        }
      }
      running = false
      yield* Fiber.join(churn)
    }))
})
