import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { freePort, temporaryDirectory } from "./servers/server.ts"
import { request, run, serve, stop } from "./support/example.ts"

const files = Effect.map(temporaryDirectory, (directory) => ({ STORAGE: `file:${directory}` }))

describe("examples/limiter.ts", () => {
  it.live("two programs share each client's limit exactly, and clients have their own", () =>
    Effect.gen(function*() {
      const env = yield* files
      const started = performance.now()
      const outputs = yield* Effect.all([
        run("limiter", { ...env, REQUESTS: "20" }),
        run("limiter", { ...env, REQUESTS: "20" }),
        run("limiter", { ...env, REQUESTS: "4", CLIENT: "grace" })
      ], { concurrency: 3 })
      const seconds = (performance.now() - started) / 1000
      for (const { code, output } of outputs) assert.strictEqual(code, 0, output)
      const allowed = outputs.slice(0, 2).map(({ output }) => Number(/^ada: (\d+) allowed/m.exec(output)![1]))
      const sum = allowed[0]! + allowed[1]!
      assert.isAtLeast(sum, 10)
      assert.isAtMost(sum, 10 + seconds)
      assert.include(outputs[2].output, "grace: 4 allowed, 0 refused")
    }), 60_000)
})

describe("examples/queue.ts", () => {
  it.live("three programs finish every job exactly once", () =>
    Effect.gen(function*() {
      const env = yield* files
      const outputs = yield* Effect.all(["20", "20", "20"].map((JOBS) => run("queue", { ...env, JOBS })), {
        concurrency: 3
      })
      for (const { code, output } of outputs) assert.strictEqual(code, 0, output)
      const finished = outputs.flatMap(({ output }) => output.match(/finished task \d+/g) ?? [])
      assert.strictEqual(finished.length, 60)
      assert.strictEqual(new Set(finished).size, 20)
      assert.isTrue(outputs.some(({ output }) => output.includes("60 of 60 jobs finished")))
    }), 60_000)
})

describe("examples/game.ts", () => {
  it.live("two players play on two servers, and a restart does not end the game", () =>
    Effect.gen(function*() {
      const env = yield* files
      const server = Effect.gen(function*() {
        return yield* serve("game", { ...env, PORT: `${yield* freePort}` })
      })
      const first = yield* server
      const second = yield* server
      const post = (at: { readonly url: string }, path: string, body: unknown) =>
        Effect.map(
          request(`${at.url}/games/one/${path}`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body)
          }),
          ({ status, text }) => [status, JSON.parse(text)]
        )
      assert.deepStrictEqual(yield* post(first, "join", { player: "ada" }), [200, "o"])
      assert.deepStrictEqual(yield* post(second, "join", { player: "grace" }), [200, "x"])
      assert.deepStrictEqual((yield* post(first, "join", { player: "alan" }))[1], { _tag: "NoSeat", game: "one" })
      assert.deepStrictEqual((yield* post(second, "moves", { player: "grace", cell: 0 }))[1], {
        _tag: "NotNow",
        player: "grace"
      })
      assert.deepStrictEqual(yield* post(first, "moves", { player: "ada", cell: 4 }), [200, "go on"])
      assert.strictEqual((yield* post(second, "moves", { player: "grace", cell: 4 }))[0], 409)
      assert.deepStrictEqual(yield* post(second, "moves", { player: "grace", cell: 0 }), [200, "go on"])
      yield* stop(first, "SIGKILL")
      const third = yield* server
      assert.deepStrictEqual(yield* post(third, "moves", { player: "ada", cell: 2 }), [200, "go on"])
      assert.deepStrictEqual(yield* post(second, "moves", { player: "grace", cell: 1 }), [200, "go on"])
      assert.deepStrictEqual(yield* post(third, "moves", { player: "ada", cell: 6 }), [200, "ada wins"])
      const { text } = yield* request(`${second.url}/games/one`)
      assert.deepStrictEqual(JSON.parse(text), {
        _tag: "Over",
        winner: "ada",
        board: ["x", "x", "o", "", "o", "", "o", "", ""]
      })
    }), 60_000)
})
