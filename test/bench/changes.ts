/**
 * How long after a commit another writer's `Scoped.changes` emits it: milliseconds, median and 99th percentile of 300.
 *
 * ```sh
 * npm run bench:changes -- memory file
 * ```
 */
import { Effect, Layer, Queue, Schema, Stream } from "effect"
import { Scoped } from "effect-scoped"
import { chosen, show, stores } from "./stores.ts"

const Count = Scoped.make("watched", { schema: Schema.Int, initial: 0 })

const measure = Effect.fnUntraced(function*(name: string) {
  const { layer } = yield* stores[name]!
  const writer = yield* Layer.build(layer)
  const watcher = yield* Layer.build(Layer.fresh(layer))
  const seen = yield* Queue.unbounded<readonly [count: number, at: number]>()
  yield* Scoped.changes(Count).pipe(
    Stream.runForEach((count) => Queue.offer(seen, [count, performance.now()] as const)),
    Effect.provide(watcher),
    Effect.forkScoped
  )
  yield* Queue.take(seen)
  const lags: Array<number> = []
  for (let i = 1; i <= 300; i++) {
    yield* Effect.sleep(Math.random() * 20)
    const committed = yield* Effect.provide(
      Effect.map(Scoped.update(Count, () => [undefined, i]), () => performance.now()),
      writer
    )
    for (;;) {
      const [count, at] = yield* Queue.take(seen)
      if (count === i) {
        lags.push(at - committed)
        break
      }
    }
  }
  lags.sort((a, b) => a - b)
  show([name, lags[150]!.toFixed(1), lags[297]!.toFixed(1)])
})

show(["store", "median ms", "99 % ms"])
show(["---", "---", "---"])
for (const name of chosen()) await Effect.runPromise(Effect.scoped(measure(name)))
