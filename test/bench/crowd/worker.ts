/**
 * One process of a crowd: all contenders of a store, each of which does its rounds when it is told to.
 *
 * usage: worker.ts STORE PLACE, with a channel to whoever started it
 */
import { Effect, Queue } from "effect"
import { type Contenders, contenders } from "../contenders/contenders.ts"
import { type Contender, lap } from "../harness.ts"
import { bucketOf, type Done, type Job } from "./job.ts"

const [store = "", place = ""] = process.argv.slice(2)

const run = Effect.fnUntraced(function*({ add, attempts = Effect.succeed(0), context }: Contender, job: Job) {
  const latencies: Array<number> = []
  const timed = Effect.suspend(() => {
    const started = performance.now()
    return Effect.map(add(0), () => {
      const bucket = bucketOf(performance.now() - started)
      while (latencies.length <= bucket) latencies.push(0)
      latencies[bucket]!++
    })
  })
  const before = yield* attempts
  yield* Effect.sleep(Math.max(0, job.at - Date.now()))
  const { count, seconds } = yield* Effect.provideContext(lap(() => timed, job.concurrency, job.millis), context)
  const done: Done = { count, seconds, attempts: (yield* attempts) - before, latencies }
  return done
})

const program = Effect.gen(function*() {
  const all = yield* (contenders as { readonly [store: string]: Contenders })[store]!(place)
  const jobs = yield* Queue.unbounded<Job>()
  // A crowd gives each of its members too little to do for its code to be compiled before the rounds are over.
  for (const { add, atMost = Infinity, context } of all) {
    for (const [concurrency, millis] of [[64, 400], [1, 1_500]] as const) {
      yield* Effect.provideContext(lap(() => add(1 + process.pid % 99), Math.min(concurrency, atMost), millis), context)
    }
  }
  process.on("message", (job: Job) => Queue.offerUnsafe(jobs, job))
  process.on("disconnect", () => process.exit())
  process.send!("ready")
  for (;;) {
    const job = yield* Queue.take(jobs)
    process.send!(yield* run(all.find(({ name }) => name === job.contender)!, job))
  }
})

await Effect.runPromise(Effect.scoped(program))
