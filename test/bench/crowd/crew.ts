/** Several processes that are told what to do together. */
import { Effect } from "effect"
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import type { Store } from "../contenders/contenders.ts"
import { type Done, type Job, type Latencies, merge } from "./job.ts"

export interface Group {
  readonly contender: string
  readonly processes: number
  /** In each of them. */
  readonly concurrency: number
}

export interface Heat {
  readonly perSecond: number
  /** What the slowest process did of what the fastest did. */
  readonly fairness: number
  readonly attempts: number
  readonly updates: number
  readonly latencies: Latencies
}

const heat = (all: ReadonlyArray<Done>): Heat => {
  const updates = all.reduce((sum, { count }) => sum + count, 0)
  return {
    updates,
    perSecond: all.reduce((sum, { count, seconds }) => sum + count / seconds, 0),
    fairness: Math.min(...all.map(({ count }) => count)) / Math.max(...all.map(({ count }) => count)),
    attempts: all.reduce((sum, { attempts }) => sum + attempts, 0),
    latencies: merge(all.map(({ latencies }) => latencies))
  }
}

/** The next message of a process, unless it ends before. */
const message = async (child: ChildProcess): Promise<unknown> => {
  const ended = new AbortController()
  try {
    const [told] = await Promise.race([
      once(child, "message", { signal: ended.signal }),
      once(child, "exit", { signal: ended.signal }).then(() => {
        throw new Error("a process of the crowd ended")
      })
    ])
    return told
  } finally {
    ended.abort()
  }
}

/** Starts so many processes, each of which can be any of the contenders. */
export const crew = Effect.fnUntraced(function*(store: Store, place: string, size: number) {
  const start = Effect.acquireRelease(
    Effect.promise(async () => {
      const child = fork(fileURLToPath(new URL("worker.ts", import.meta.url)), [store, place], {
        execArgv: ["--conditions=effect-scoped-source"]
      })
      await message(child)
      return child
    }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  // The first prepares the store for the others.
  const first = yield* start
  const others = yield* Effect.forEach(Array.from({ length: size - 1 }), () => start, { concurrency: 4 })
  const all = [first, ...others]

  return (group: Group, millis: number): Effect.Effect<Heat> =>
    Effect.promise(async () => {
      const job: Job = { ...group, millis, at: Date.now() + 50 }
      const done = await Promise.all(
        all.slice(0, group.processes).map((child) => {
          child.send(job)
          return message(child) as Promise<Done>
        })
      )
      return heat(done)
    })
})
