import * as Effect from "effect/Effect"

/**
 * Lets operations on files take turns.
 *
 * An operation that has begun runs to its end, also when its caller is interrupted: the system goes on with what was
 * asked of it, and a file must not be closed under it.
 */
export interface Turns {
  /**
   * Runs an operation, and then, beside others, what it gives. The operation may ask whether its caller still waits.
   */
  readonly take: <A, E>(
    operation: (isAwaited: () => boolean) => Effect.Effect<Effect.Effect<A, E>, E>
  ) => Effect.Effect<A, E>
}

export const make = (): Turns => {
  let taken = false
  const waiting: Array<() => void> = []

  const pass = (): void => {
    const next = waiting.shift()
    if (next === undefined) taken = false
    else next()
  }

  return {
    take: <A, E>(operation: (isAwaited: () => boolean) => Effect.Effect<Effect.Effect<A, E>, E>) =>
      Effect.withFiber<A, E>((caller) =>
        Effect.callback((resume) => {
          let awaited = true
          const start = (): void => {
            if (!awaited) return pass()
            const run = Effect.ensuring(Effect.suspend(() => operation(() => awaited)), Effect.sync(pass))
            Effect.runForkWith(caller.context)(Effect.flatten(run), { uninterruptible: true }).addObserver(resume)
          }
          if (taken) waiting.push(() => caller.currentDispatcher.scheduleTask(start, 0))
          else {
            taken = true
            start()
          }
          return Effect.sync(() => {
            awaited = false
          })
        })
      )
  }
}
