/**
 * The service that programs require: the engine over one driver.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import type * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { Driver } from "./Driver.ts"

export interface Options {
  readonly namespace?: string | undefined
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  readonly timeout?: Duration.Input | undefined
  readonly purity?: "freeze" | "verify" | undefined
}

export class Storage extends Context.Service<Storage, { readonly engine: unknown }>()("effect-scoped/Storage") {}

export declare const layer: <E, R>(
  driver: Effect.Effect<Driver, E, R>,
  options?: Options
) => Layer.Layer<Storage, E, Exclude<R, Scope.Scope>>
