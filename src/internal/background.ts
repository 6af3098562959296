import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scheduler from "effect/Scheduler"
import type * as Scope from "effect/Scope"

/** Runs a task when what runs now is done, and what is due then that has a lower number, which is 0 unless given. */
export type Soon = (task: () => void, priority?: number) => void

export const soon: Effect.Effect<Soon> = Effect.map(Scheduler.Scheduler, (scheduler) => {
  const dispatcher = scheduler.makeDispatcher()
  return (task, priority = 0) => dispatcher.scheduleTask(task, priority)
})

/** Starts an effect at once, in the background of a scope. */
export type Fork = <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>

/**
 * Starts effects at once, in the background of a scope: when it closes they are interrupted and waited for.
 *
 * What `FiberSet` is for, but with a place for each fiber that is used again: a set that things enter and leave all the
 * time keeps what has left alive for long.
 */
export const make: Effect.Effect<Fork, never, Scope.Scope> = Effect.gen(function*() {
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const fibers: Array<Fiber.Fiber<unknown, unknown> | undefined> = []
  const free: Array<number> = []
  let closed = false

  yield* Effect.addFinalizer(() =>
    Effect.suspend(() => {
      closed = true
      return Fiber.interruptAll(fibers.filter((fiber) => fiber !== undefined))
    })
  )

  return (effect) => {
    if (closed) return runFork(Effect.interrupt)
    const fiber = runFork(effect)
    if (fiber.pollUnsafe() === undefined) {
      const place = free.pop() ?? fibers.length
      fibers[place] = fiber
      fiber.addObserver(() => {
        fibers[place] = undefined
        free.push(place)
      })
    }
    return fiber
  }
})
