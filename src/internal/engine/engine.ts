import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { constUndefined } from "effect/Function"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"
import type { Driver } from "../../Driver.ts"
import { type DriverError, ProductError, type ScopedError } from "../../ScopedError.ts"
import * as Background from "../background.ts"
import * as Name from "../name.ts"
import { Fault } from "../state/codec.ts"
import * as Calls from "./calls.ts"
import { toKnown } from "./cell.ts"
import * as Committer from "./committer.ts"
import * as Metrics from "./metrics.ts"
import * as Names from "./names.ts"
import { type Sight, versionOf } from "./run.ts"
import { stateError, type Target } from "./target.ts"
import { type Kind, type Retry, Update } from "./update.ts"
import { watch } from "./watch.ts"

export interface Options extends Committer.Options {
  readonly retry: Retry | undefined
  readonly timeout: Duration.Duration
}

export interface Engine {
  /** Lets an update wait for its turn, and gives back how it is taken out again. */
  readonly update: (
    caller: Fiber.Fiber<unknown, unknown>,
    target: Target,
    kind: Kind,
    handler: (state: never, moment: never) => unknown,
    retry: Retry | undefined,
    resume: (exit: Effect.Effect<unknown, unknown>) => void
  ) => Effect.Effect<void> | void
  readonly get: (target: Target) => Effect.Effect<unknown, ScopedError>
  readonly changes: (target: Target) => Stream.Stream<unknown, ScopedError>
  /** What is stored under names of this namespace that start with `prefix`. */
  readonly names: (prefix: string) => Stream.Stream<string, DriverError>
}

/** One storage: updates wait in lines and are committed; reads are batched; both go through the same driver. */
export const make = Effect.fnUntraced(function*(driver: Driver, options: Options) {
  const clock = yield* Clock.Clock
  const fork = yield* Background.make
  const soon = yield* Background.soon
  const calls = Calls.make({ driver, timeout: options.timeout, clock, fork, soon })
  // A logical clock: what began at a later tick began later.
  let ticks = 0
  const tick = () => ++ticks
  const metrics = Metrics.make(driver.name, yield* Effect.context<never>())
  const committer = new Committer.Committer({ driver, calls, clock, metrics, fork, soon, tick, options })
  const { lines, reader } = committer

  let closed = false
  const closing = Deferred.makeUnsafe<never, DriverError>()
  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      Deferred.doneUnsafe(closing, Exit.fail(calls.closed))
      reader.close(calls.closed)
      return committer.close
    })
  )

  const admit = (target: Target): ScopedError | undefined => {
    if (closed) return Calls.about(target.scope, calls.closed)
    const { fault, parts, scope } = target
    if (fault !== undefined) return fault
    const limits = driver.limits
    for (const part of parts) {
      const fault = Name.fault(part.scope, lines.nameOf(part.name), limits.nameBytes)
      if (fault !== undefined) return fault
      const initial = part.initial()
      if (initial instanceof Fault) return stateError(part, "initial", initial)
    }
    return parts.length <= limits.scopesPerTransaction ? undefined : new ProductError({
      scope,
      reason:
        `it has ${parts.length} scopes, and this driver commits ${limits.scopesPerTransaction} at once at most. ` +
        `Take fewer`
    })
  }

  const update: Engine["update"] = (caller, target, kind, handler, retry, resume) => {
    if (!isTraced(caller)) return submit(caller, target, kind, handler, retry, resume, undefined)
    const operation = kind === "look" ? "get" : kind === "remove" ? "remove" : "update"
    resume(
      spanned(
        operation,
        target,
        (span) => Effect.callback((resume) => submit(caller, target, kind, handler, retry, resume, span))
      )
    )
  }

  const submit = (
    caller: Fiber.Fiber<unknown, unknown>,
    target: Target,
    kind: Kind,
    handler: (state: never, moment: never) => unknown,
    retry: Retry | undefined,
    resume: (exit: Effect.Effect<unknown, unknown>) => void,
    span: Tracer.Span | undefined
  ): Update | void => {
    let cells = closed ? undefined : lines.seated(target)
    if (cells === undefined) {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      cells = lines.seat(target)
    }
    const update = new Update(
      target,
      kind,
      handler as (state: unknown, moment: unknown) => unknown,
      // A look always runs until it sees something.
      kind === "look" ? undefined : retry ?? options.retry,
      caller.context,
      tick(),
      cells,
      lines,
      resume,
      span
    )
    lines.join(update)
    return update
  }

  const isTraced = ({ cache: { tracer = Tracer.nativeTracer } }: Fiber.Fiber<unknown, unknown>) =>
    tracer !== Tracer.nativeTracer

  const spanned = <A, E>(
    operation: "update" | "get" | "remove",
    target: Target,
    use: (span: Tracer.Span) => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.useSpan(
      `effect-scoped.${operation}`,
      { attributes: { "effect-scoped.scope": target.scope, "effect-scoped.driver": driver.name } },
      use
    )

  const lookAtOne = (target: Target, span: Tracer.Span | undefined): Effect.Effect<Sight, ScopedError> =>
    Effect.callback((resume) => {
      const error = admit(target)
      if (error !== undefined) return resume(Effect.fail(error))
      const part = target.parts[0]!
      const name = lines.nameOf(part.name)
      const forget = reader.read(name, (reading) => {
        if ("failure" in reading) return resume(Effect.fail(Calls.about(part.scope, reading.failure)))
        const { asOf, record } = reading
        const now = clock.currentTimeMillisUnsafe()
        const fresh = toKnown(record, asOf, tick(), now)
        const old = lines.cells.peek(name)
        // What is decoded already need not be decoded again.
        const known = old !== undefined && old.revision === fresh.revision && old.text === fresh.text
          ? old.again(asOf, fresh.moment, fresh.expiresAt)
          : fresh
        const stored = known.state(part.codec)
        const held = stored ?? part.initial()
        if (held instanceof Fault) {
          return resume(Effect.fail(stateError(part, stored === undefined ? "initial" : "read", held)))
        }
        lines.cells.learn(name, known)
        resume(Effect.succeed({
          state: target.join([held.view()]),
          version: versionOf(known),
          expiresAt: known.expiresAt
        }))
      }, span)
      return Effect.sync(forget)
    })

  // A transaction that changes nothing: either it is committed, and then what was guessed was true of all scopes at one
  // moment, or the refusal tells what is.
  const look = (target: Target): Effect.Effect<Sight, ScopedError> =>
    target.parts.length === 1
      ? Effect.withFiber((caller) =>
        isTraced(caller) ? spanned("get", target, (span) => lookAtOne(target, span)) : lookAtOne(target, undefined)
      )
      : Effect.callback((resume) =>
        update(
          Fiber.getCurrent()!,
          target,
          "look",
          constUndefined,
          undefined,
          resume as (exit: Effect.Effect<unknown, unknown>) => void
        )
      )

  const get: Engine["get"] = (target) => Effect.map(look(target), (sight) => sight.state)

  const changes: Engine["changes"] = (target) =>
    Stream.suspend(() => {
      const error = admit(target)
      if (error !== undefined) return Stream.fail(error)
      return watch({
        clock,
        hints: driver.changes(target.parts.map((part) => lines.nameOf(part.name))),
        look: look(target),
        recovery: options.recovery,
        ended: Calls.about(target.scope, calls.ended),
        closed: Effect.mapError(Deferred.await(closing), (error) => Calls.about(target.scope, error))
      })
    })

  const names: Engine["names"] = (prefix) => Names.of(driver, lines.nameOf(""), prefix)

  const engine: Engine = { update, get, changes, names }
  return engine
})
