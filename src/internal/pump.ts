import * as Effect from "effect/Effect"

/**
 * Works whenever there is work, in up to `workers` fibers at once.
 *
 * Waking it is synchronous and cheap. A woken worker first lets everything run that is ready to run, so that what comes
 * in at the same moment is worked on together.
 */
export interface Pump {
  readonly wake: () => void
}

/**
 * `work` takes some of the work that is ready, as much as it sees fit, and ends when that is done. It must not fail.
 */
export const make = Effect.fnUntraced(function*(options: {
  readonly workers: number
  readonly ready: () => boolean
  readonly work: Effect.Effect<void>
}) {
  const parked: Array<(effect: Effect.Effect<void>) => void> = []
  // A worker that was woken and has not started yet will take what comes in meanwhile: no need to wake another.
  let starting = 0

  const park = Effect.callback<void>((resume) => {
    parked.push(resume)
    return Effect.sync(() => {
      parked.splice(parked.indexOf(resume), 1)
    })
  })

  const worker = Effect.gen(function*() {
    for (;;) {
      if (!options.ready()) {
        yield* park
      } else {
        starting++
      }
      yield* Effect.yieldNow
      starting--
      yield* options.work
    }
  })

  for (let i = 0; i < options.workers; i++) yield* Effect.forkScoped(worker, { startImmediately: true })

  const pump: Pump = {
    wake: () => {
      if (starting > 0) return
      const resume = parked.pop()
      if (resume === undefined) return
      starting++
      resume(Effect.void)
    }
  }
  return pump
})
