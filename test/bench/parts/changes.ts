/** How long after a commit another writer's `Scoped.changes` emits it. */
import { Effect, Queue, Stream } from "effect"
import { Scoped } from "effect-scoped"
import { contenders } from "../contenders/contenders.ts"
import * as Ours from "../contenders/ours.ts"
import { places } from "../places.ts"
import type { Row } from "../report.ts"
import type { Part } from "./part.ts"

const Count = Ours.Counts("watched")

export const changes: Part = Effect.fnUntraced(function*({ quick }, stores) {
  const rows: Array<Row> = []
  for (const store of stores) {
    // In memory there is no other writer.
    if (store === "memory") continue
    yield* Effect.scoped(Effect.gen(function*() {
      const place = yield* places[store]
      const [writer, watcher] = [(yield* contenders[store](place))[0]!, (yield* contenders[store](place))[0]!]
      const seen = yield* Queue.unbounded<readonly [count: number, at: number]>()
      yield* Scoped.changes(Count).pipe(
        Stream.runForEach(({ count }) => Queue.offer(seen, [count, performance.now()] as const)),
        Effect.provideContext(watcher.context),
        Effect.forkScoped
      )
      yield* Queue.take(seen)
      const lags: Array<number> = []
      for (let i = 1; i <= (quick ? 30 : 200); i++) {
        yield* Effect.sleep(Math.random() * 20)
        const committed = yield* Effect.provideContext(
          Effect.map(Scoped.update(Count, () => [undefined, { count: i }]), () => performance.now()),
          writer.context
        )
        for (;;) {
          const [count, at] = yield* Queue.take(seen)
          if (count < i) continue
          lags.push(Math.max(0, at - committed))
          break
        }
      }
      lags.sort((a, b) => a - b)
      const at = (part: number) => lags[Math.floor(lags.length * part)]!
      rows.push({ store, work: "another writer's change is seen", measured: at(0.5), unit: "ms, median" })
      rows.push({ store, work: "another writer's change is seen", measured: at(0.99), unit: "ms for 99 %" })
    }))
  }
  return { rows }
})
