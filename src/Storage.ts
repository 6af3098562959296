/**
 * The service that programs require: the engine over one driver.
 *
 * A driver's own `layer` makes one; {@link layer} makes one from any {@link Driver}. Every layer that is built is a
 * writer of its own. Storages over the same store work together, in one process or in many.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as SecureRandom from "effect/crypto/SecureRandom"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Driver } from "./Driver.ts"
import * as Engine from "./internal/engine.ts"
import * as Schedules from "./internal/schedules.ts"
import type { Refusal } from "./internal/update.ts"

/**
 * Options of a storage.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Keeps the scopes of this storage apart from those of others over the same store. Default: none. */
  readonly namespace?: string | undefined
  /**
   * When and for how long an update runs again after another writer came first. Default: at once, after some refusals
   * in a row up to 10 ms later at random, for 30 seconds.
   */
  readonly retry?: Retry | undefined
  /**
   * When and for how long a commit is sent again whose answer was lost. Default: after 10 ms, doubling up to a second,
   * for 30 seconds.
   */
  readonly recovery?: Schedule.Schedule<unknown> | undefined
  /**
   * How long the revision of a removed scope is remembered. Within this time the answer to a lost commit can be
   * found. Default: 10 minutes.
   */
  readonly retention?: Duration.Input | undefined
  /** How long a call to the driver may take. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * `"freeze"` (default): states are deeply frozen, so that a handler which mutates its state throws. `"verify"`:
   * besides, each handler runs twice on the same state, and dies when its two answers differ; meant for tests.
   */
  readonly purity?: "freeze" | "verify" | undefined
  /** For how many scopes the last known state is kept while nobody updates them. Default: 10 000. */
  readonly knownScopes?: number | undefined
  /** How many transactions travel together at the most. Default: 256. */
  readonly batchSize?: number | undefined
}

/**
 * A retry schedule of updates. Its input tells the scope that was refused, and how many commits have been tried.
 *
 * @category models
 * @since 0.1.0
 */
export type Retry = Schedule.Schedule<unknown, Refusal>

/**
 * Durable, concurrent state: what `Scoped.update` and its kin work against.
 *
 * @category services
 * @since 0.1.0
 */
export class Storage extends Context.Service<Storage, {
  /** @internal */
  readonly engine: Engine.Engine
}>()("effect-scoped/Storage") {}

/**
 * Makes a storage from a driver. Closing the layer ends the commits that are in flight, and then the driver.
 *
 * **Example** (A storage over a driver of one's own)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped, Storage } from "effect-scoped"
 *
 * const Storage1 = Storage.layer(MemoryDriver.make(), { namespace: "tenant-1" })
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 *
 * const program = Scoped.update(Count, (count) => [count + 1, count + 1])
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(Storage1)))) // => 1
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(
  driver: Effect.Effect<Driver, E, R>,
  options: Options = {}
): Layer.Layer<Storage, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(
    Storage,
    Effect.gen(function*() {
      const writer = yield* Effect.provide(newWriter, SecureRandom.layerWebCrypto)
      const engine = yield* Engine.make(yield* driver, {
        namespace: options.namespace,
        retry: options.retry ?? Schedules.conflict,
        recovery: options.recovery ?? Schedules.recovery,
        timeout: Duration.fromInputUnsafe(options.timeout ?? "5 seconds"),
        verify: options.purity === "verify",
        retention: Duration.fromInputUnsafe(options.retention ?? "10 minutes"),
        knownScopes: options.knownScopes ?? 10_000,
        batchSize: options.batchSize ?? 256,
        writer
      })
      return { engine }
    })
  )

// A writer's id must be unique among all processes for ever: never from `Random`, which a program may seed.
const newWriter = SecureRandom.SecureRandom.use((random) => Effect.map(random.randomBytes(8), Base64Url.encode))
