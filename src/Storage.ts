/**
 * The service that programs require: the engine over one driver.
 *
 * A driver's own `layer` makes one; {@link layer} makes one from any {@link Driver}. Every layer that is built is a
 * writer of its own. Storages over the same store work together, in one process or in many.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import { WebCrypto } from "effect/crypto/WebCrypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Driver } from "./Driver.ts"
import * as Engine from "./internal/engine/engine.ts"
import * as Schedules from "./internal/engine/schedules.ts"
import type { Refusal } from "./internal/engine/update.ts"

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
   * When and for how long an update runs again after another writer came first. Default: always at once, for 30
   * seconds.
   */
  readonly retry?: Retry | undefined
  /**
   * When and for how long a commit is sent again whose answer was lost. Default: after 10 ms, doubling up to a second,
   * for 30 seconds; but never for longer than half of `retention`, counted from when it was first sent.
   */
  readonly recovery?: Schedule.Schedule<unknown> | undefined
  /**
   * How long the revision of a removed or expired scope is remembered: for so long after a commit its mark can be found
   * in the store, whatever became of the state. At least twice the `timeout`. Default: 1 minute, or more where the `timeout` wants it.
   */
  readonly retention?: Duration.Input | undefined
  /** How long a call to the driver may take. Default: 5 seconds. */
  readonly timeout?: Duration.Input | undefined
  /**
   * `"freeze"` (default): states are deeply frozen, or copies that nobody shares, so that a handler which mutates its
   * state harms nobody. `"verify"`: besides, each handler runs twice in a world without clocks, randomness, output and
   * timers, and dies when it asks for one of them, changes its state, or gives two different answers; meant for tests.
   */
  readonly purity?: "freeze" | "verify" | undefined
  /** For how many scopes the last known state is kept while nobody updates them, at least 0. Default: 10 000. */
  readonly knownScopes?: number | undefined
  /** How large these states may be together, in UTF-16 units of their JSON. Default: 64 Mi. */
  readonly knownBytes?: number | undefined
  /** How many transactions travel together at the most, at least 1. Default: what the driver says, or 256. */
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
): Layer.Layer<Storage, E, Exclude<R, Scope.Scope>> => Layer.effect(Storage, make(driver, options))

/** @internal */
export const make = Effect.fnUntraced(function*<E, R>(driver: Effect.Effect<Driver, E, R>, options: Options) {
  const checked = check(options)
  if (typeof checked === "string") return yield* Effect.die(new TypeError(`Storage options: ${checked}`))
  const writer = yield* newWriter
  const made = yield* driver
  const { batchSize = defaultBatchSize, name, parallelism } = made
  const wrong = Object.entries({ batchSize, parallelism }).find(([, value]) => !isCount(value))
  if (wrong !== undefined) {
    return yield* Effect.die(new TypeError(`The driver ${JSON.stringify(name)}: ${mustCount(...wrong)}`))
  }
  const engine = yield* Engine.make(made, {
    namespace: options.namespace,
    retry: options.retry,
    recovery: options.recovery ?? Schedules.recovery,
    verify: options.purity === "verify",
    writer,
    ...checked,
    batchSize: options.batchSize ?? batchSize
  })
  return { engine }
})

const defaultTimeout = Duration.seconds(5)
const defaultRetention = Duration.minutes(1)
const defaultBatchSize = 256

const isCount = (value: number): boolean => Number.isInteger(value) && value >= 1
const mustCount = (name: string, value: number): string =>
  `${JSON.stringify(name)} must be an integer of at least 1, and is ${String(value)}`

// Options that cannot be: a mistake in the program, to be told at once.
const check = (options: Options) => {
  const timeout = Duration.fromInput(options.timeout ?? defaultTimeout)
  const retention = Option.flatMap(
    timeout,
    (timeout) => Duration.fromInput(options.retention ?? Duration.max(defaultRetention, Duration.times(timeout, 2)))
  )
  const { batchSize, knownBytes = 64 * 1024 * 1024, knownScopes = 10_000 } = options
  if (Option.isNone(timeout) || !Duration.isFinite(timeout.value) || !Duration.isPositive(timeout.value)) {
    return `"timeout" must be a finite duration of more than nothing, and is ${String(options.timeout)}`
  }
  if (
    Option.isNone(retention) || !Duration.isFinite(retention.value) ||
    Duration.toMillis(retention.value) < 2 * Duration.toMillis(timeout.value)
  ) {
    return `"retention" must be a finite duration of at least twice the "timeout", and is ${String(options.retention)}`
  }
  if (batchSize !== undefined && !isCount(batchSize)) return mustCount("batchSize", batchSize)
  for (const [name, value] of Object.entries({ knownBytes, knownScopes })) {
    if (!(value >= 0)) return `${JSON.stringify(name)} must be a number of at least 0, and is ${String(value)}`
  }
  return { timeout: timeout.value, retention: retention.value, knownBytes, knownScopes }
}

// A writer's id must be unique among all processes for ever: never from `Random`, which a program may seed.
const newWriter = Effect.map(WebCrypto, (crypto) => Base64Url.encode(crypto.getRandomValues(new Uint8Array(8))))
