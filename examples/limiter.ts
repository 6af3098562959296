/**
 * Limits how often each client may do something: ten times at once, and then once every second. Any number of programs
 * share the limit exactly.
 *
 * ```sh
 * npm run limiter                                   # state in ./data
 * CLIENT=grace npm run limiter                      # another client has a limit of its own
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, DateTime, Duration, Effect, Result, Schema } from "effect"
import { Scoped } from "effect-scoped"
import * as Storage from "./storage.ts"

const capacity = 10
const perSecond = 1

const Buckets = Scoped.family("bucket", {
  key: Schema.String,
  schema: Schema.Struct({ tokens: Schema.Finite, at: Schema.DateTimeUtc }),
  initial: { tokens: capacity, at: DateTime.makeUnsafe(0) },
  // A bucket that is full again need not be remembered.
  idleTimeToLive: Duration.seconds(2 * capacity / perSecond)
})

class TooManyRequests extends Schema.TaggedError<TooManyRequests>()("TooManyRequests", {
  retryAfter: Schema.Duration
}) {}

const take = (client: string) =>
  Scoped.updateResult(Buckets(client), ({ at, tokens }, { now }) => {
    const elapsed = Math.max(0, Duration.toSeconds(DateTime.distance(at, now)))
    const filled = Math.min(capacity, tokens + elapsed * perSecond)
    return filled < 1
      ? Result.fail(new TooManyRequests({ retryAfter: Duration.seconds((1 - filled) / perSecond) }))
      : Result.succeed([Math.floor(filled - 1), { tokens: filled - 1, at: now }])
  })

const program = Effect.gen(function*() {
  const client = yield* Config.String("CLIENT").pipe(Config.withDefault("ada"))
  const count = yield* Config.Int("REQUESTS").pipe(Config.withDefault(15))
  const request = take(client).pipe(
    Effect.as("allowed" as const),
    Effect.catchTag("TooManyRequests", () => Effect.succeed("refused" as const))
  )
  const outcomes = yield* Effect.all(Array.from({ length: count }, () => request), { concurrency: "unbounded" })
  const allowed = outcomes.filter((outcome) => outcome === "allowed").length
  yield* Console.log(`${client}: ${allowed} allowed, ${count - allowed} refused`)
})

program.pipe(
  Effect.provide(Storage.layer),
  Effect.tapError((error) => Console.error(error.message)),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
