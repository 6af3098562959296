/** Writers with products under tiny compaction, killed and stopped at random; money and acknowledged transfers are checked.
 * usage: kill.ts [seconds] | child dir id */
import { NodeServices } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import { FileDriver, Scoped } from "effect-scoped"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
const [mode, dir, id] = process.argv.slice(2)
const Account = Scoped.family("account", {
  key: Schema.String,
  schema: Schema.Struct({ balance: Schema.Int, log: Schema.Array(Schema.String), pad: Schema.String }),
  initial: { balance: 100, log: [], pad: "" }
})
const names = ["a", "b", "c", "d", "e", "f"]
if (mode === "child") {
  let n = 0
  const one = Effect.gen(function*() {
    const [x, y] = [...names].sort(() => Math.random() - 0.5) as [string, string]
    const mark = `${id}.${n++}`
    writeSync(1, `?${mark}\n`)
    yield* Scoped.update(Scoped.all([Account(x), Account(y)]), ([p, q]) => [0, [
      { balance: p.balance - 1, log: [...p.log.slice(-2000), mark], pad: "p".repeat(p.log.length % 1000) },
      { balance: q.balance + 1, log: [...q.log.slice(-2000), mark], pad: "q".repeat(q.log.length % 1000) }
    ]])
    writeSync(1, `!${mark}\n`)
    if (n % 50 === 0) yield* Effect.sleep(Math.random() * 20)
  })
  await Effect.all([Effect.forever(one), Effect.forever(one), Effect.forever(one)], { concurrency: 3 }).pipe(
    Effect.provide(FileDriver.layer({ directory: dir!, compactAt: 60_000 })),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
} else {
  const directory = mkdtempSync(join(tmpdir(), "kill-"))
  const asked = new Set<string>(), acked = new Set<string>()
  const live = new Set<ChildProcess>()
  let ids = 0, warns = 0, kills = 0, stops = 0, mostFiles = 0, mostFds = 0
  const start = () => {
    const child = spawn(process.execPath, [
      "--conditions=effect-scoped-source",
      import.meta.filename,
      "child",
      directory,
      `p${ids++}`
    ], { stdio: ["ignore", "pipe", "inherit"] })
    live.add(child)
    let rest = ""
    child.stdout!.on("data", (d) => {
      const lines = (rest + d).split("\n")
      rest = lines.pop()!
      for (const l of lines) {
        if (l.includes("WARN")) {
          warns++
          console.log(l)
        } else (l[0] === "?" ? asked : acked).add(l.slice(1))
      }
    })
    child.on("close", (code, signal) => {
      live.delete(child)
      if (signal !== "SIGKILL") console.log("ended by itself", code, signal)
    })
  }
  const end = Date.now() + Number(mode ?? 30) * 1000
  for (let i = 0; i < 4; i++) start()
  while (Date.now() < end) {
    await new Promise((r) => setTimeout(r, 300 + Math.random() * 900))
    mostFiles = Math.max(mostFiles, readdirSync(directory).length)
    const children = [...live]
    for (const c of children) {
      try {
        mostFds = Math.max(
          mostFds,
          readdirSync(`/proc/${c.pid}/fd`).filter((f) => {
            try {
              return readlinkSync(`/proc/${c.pid}/fd/${f}`).startsWith(directory)
            } catch {
              return false
            }
          }).length
        )
      } catch {}
    }
    const c = children[Math.floor(Math.random() * children.length)]
    if (!c) continue
    if (Math.random() < 0.4) {
      stops++
      c.kill("SIGSTOP")
      setTimeout(() => c.kill("SIGCONT"), Math.random() * 4000)
    } else if (Math.random() < 0.5) {
      kills++
      c.kill("SIGKILL")
    }
    while (live.size < 4) {
      start()
      await new Promise((r) => setTimeout(r, 10))
      if (live.size >= 4) break
    }
  }
  await new Promise((r) => setTimeout(r, 4500))
  await Promise.all([...live].map((c) =>
    new Promise((r) => {
      c.on("close", r)
      c.kill("SIGKILL")
    })
  ))
  const states = await Scoped.get(Scoped.all(names.map((n) => Account(n)))).pipe(
    Effect.provide(FileDriver.layer({ directory })),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
  const counts = new Map<string, number>()
  for (const s of states) for (const m of s.log) counts.set(m, (counts.get(m) ?? 0) + 1)
  console.log({
    total: states.reduce((s, { balance }) => s + balance, 0),
    asked: asked.size,
    acked: acked.size,
    kills,
    stops,
    mostFiles,
    mostFds,
    lost: [...acked].filter((m) => !counts.has(m)).length,
    notTwo: [...counts].filter(([, c]) => c !== 2).slice(0, 5),
    notAsked: [...counts.keys()].filter((m) => !asked.has(m)).length,
    longest: Math.max(...states.map((s) => s.log.length)),
    files: readdirSync(directory)
  })
  const lost = [...acked].filter((m) => !counts.has(m))
  console.log(
    lost.join(" "),
    "stored",
    counts.size,
    "unacked but stored",
    [...counts.keys()].filter((m) => !acked.has(m)).length
  )
  if (lost.length === 0) rmSync(directory, { recursive: true })
  else console.log(directory)
}
