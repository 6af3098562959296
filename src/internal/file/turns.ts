import * as Effect from "effect/Effect"
import { List, type Node } from "../list.ts"

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

interface Waiting extends Node<Waiting> {
  readonly wake: () => void
}

export const make = (): Turns => {
  let taken = false
  // Thousands may wait, and be gone all at once.
  const line = new List<Waiting>()

  const pass = (): void => {
    const next = line.first
    if (next === undefined) {
      taken = false
      return
    }
    line.remove(next)
    next.wake()
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
          const waiting: Waiting = {
            list: undefined,
            before: undefined,
            after: undefined,
            wake: () => caller.currentDispatcher.scheduleTask(start, 0)
          }
          if (taken) line.insert(waiting, line.last)
          else {
            taken = true
            start()
          }
          return Effect.sync(() => {
            awaited = false
            line.remove(waiting)
          })
        })
      )
  }
}
