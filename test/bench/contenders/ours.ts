/** The library, over whatever storage a layer builds. */
import { Effect, Layer, Metric, Schema } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import type { Contender } from "../harness.ts"

export const name = "effect-scoped"

export const Counts = Scoped.family("counts", {
  key: Schema.String,
  schema: Schema.Struct({ count: Schema.Int }),
  initial: { count: 0 }
})

export const increment = Scoped.update(({ count }: { readonly count: number }) => [count + 1, { count: count + 1 }])

/** How often updates have run in this process, as the library's own metrics tell it. */
const attempts = Effect.map(
  Metric.snapshot,
  (all) =>
    all.filter(({ id }) => id === "effect_scoped_attempts_total")
      .reduce((sum, { state }) => sum + Number((state as { readonly count: number | bigint }).count), 0)
)

export const make = <E, R>(layer: Layer.Layer<Storage.Storage, E, R>) =>
  Effect.gen(function*() {
    const scopes: Array<ReturnType<typeof Counts>> = []
    const contender: Contender = {
      name,
      add: (key) => increment(scopes[key] ??= Counts(`${key}`)),
      context: yield* Layer.build(layer),
      attempts
    }
    return contender
  })
