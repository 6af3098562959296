/** Real processes over one directory, killed and stopped at random. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { get, latest, open, services, temporaryDirectory, until } from "./helpers.ts"
import { numbers } from "./seeded.ts"

interface Hammer {
  readonly writer: string
  readonly process: ChildProcess
  readonly tried: Map<string, number>
  readonly done: Map<string, number>
  readonly complaints: Array<string>
}

const hammer = (directory: string, writer: string, compactAt: number): Hammer => {
  const process_ = spawn(process.execPath, [
    new URL("hammer.ts", import.meta.url).pathname,
    directory,
    writer,
    String(compactAt)
  ], { stdio: ["ignore", "pipe", "pipe"] })
  const self: Hammer = { writer, process: process_, tried: new Map(), done: new Map(), complaints: [] }
  let rest = ""
  process_.stdout!.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n")
    rest = lines.pop()!
    for (const line of lines) {
      const [kind, ...names] = line.split(" ")
      if (kind === "#") self.complaints.push(line)
      if (kind !== "?" && kind !== "!") continue
      const counts = kind === "?" ? self.tried : self.done
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
    }
  })
  process_.stderr!.setEncoding("utf8").on("data", (text: string) => self.complaints.push(text))
  return self
}

const kill = (self: Hammer) =>
  Effect.callback<void>((resume) => {
    if (self.process.exitCode !== null) return resume(Effect.void)
    self.process.on("close", () => resume(Effect.void))
    self.process.kill("SIGKILL")
  })

/** Until it has counted at least once; it must not end by itself. */
const running = (self: Hammer) =>
  Effect.gen(function*() {
    do {
      assert.deepStrictEqual(self.complaints, [])
      assert.isNull(self.process.exitCode)
      yield* Effect.sleep("5 millis")
    } while (self.done.size === 0)
  })

const total = (counts: ReadonlyMap<string, number>): number => [...counts.values()].reduce((sum, n) => sum + n, 0)

it.layer(services, { excludeTestServices: true })("processes over one directory", (it) => {
  it.effect(
    "lose nothing that they were told, when they are killed and stopped at random",
    () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const seed = 1
        const random = numbers(seed)
        const compactAt = 3000
        const all: Array<Hammer> = []
        const start = () => {
          const self = hammer(directory, `w${all.length}`, compactAt)
          all.push(self)
          return self
        }
        const slots = [start(), start(), start()]
        yield* Effect.addFinalizer(() => Effect.sync(() => all.forEach((self) => self.process.kill("SIGKILL"))))
        let kills = 0
        let stops = 0
        const slot = (index: number) =>
          Effect.gen(function*() {
            while (kills < 16 || stops < 16) {
              yield* running(slots[index]!)
              yield* Effect.sleep(random(120))
              if (random(2) === 0) {
                slots[index]!.process.kill("SIGSTOP")
                yield* Effect.sleep(random(4) === 0 ? random(400) : random(40))
                slots[index]!.process.kill("SIGCONT")
                stops++
              } else {
                yield* kill(slots[index]!)
                slots[index] = start()
                kills++
              }
            }
            yield* running(slots[index]!)
          })
        yield* Effect.all([slot(0), slot(1), slot(2)], { concurrency: 3 })
        yield* Effect.forEach(slots, kill, { concurrency: "unbounded" })

        assert.deepStrictEqual(all.flatMap((self) => self.complaints), [])
        const driver = yield* open({ directory, compactAt })
        let applied = 0
        for (const name of ["a", "b", "c", "d"]) {
          const counts: { [writer: string]: number } = JSON.parse((yield* get(driver, name))!.data!)
          for (const { done, tried, writer } of all) {
            const count = counts[writer] ?? 0
            assert.isAtLeast(count, done.get(name) ?? 0, `${writer} lost what it had counted on ${name}`)
            assert.isAtMost(count, tried.get(name) ?? 0, `${writer} counted twice on ${name}`)
            applied += count
          }
        }
        const done = all.reduce((sum, self) => sum + total(self.done), 0)
        assert.strictEqual(applied % 2, 0, "both scopes of a transaction or none")
        assert.isAtMost((applied - done) / 2, all.length, "more than what was in flight")
        assert.isAbove(latest(directory), 5)
      }),
    80_000
  )

  for (const width of [1, 64]) {
    it.effect(`leave each other a fair share, each with ${width} updates at once`, () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const busy = ["one", "two"].map((writer) => {
          const self = spawn(process.execPath, [
            "--conditions=effect-scoped-source",
            new URL("busy.ts", import.meta.url).pathname,
            directory,
            writer,
            String(width)
          ], { stdio: ["ignore", "pipe", "inherit"] })
          const counted = { done: 0 }
          self.stdout.setEncoding("utf8").on("data", (text: string) => {
            counted.done = Number(text.trim().split("\n").at(-1))
          })
          return { self, counted }
        })
        yield* Effect.addFinalizer(() => Effect.sync(() => busy.forEach(({ self }) => self.kill("SIGKILL"))))
        yield* until("both are busy", Effect.sync(() => busy.every(({ counted }) => counted.done > 10)))
        // A machine that has other things to do may let one of them stand for a while: they have three chances.
        yield* Effect.retry(
          Effect.gen(function*() {
            const before = busy.map(({ counted }) => counted.done)
            yield* Effect.sleep("3 seconds")
            const shares = busy.map(({ counted }, i) => counted.done - before[i]!)
            const all = shares[0]! + shares[1]!
            if (process.env.SHARES) console.log(width, shares)
            if (Math.min(...shares) <= all / 4) {
              return yield* Effect.fail(new Error(`of ${all}: ${shares.join(" and ")}`))
            }
          }),
          { times: 2 }
        )
      }), 30_000)
  }

  it.effect("say so when the disk is full or read-only, and go on when it is not", () =>
    Effect.gen(function*() {
      const directory = yield* temporaryDirectory
      const script = new URL("disk.ts", import.meta.url).pathname
      const { status, stderr, stdout } = spawnSync("unshare", ["-rm", process.execPath, script, directory], {
        encoding: "utf8"
      })
      assert.deepStrictEqual([status, stdout.trim(), stderr], [0, "fine", ""])
    }))
})
