import type { Effect, Scope } from "effect"
import type { Driver } from "effect-scoped/Driver"
import { suite } from "effect-scoped/testing/DriverSuite"

/** The public suite, for our own drivers: all of them are durable and shared, as far as a test can see. */
export const driverSuite = <E, E2>(
  name: string,
  store: Effect.Effect<Effect.Effect<Driver, E2, Scope.Scope>, E, Scope.Scope>
): void => suite(name, { store })
