/**
 * A job queue. Workers claim a job for a while, and finish it; a job whose worker is gone is claimed by another. Run it
 * in several terminals at the same time, and kill some: every job is finished exactly once.
 *
 * ```sh
 * npm run queue                                     # adds ten jobs, and works until none is left
 * JOBS=0 npm run queue                              # only works
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, DateTime, Effect, Option, Random, Result, Schema } from "effect"
import { Scoped } from "effect-scoped"
import * as Storage from "./storage.ts"

const Claim = Schema.Struct({ worker: Schema.String, until: Schema.DateTimeUtc })

const Jobs = Scoped.make("jobs", {
  schema: Schema.Struct({
    added: Schema.Int,
    finished: Schema.Int,
    open: Schema.Array(Schema.Struct({ id: Schema.Int, task: Schema.String, claim: Schema.NullOr(Claim) }))
  }),
  initial: { added: 0, finished: 0, open: [] }
})

class ClaimLost extends Schema.TaggedError<ClaimLost>()("ClaimLost", { id: Schema.Int }) {}

const add = (task: string) =>
  Scoped.update(Jobs, (jobs) => {
    const id = jobs.added + 1
    return [id, { ...jobs, added: id, open: [...jobs.open, { id, task, claim: null }] }]
  })

const claim = (worker: string) =>
  Scoped.update(Jobs, (jobs, { now }) => {
    const job = jobs.open.find(({ claim }) => claim === null || DateTime.isLessThan(claim.until, now))
    if (job === undefined) return [Option.none(), jobs]
    const claimed = { ...job, claim: { worker, until: DateTime.add(now, { seconds: 5 }) } }
    return [Option.some(claimed), { ...jobs, open: jobs.open.map((other) => other === job ? claimed : other) }]
  })

const finish = (worker: string, id: number) =>
  Scoped.updateResult(Jobs, (jobs) => {
    const job = jobs.open.find((job) => job.id === id)
    if (job?.claim?.worker !== worker) return Result.fail(new ClaimLost({ id }))
    return Result.succeed([job.task, {
      ...jobs,
      finished: jobs.finished + 1,
      open: jobs.open.filter((other) => other !== job)
    }])
  })

const work = Effect.fnUntraced(function*(worker: string) {
  while ((yield* Scoped.get(Jobs)).open.length > 0) {
    const job = yield* claim(worker)
    if (Option.isNone(job)) {
      yield* Effect.sleep("100 millis")
      continue
    }
    yield* Effect.sleep(`${yield* Random.nextIntBetween(1, 20)} millis`)
    yield* finish(worker, job.value.id).pipe(
      Effect.andThen((task) => Console.log(`${worker} finished ${task}`)),
      Effect.catchTag("ClaimLost", () => Console.log(`${worker} was too slow`))
    )
  }
})

const program = Effect.gen(function*() {
  const count = yield* Config.Int("JOBS").pipe(Config.withDefault(10))
  const name = (yield* Random.nextIntBetween(0, 36 ** 4)).toString(36)
  yield* Effect.forEach(Array.from({ length: count }, (_, i) => `task ${i + 1}`), add)
  yield* Effect.all([work(`${name}/1`), work(`${name}/2`)], { concurrency: 2 })
  const { added, finished } = yield* Scoped.get(Jobs)
  yield* Console.log(`${finished} of ${added} jobs finished`)
})

program.pipe(
  Effect.provide(Storage.layer),
  Effect.tapError((error) => Console.error(error.message)),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
