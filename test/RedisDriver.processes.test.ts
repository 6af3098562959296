/** Processes over one server, some of them killed. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { storedText } from "./redis/helpers.ts"
import { redisServer, until } from "./servers/redis.ts"

interface Hammer {
  readonly writer: string
  readonly process: ChildProcess
  readonly tried: Map<string, number>
  readonly done: Map<string, number>
  readonly complaints: Array<string>
  readonly ended: Effect.Effect<void>
  killed: boolean
}

const scopes = 1000

const hammer = (url: string, writer: string): Hammer => {
  const child = spawn(
    process.execPath,
    [
      "--conditions=effect-scoped-source",
      new URL("redis/hammer.ts", import.meta.url).pathname,
      url,
      writer,
      `${scopes}`
    ],
    { stdio: ["pipe", "pipe", "pipe"] }
  )
  const complaints: Array<string> = []
  const tried = new Map<string, number>()
  const done = new Map<string, number>()
  let rest = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const [kind, name = ""] = line.split(" ")
      if (kind === "#") complaints.push(line)
      const counts = kind === "?" ? tried : done
      counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  })
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaints.push(text))
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()))
  return { writer, process: child, tried, done, complaints, killed: false, ended: Effect.promise(() => closed) }
}

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

it.live(
  "four processes count exactly on one scope and on a thousand, while some are killed",
  () =>
    Effect.gen(function*() {
      const server = yield* redisServer()
      const all: Array<Hammer> = []
      yield* Effect.addFinalizer(() => Effect.sync(() => all.forEach(({ process }) => process.kill("SIGKILL"))))
      const start = () => {
        const self = hammer(server.url, `w${all.length}`)
        all.push(self)
        return self
      }
      const counts = (self: Hammer, more: number) =>
        until(`${self.writer} counts`, Effect.sync(() => total(self.done) >= more || self.complaints.length > 0))
      const slots = [start(), start(), start(), start()]
      yield* Effect.forEach([0, 1], (slot) =>
        Effect.gen(function*() {
          for (let kills = 0; kills < 3; kills++) {
            const self = slots[slot]!
            yield* counts(self, 200)
            self.killed = true
            self.process.kill("SIGKILL")
            slots[slot] = start()
          }
        }), { concurrency: "unbounded" })
      yield* Effect.forEach(slots, (self) => counts(self, 500), { concurrency: "unbounded" })
      for (const { process } of slots) process.stdin!.end()
      for (const { ended } of all) yield* ended

      assert.deepStrictEqual(all.flatMap(({ complaints }) => complaints), [])
      const stored = new Map<string, { readonly [writer: string]: number }>()
      for (const name of ["hot", ...Array.from({ length: scopes }, (_, i) => `${i}`)]) {
        stored.set(name, JSON.parse((yield* storedText(server, `counts/${name}`)) ?? "{}"))
      }
      for (const { done, killed, tried, writer } of all) {
        for (const [name, counts] of stored) {
          const count = counts[writer] ?? 0
          assert.isAtLeast(count, done.get(name) ?? 0, `${writer} lost what it was told of ${name}`)
          assert.isAtMost(count, tried.get(name) ?? 0, `${writer} counted twice on ${name}`)
          if (!killed) assert.strictEqual(count, done.get(name) ?? 0)
        }
      }
      assert.strictEqual(all.filter(({ killed }) => killed).length, 6)
    }),
  60_000
)
