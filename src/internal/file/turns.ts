import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"

/**
 * Lets operations on files take turns.
 *
 * An operation that has begun runs to its end, also when its caller is interrupted: the system goes on with what was
 * asked of it, and a file must not be closed under it.
 */
export interface Turns {
  /**
   * Runs an operation. What follows up a success belongs to the same turn, but the caller does not wait for it.
   */
  readonly take: <A, E>(operation: Effect.Effect<A, E>, followUp?: Effect.Effect<void>) => Effect.Effect<A, E>
  readonly idle: boolean
}

export const make = (): Turns => {
  const semaphore = Semaphore.makeUnsafe(1)
  let idle = true
  return {
    get idle() {
      return idle
    },
    take: <A, E>(operation: Effect.Effect<A, E>, followUp: Effect.Effect<void> = Effect.void) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(semaphore.take(1)), () => {
          idle = false
          const done = Deferred.makeUnsafe<A, E>()
          return Effect.exit(operation).pipe(
            Effect.flatMap((exit) => {
              Deferred.doneUnsafe(done, exit)
              return Exit.isSuccess(exit) ? followUp : Effect.void
            }),
            Effect.onExit(() => {
              idle = true
              return semaphore.release(1)
            }),
            Effect.forkDetach({ startImmediately: true, uninterruptible: true }),
            Effect.andThen(restore(Deferred.await(done)))
          )
        })
      )
  }
}
