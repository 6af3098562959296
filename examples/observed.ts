/**
 * Shows what a storage tells of itself in a collector that speaks OTLP: spans of updates linked with those of the batches
 * they travelled in, metrics, and the log.
 *
 * ```sh
 * OTLP=http://localhost:4318 npm run observed
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { Scoped } from "effect-scoped"
import { FetchHttpClient } from "effect/http"
import { Otlp } from "effect/observability"
import * as Storage from "./storage.ts"

const Visits = Scoped.make("visits", { schema: Schema.Int, initial: 0 })
const visit = Scoped.update(Visits, (count) => [count + 1, count + 1])

const program = Effect.all(Array.from({ length: 20 }, () => visit), { concurrency: 10 }).pipe(
  Effect.withSpan("twenty visits"),
  Effect.andThen(Scoped.get(Visits)),
  Effect.andThen((count) => Console.log(`${count} visits so far`))
)

// Around the storage, so that it is told of as well.
const Observed = Layer.unwrap(Effect.map(
  Config.String("OTLP").pipe(Config.withDefault("http://localhost:4318")),
  (baseUrl) => Otlp.layerJson({ baseUrl, resource: { serviceName: "observed" } })
)).pipe(Layer.provide(FetchHttpClient.layer))

NodeRuntime.runMain(program.pipe(Effect.provide(Layer.provideMerge(Storage.layer, Observed))))
