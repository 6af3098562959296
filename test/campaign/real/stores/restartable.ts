import { Effect, Exit, Scope } from "effect"
import type { Server } from "../../../servers/server.ts"

/** A server that can be ended, and started again on the same data. */
export const restartable = Effect.fnUntraced(function*<S extends Server>(start: Effect.Effect<S, Error, Scope.Scope>) {
  const scope = yield* Effect.scope
  let own = yield* Scope.fork(scope)
  let current = yield* Scope.provide(start, own)
  return {
    current: () => current,
    signal: (signal: NodeJS.Signals) => Effect.suspend(() => current.signal(signal)),
    stop: (signal: NodeJS.Signals) =>
      Effect.suspend(() => Effect.andThen(current.stop(signal), Scope.close(own, Exit.void))),
    start: Effect.gen(function*() {
      own = yield* Scope.fork(scope)
      current = yield* Scope.provide(start, own)
    })
  }
})
