/**
 * The rules of the driver contract, as one suite that every driver is run through.
 *
 * `store` is an effect that prepares a fresh, empty store and yields how to open it. The suite opens it several times,
 * as several processes would; whatever it opens it closes.
 *
 * ```ts
 * driverSuite("memory", Effect.map(MemoryDriver.make(), Effect.succeed))
 * ```
 */
import { it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import type { Driver } from "../../src/Driver.ts"
import { batches } from "./driver/batches.ts"
import { changes } from "./driver/changes.ts"
import { data } from "./driver/data.ts"
import { expiry } from "./driver/expiry.ts"
import { lifecycle } from "./driver/lifecycle.ts"
import { listing } from "./driver/listing.ts"
import { model } from "./driver/model.ts"
import { names } from "./driver/names.ts"
import { races } from "./driver/races.ts"
import { TestStore } from "./driver/TestStore.ts"
import { tombstones } from "./driver/tombstones.ts"
import { transactions } from "./driver/transactions.ts"

export const driverSuite = <E, E2>(
  name: string,
  store: Effect.Effect<Effect.Effect<Driver, E2, Scope.Scope>, E, Scope.Scope>
): void => {
  const layer = Layer.effect(
    TestStore,
    Effect.gen(function*() {
      const open = Effect.orDie(yield* store)
      return { open, a: yield* open, b: yield* open }
    })
  )
  // Drivers talk to real servers and disks: real time, not the clock of the tests.
  it.layer(layer, { excludeTestServices: true, timeout: "30 seconds" })(`driver: ${name}`, (it) => {
    for (
      const rules of [
        transactions,
        batches,
        tombstones,
        expiry,
        names,
        data,
        listing,
        changes,
        model,
        races,
        lifecycle
      ]
    ) {
      rules(it)
    }
  })
}
