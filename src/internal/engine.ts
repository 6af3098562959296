import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Driver } from "../Driver.ts"
import { type DriverError, ProductError, type ScopedError } from "../ScopedError.ts"
import * as Calls from "./calls.ts"
import { toKnown } from "./cell.ts"
import * as Committer from "./committer.ts"
import * as Name from "./name.ts"
import * as Reader from "./reader.ts"
import * as Schedules from "./schedules.ts"
import { stateOf, type Target } from "./target.ts"
import type { Kind, Retry, Update } from "./update.ts"
import { watch } from "./watch.ts"

export interface Options extends Committer.Options {
  readonly retry: Retry
  readonly timeout: Duration.Duration
}

export interface Engine {
  readonly update: (options: {
    readonly target: Target
    readonly kind: Kind
    readonly handler: (state: never) => unknown
    readonly retry: Retry | undefined
  }) => Effect.Effect<unknown, unknown>
  readonly get: (target: Target) => Effect.Effect<unknown, ScopedError>
  readonly changes: (target: Target) => Stream.Stream<unknown, ScopedError>
  /** What is stored under names of this namespace that start with `prefix`. */
  readonly names: (prefix: string) => Stream.Stream<string, DriverError>
}

/** One storage: updates wait in lines and are committed; reads are batched; both go through the same driver. */
export const make = Effect.fnUntraced(function*(driver: Driver, options: Options) {
  const clock = yield* Clock.Clock
  const calls = Calls.make(driver, options.timeout)
  // A logical clock: what began at a later tick began later.
  let ticks = 0
  const tick = () => ++ticks
  const reader: Reader.Reader = yield* Reader.make({ read: calls.read, parallelism: driver.parallelism, tick })
  const { close, lines } = yield* Committer.make({ driver, calls, reader, tick, options })

  let closed = false
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      reader.close(calls.closed)
      return close
    })
  )

  const admit = ({ fault, parts, scope }: Target): ScopedError | undefined => {
    if (closed) return Calls.about(scope, calls.closed)
    if (fault !== undefined) return fault
    const limits = driver.limits
    for (const part of parts) {
      const fault = Name.fault(part.scope, lines.nameOf(part.name), limits.nameBytes)
      if (fault !== undefined) return fault
    }
    return parts.length <= limits.scopesPerTransaction ? undefined : new ProductError({
      scope,
      reason:
        `it has ${parts.length} scopes, and this driver commits ${limits.scopesPerTransaction} at once at most. ` +
        `Take fewer`
    })
  }

  const update: Engine["update"] = ({ handler, kind, retry, target }) =>
    Effect.callback((resume) => {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      const update: Update = {
        target,
        cells: lines.cellsOf(target),
        kind,
        handler: handler as (state: unknown) => unknown,
        retry: retry ?? options.retry,
        joinedAt: tick(),
        resume,
        phase: "waiting",
        outcome: Exit.void,
        cohort: undefined,
        abandoned: undefined
      }
      lines.join(update)
      return Effect.suspend(() => lines.leave(update))
    })

  const getOne = (target: Target): Effect.Effect<unknown, ScopedError> =>
    Effect.callback((resume) => {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      const part = target.parts[0]!
      const name = lines.nameOf(part.name)
      const forget = reader.read(name, (reading) => {
        if (Result.isFailure(reading)) return resume(Effect.fail(Calls.about(part.scope, reading.failure)))
        const { asOf, record } = reading.success
        const known = lines.cells.peek(name)
        const current = known?.revision === (record?.revision ?? null) ? known : toKnown(record, asOf, tick())
        const state = stateOf(part, current)
        if (Result.isFailure(state)) return resume(Effect.fail(state.failure))
        lines.cells.learn(name, { ...current, codec: part.codec, state: state.success })
        resume(Effect.succeed(state.success))
      })
      return Effect.sync(forget)
    })

  // A transaction that changes nothing: either it is committed, and then what was guessed was true of all scopes at one
  // moment, or the refusal tells what is.
  const getAll = (target: Target): Effect.Effect<unknown, ScopedError> =>
    update({ target, kind: "update", handler: (state) => [state, state], retry: Schedules.conflict }) as Effect.Effect<
      unknown,
      ScopedError
    >

  const get: Engine["get"] = (target) =>
    target.parts.length === 1 ? Effect.map(getOne(target), (state) => target.join([state])) : getAll(target)

  const changes: Engine["changes"] = (target) =>
    Stream.suspend(() => {
      const error = admit(target)
      if (error !== undefined) return Stream.fail(error)
      const lifetimes = target.parts.flatMap((part) => part.idleTimeToLive ?? [])
      return watch({
        clock,
        hints: driver.changes(target.parts.map((part) => lines.nameOf(part.name))),
        look: get(target),
        recovery: options.recovery,
        idleTimeToLive: lifetimes.length === 0 ? undefined : lifetimes.reduce(Duration.min)
      })
    })

  const names: Engine["names"] = (prefix) =>
    driver.names(lines.nameOf(prefix)).pipe(
      Stream.map((name) => name.slice(lines.nameOf("").length)),
      Stream.filter((name) => !Name.isOfNamespace(name))
    )

  const engine: Engine = { update, get, changes, names }
  return engine
})
