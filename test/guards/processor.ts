/**
 * A process of its own for what an update in memory costs: the bytes that it allocates, for which nothing may be
 * collected meanwhile, and its processor time beside that of fibers that suspend and resume. Prints both as JSON.
 *
 * usage: node --max-semi-space-size=512 processor.ts
 */
import { Effect } from "effect"
import { MemoryDriver } from "effect-scoped"
import { PerformanceObserver } from "node:perf_hooks"
import { floor } from "../bench/contenders/memory.ts"
import * as Ours from "../bench/contenders/ours.ts"
import { type Contender, median, race, ratio, warm } from "../bench/harness.ts"

const effort = { rounds: 5, millis: 25, quick: true }

let collections = 0
new PerformanceObserver((list) => collections += list.getEntries().length).observe({ entryTypes: ["gc"] })

/** The least of some tries, for a try in which the compiler is at work allocates more. */
const allocated = Effect.fnUntraced(function*({ add, context }: Contender, concurrency: number, keys: number) {
  const found: Array<number> = []
  const updates = Array.from({ length: concurrency === 1 ? 300 : 3_000 }, (_, i) => i % keys)
  for (let tries = 0; found.length < 4; tries++) {
    if (tries === 50) throw new Error("there is a collection each time")
    const [used, before] = [process.memoryUsage().heapUsed, collections]
    yield* Effect.forEach(updates, add, { concurrency, discard: true }).pipe(Effect.provideContext(context))
    const bytes = process.memoryUsage().heapUsed - used
    // Whoever observes hears of a collection a moment later.
    yield* Effect.sleep(1)
    if (collections === before) found.push(bytes / updates.length)
  }
  return Math.min(...found)
})

const program = Effect.gen(function*() {
  const [ours, theirs] = [yield* Ours.make(MemoryDriver.layer()), floor()]
  yield* warm([ours, theirs], effort)
  const found: { [atOnce: number]: { readonly bytes: number; readonly times: number } } = {}
  for (const [concurrency, keys] of [[1, 1], [64, 1], [1_000, 10_000]] as const) {
    const laps = yield* race([ours, theirs], { concurrency, keys, effort })
    const [mine, least] = [laps.get(ours.name)!, laps.get(theirs.name)!]
    found[concurrency] = {
      bytes: yield* allocated(ours, concurrency, keys),
      times: Math.min(ratio(mine.cpuMicros, least.cpuMicros), median(mine.cpuMicros) / median(least.cpuMicros))
    }
  }
  console.log(JSON.stringify(found))
})

await Effect.runPromise(Effect.scoped(program))
