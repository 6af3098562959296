import { Context, Effect, Layer } from "effect"
import { MemoryDriver } from "effect-scoped"
import { KeyValueStore } from "effect/persistence"
import type { Contender } from "../harness.ts"
import type { Contenders } from "./contenders.ts"
import * as KeyValue from "./keyValueStore.ts"
import * as Ours from "./ours.ts"

/** What no effect that waits for others can do without: fibers that suspend, and are resumed together. */
export const floor = (): Contender => {
  let waiting: Array<() => void> = []
  const wake = () => {
    const all = waiting
    waiting = []
    for (const resume of all) resume()
  }
  const suspended = Effect.callback<void>((resume) => {
    waiting.push(() => resume(Effect.void))
    if (waiting.length === 1) setImmediate(wake)
  })
  return { name: "fibers that suspend and resume", add: () => suspended, context: Context.empty() as never }
}

export const memory: Contenders = () =>
  Effect.gen(function*() {
    const store = yield* Layer.build(KeyValueStore.layerMemory)
    return [yield* Ours.make(MemoryDriver.layer()), floor(), KeyValue.make(store)]
  })
