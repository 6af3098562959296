/** The processes that work on a store, and what they told. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import type { Seeded } from "../../../src/testing/internal/random.ts"
import type { End, Order, Place, Report } from "./protocol.ts"
import type { Operation } from "./workload.ts"

/** A call as it was seen from outside. `end` is absent where nobody told: the process was killed before. */
export interface Event {
  readonly worker: string
  readonly operation: Operation
  readonly called: number
  returned: number
  end: End | undefined
}

export interface Worker {
  readonly name: string
  readonly process: () => ChildProcess
  readonly tell: (order: Order) => void
  readonly signal: (signal: NodeJS.Signals) => void
  /** Kills the process, if it lives, and starts another one, which goes on with the round. */
  readonly restart: Effect.Effect<void>
  /** Starts a round: forgets what was. */
  readonly start: (groups: ReadonlyArray<string>) => void
  /** Whether the process has come to run: a machine that is busy takes its time for that. */
  readonly isUp: () => boolean
  /** Whether it came through after it was told to look. */
  readonly looked: () => boolean
  /** The calls of the round. */
  readonly events: () => ReadonlyArray<Event>
  /** What must not happen. */
  readonly complaints: () => ReadonlyArray<string>
}

export interface Options {
  readonly number: number
  readonly place: Place
  readonly fibers: number
  readonly removes: boolean
  readonly random: Seeded
  /** What to run a worker with, such as another user: a command with its first arguments. */
  readonly under?: ReadonlyArray<string> | undefined
}

/** Every process has its own ids: those that take its place, too. */
const idsPerProcess = 10_000
const idsPerWorker = 10_000_000

export const make = (options: Options): Effect.Effect<Worker, never, Scope.Scope> => {
  let events: Array<Event> = []
  const complaints: Array<string> = []
  const worker = `w${options.number}`
  let processes = 0
  let looked = false
  let up = false
  let order: Order & { readonly do: "run" } | undefined
  let current: ChildProcess
  let expected = false

  const start = () => {
    const open = new Map<number, Event>()
    const name = `${worker}.${processes}`
    const [command = process.execPath, ...first] = [...options.under ?? [], process.execPath]
    const child = spawn(command, [
      ...first,
      "--conditions=effect-scoped-source",
      fileURLToPath(new URL("worker.ts", import.meta.url)),
      JSON.stringify(options.place),
      String(options.random.below(2 ** 30)),
      String(1 + options.number * idsPerWorker + processes++ * idsPerProcess)
    ], { stdio: ["pipe", "pipe", "pipe"] })
    current = child
    expected = false
    up = false
    child.stdin!.on("error", () => {})
    child.stderr!.setEncoding("utf8").on("data", (text: string) => complaints.push(`${name}: ${text}`))
    child.on("exit", (code, signal) => {
      if (child === current && !expected) complaints.push(`${name} ended by itself (${code ?? signal})`)
    })
    createInterface({ input: child.stdout! }).on("line", (line) => {
      let report: Report
      try {
        report = JSON.parse(line) as Report
      } catch {
        // The last words of one that was killed.
        if (!expected) complaints.push(`${name}: ${line}`)
        return
      }
      switch (report.tell) {
        case "call": {
          const event: Event = {
            worker: name,
            operation: report.operation,
            called: report.at,
            returned: Infinity,
            end: undefined
          }
          open.set(report.call, event)
          events.push(event)
          return
        }
        case "end": {
          const event = open.get(report.call)!
          open.delete(report.call)
          event.returned = report.at
          event.end = report.end
          return
        }
        case "up":
          up = child === current
          return
        case "looked":
          looked = child === current
          return
        case "broken":
          complaints.push(`${name}: ${report.message}`)
      }
    })
  }

  const tell = (order: Order) => {
    current.stdin!.write(`${JSON.stringify(order)}\n`)
  }

  const kill = Effect.promise(async () => {
    expected = true
    const child = current
    if (child.exitCode !== null || child.signalCode !== null) return
    // What it told before is still to be read.
    const closed = once(child, "close")
    child.kill("SIGKILL")
    await closed
  })

  return Effect.acquireRelease(
    Effect.sync((): Worker => {
      start()
      return {
        name: worker,
        process: () => current,
        tell,
        signal: (signal) => current.kill(signal),
        // The fault that restarts may end meanwhile, and nobody else would start another one.
        restart: Effect.uninterruptible(Effect.map(kill, () => {
          start()
          if (order !== undefined) tell(order)
        })),
        start: (groups) => {
          events = []
          looked = false
          order = { do: "run", groups, removes: options.removes, fibers: options.fibers }
          tell(order)
        },
        isUp: () => up,
        looked: () => looked,
        events: () => events,
        complaints: () => complaints
      }
    }),
    () => kill
  )
}
