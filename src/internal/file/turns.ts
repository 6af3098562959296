import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"

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
  const semaphore = Semaphore.makeUnsafe(1)
  return {
    take: <A, E>(operation: (isAwaited: () => boolean) => Effect.Effect<Effect.Effect<A, E>, E>) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(semaphore.take(1)), () => {
          let awaited = true
          return Effect.suspend(() => operation(() => awaited)).pipe(
            Effect.ensuring(semaphore.release(1)),
            Effect.flatten,
            Effect.forkDetach({ startImmediately: true, uninterruptible: true }),
            Effect.flatMap((running) => restore(Fiber.join(running))),
            Effect.onInterrupt(() =>
              Effect.sync(() => {
                awaited = false
              })
            )
          )
        })
      )
  }
}
