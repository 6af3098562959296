/**
 * Processes that all update one scope at once, by this library or by a loop as it is written by hand: updates a second,
 * the slowest process over the fastest, how long updates took, and how often each was tried.
 *
 * What is named runs one after the other, round by round, so that ratios can be taken within a round. `8x1` are eight
 * processes, each with one update at a time.
 *
 * ```sh
 * npm run bench:crowd -- redis:8x1 redis-cas:8x1 redis:1x1 --seconds 3 --rounds 3
 * ```
 */
import { Effect, type Scope } from "effect"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { contenders, places } from "./contenders.ts"
import { show } from "./stores.ts"

/**
 * What a process did: how long each update took, and how long it computed, in milliseconds, and how often handlers or
 * bodies of loops ran.
 */
interface Report {
  readonly cpu: number
  readonly millis: ReadonlyArray<number>
  readonly attempts: number
}

const option = (name: string, otherwise: number): number => {
  const at = process.argv.indexOf(`--${name}`)
  return at === -1 ? otherwise : Number(process.argv[at + 1])
}

/** One process of a crowd: says that it is ready, and begins when it is told to. */
const worker = Effect.fnUntraced(function*(contender: string, place: string, fibers: number, seconds: number) {
  const { attempts, update } = yield* contenders[contender]!(place)
  // What is connected and compiled at first is not measured.
  for (let i = 0; i < 2_000; i++) yield* update(`${process.pid}`)
  yield* Effect.callback<void>((resume) => {
    process.once("message", () => resume(Effect.void))
    process.send!("ready")
  })
  const before = attempts()
  const cpu = process.cpuUsage()
  const millis: Array<number> = []
  const end = performance.now() + seconds * 1_000
  const loop = Effect.gen(function*() {
    for (let start = performance.now(); start < end;) {
      yield* update(`shared by ${contender}`)
      const now = performance.now()
      millis.push(now - start)
      start = now
    }
  })
  yield* Effect.forEach(Array.from({ length: fibers }), () => loop, { concurrency: "unbounded", discard: true })
  const { system, user } = process.cpuUsage(cpu)
  const report: Report = { millis, attempts: attempts() - before, cpu: (user + system) / 1_000 }
  yield* Effect.callback<void>((resume) => {
    process.send!(report, () => resume(Effect.void))
  })
})

/** All processes of a crowd begin together. */
const crowd = (contender: string, place: string, processes: number, fibers: number, seconds: number) =>
  Effect.callback<ReadonlyArray<Report>, Error>((resume) => {
    const reports: Array<Report> = []
    let ready = 0
    const children = Array.from(
      { length: processes },
      () => fork(fileURLToPath(import.meta.url), ["worker", contender, place, String(fibers), String(seconds)])
    )
    for (const child of children) {
      child.on("message", (message) => {
        if (message !== "ready") reports.push(message as Report)
        else if (++ready === processes) { for (const child of children) child.send("go") }
      })
      child.on("exit", (code) => {
        if (code !== 0) resume(Effect.fail(new Error(`a process of ${contender} ended with ${code}`)))
        else if (reports.length === processes) resume(Effect.succeed(reports))
      })
    }
    return Effect.sync(() => children.forEach((child) => child.kill()))
  })

const summary = (reports: ReadonlyArray<Report>, seconds: number): ReadonlyArray<string | number> => {
  const counts = reports.map(({ millis }) => millis.length)
  const millis = reports.flatMap(({ millis }) => millis).toSorted((a, b) => a - b)
  const attempts = reports.reduce((sum, report) => sum + report.attempts, 0)
  const cpu = reports.reduce((sum, report) => sum + report.cpu, 0)
  const part = (share: number) => millis[Math.min(Math.floor(millis.length * share), millis.length - 1)]!.toFixed(2)
  return [
    Math.round(millis.length / seconds),
    (Math.min(...counts) / Math.max(...counts)).toFixed(2),
    part(0.5),
    part(0.99),
    part(1),
    (attempts / millis.length).toFixed(3),
    Math.round(cpu / millis.length * 1_000)
  ]
}

const main = Effect.gen(function*() {
  const seconds = option("seconds", 3)
  const specs = process.argv.slice(2).flatMap((argument) => {
    const [, contender = "", processes, fibers] = /^([\w-]+):(\d+)x(\d+)$/.exec(argument) ?? []
    return contender in contenders ? [{ contender, processes: Number(processes), fibers: Number(fibers) }] : []
  })
  const open = new Map<string, string>()
  const head = ["per second", "slowest / fastest", "50 % ms", "99 % ms", "max ms", "attempts", "CPU µs each"]
  show(["what", "processes x at once", ...head])
  show(["---", "---", ...head.map(() => "---")])
  for (let round = 0; round < option("rounds", 1); round++) {
    for (const { contender, fibers, processes } of specs) {
      const [store = ""] = contender.split("-")
      if (!open.has(store)) open.set(store, yield* places[store]!)
      const reports = yield* crowd(contender, open.get(store)!, processes, fibers, seconds)
      show([contender, `${processes} x ${fibers}`, ...summary(reports, seconds)])
    }
  }
})

const [role, contender = "", place = "", fibers, seconds] = process.argv.slice(2)
const program: Effect.Effect<void, unknown, Scope.Scope> = role === "worker"
  ? worker(contender, place, Number(fibers), Number(seconds))
  : main
await Effect.runPromise(Effect.scoped(program))
// Whatever a loop by hand left open.
if (role === "worker") process.exit()
