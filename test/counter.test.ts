import { assert, describe, it } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import * as Fs from "node:fs/promises"
import * as NodePath from "node:path"
import { freePort, temporaryDirectory } from "./servers/server.ts"
import { type Environment, request, run, serve, stop, storages } from "./support/example.ts"

const start = (directory: string, port: number) => serve("counter", { PORT: `${port}`, DATA_DIR: directory })

const visit = (url: string) =>
  Effect.map(request(url), ({ status, text }) => {
    const found = /^There have been (\d+) requests?\.\n$/.exec(text)
    assert.isTrue(status === 200 && found !== null, `${status} ${text}`)
    return Number(found![1])
  })

/** What the program prints before it gives up. */
const fails = (env: Environment) =>
  Effect.map(run("counter", env), ({ code, output }) => {
    assert.strictEqual(code, 1, output)
    return output
  })

describe("examples/counter.ts", () => {
  it.live("counts all visitors, and each user's", () =>
    Effect.gen(function*() {
      const { url } = yield* start(yield* temporaryDirectory, yield* freePort)
      assert.strictEqual((yield* request(url)).text, "There have been 1 request.\n")
      assert.strictEqual((yield* request(url)).text, "There have been 2 requests.\n")
      assert.strictEqual(yield* visit(`${url}/?user=alice`), 1)
      assert.strictEqual(yield* visit(`${url}/?user=alice`), 2)
      assert.strictEqual(yield* visit(`${url}/?user=bob`), 1)
      assert.strictEqual(yield* visit(`${url}/?user=`), 1)
      assert.strictEqual(yield* visit(`${url}/?user=anonymous`), 2)
      assert.strictEqual(yield* visit(`${url}/?user=${encodeURIComponent("../🙂/__proto__\n")}`), 1)
      assert.strictEqual(yield* visit(url), 3)
    }))

  it.live("answers what is not a visit as one would expect", () =>
    Effect.gen(function*() {
      const { url } = yield* start(yield* temporaryDirectory, yield* freePort)
      assert.strictEqual((yield* request(`${url}/favicon.ico`)).status, 404)
      const posted = yield* request(url, { method: "POST", body: "x" })
      assert.deepStrictEqual([posted.status, posted.headers.get("allow")], [405, "GET"])
      assert.strictEqual((yield* request(url, { method: "HEAD" })).status, 405)
      const long = yield* request(`${url}/?user=${"x".repeat(600)}`)
      assert.strictEqual(long.status, 400)
      assert.include(long.text, "Use a shorter name")
      assert.strictEqual(yield* visit(url), 1)
    }))

  it.live("the count survives a restart and a kill", () =>
    Effect.gen(function*() {
      const [data, port] = [yield* temporaryDirectory, yield* freePort]
      for (const [i, signal] of (["SIGTERM", "SIGKILL", "SIGINT", "SIGKILL"] as const).entries()) {
        const server = yield* start(data, port)
        assert.strictEqual(yield* visit(server.url), 2 * i + 1)
        assert.strictEqual(yield* visit(server.url), 2 * i + 2)
        yield* stop(server, signal)
      }
    }))

  it.live("1,000 visits at once of two servers over one directory, one of them killed and restarted meanwhile", () =>
    Effect.gen(function*() {
      const data = yield* temporaryDirectory
      const [port, killedPort] = [yield* freePort, yield* freePort]
      const steady = yield* start(data, port)
      const victim = yield* start(data, killedPort)
      const counts: Array<number> = []
      let failed = 0
      const send = (url: string) =>
        Effect.matchEffect(visit(url), {
          onSuccess: (count) => Effect.sync(() => counts.push(count)),
          onFailure: () => Effect.sync(() => failed++)
        })
      const wave = (i: number) =>
        Effect.all([send(steady.url), send(victim.url)], { concurrency: 2 }).pipe(
          Effect.tap(() => i === 120 ? Effect.andThen(stop(victim, "SIGKILL"), start(data, killedPort)) : Effect.void)
        )
      yield* Effect.forEach(Array.from({ length: 500 }, (_, i) => i), wave, { concurrency: 50 })
      const total = (yield* visit(steady.url)) - 1
      // Nobody was told the same number, nobody's acknowledged visit is lost, and only visits without an answer may be extra.
      assert.strictEqual(new Set(counts).size, counts.length)
      assert.isAtLeast(total, counts.length)
      assert.isAtMost(total, counts.length + failed)
      assert.isAtMost(Math.max(...counts), total)
      assert.isAbove(counts.length, 500)
      // Both servers agree in the end
      const again = yield* visit(victim.url).pipe(
        Effect.retry(Schedule.spaced("50 millis").pipe(Schedule.upTo({ times: 100 })))
      )
      assert.strictEqual(again, total + 2)
    }))

  it.live("says what is wrong with its directory, its port or its state, and exits", () =>
    Effect.gen(function*() {
      const data = yield* temporaryDirectory
      yield* Effect.promise(() => Fs.writeFile(NodePath.join(data, "file"), ""))
      yield* Effect.promise(() => Fs.mkdir(NodePath.join(data, "corrupt")))
      yield* Effect.promise(() => Fs.writeFile(NodePath.join(data, "corrupt", "journal-1.jsonl"), "not a journal\n"))
      const PORT = `${yield* freePort}`
      assert.include(yield* fails({ PORT, DATA_DIR: NodePath.join(data, "file") }), "choose a path that is a directory")
      assert.include(yield* fails({ PORT, DATA_DIR: NodePath.join(data, "corrupt") }), "was not written by this driver")
      assert.include(yield* fails({ PORT: "nonsense", DATA_DIR: data }), "PORT")
      const server = yield* start(data, Number(PORT))
      assert.include(yield* fails({ PORT, DATA_DIR: data }), "EADDRINUSE")
      assert.strictEqual(yield* visit(server.url), 1)
    }), 120_000)

  for (const [name, storage] of Object.entries(storages)) {
    it.live(`the same program on ${name}: two servers share the count`, () =>
      Effect.gen(function*() {
        const env = yield* storage
        const servers = yield* Effect.forEach([yield* freePort, yield* freePort], (port) =>
          serve("counter", { ...env, PORT: `${port}` }))
        const counts = yield* Effect.forEach(
          Array.from({ length: 60 }, (_, i) =>
            servers[i % 2]!.url),
          visit,
          { concurrency: 20 }
        )
        assert.deepStrictEqual(counts.toSorted((a, b) => a - b), counts.map((_, i) => i + 1))
        yield* stop(servers[0]!, "SIGKILL")
        assert.strictEqual(yield* visit(servers[1]!.url), 61)
      }), 60_000)
  }
})
