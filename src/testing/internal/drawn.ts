import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import { type Seeded, serviceOf } from "./random.ts"

/** Draws what effects tell, or takes values as they are. */
export const drawing = (random: Seeded): <A>(value: A | Effect.Effect<A>) => A => {
  const run = Effect.runSyncWith(Context.make(Random.Random, serviceOf(random)))
  return (value) => Effect.isEffect(value) ? run(value) : value
}
