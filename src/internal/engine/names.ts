import * as Stream from "effect/Stream"
import type { Driver } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Name from "../name.ts"

/**
 * What is stored under names of a namespace that start with `prefix`.
 *
 * Apart from the engine, for a stream keeps what its functions refer to alive until the next full collection.
 */
export const of = (driver: Driver, namespace: string, prefix: string): Stream.Stream<string, DriverError> =>
  driver.names(namespace + prefix).pipe(
    Stream.map((name) => name.slice(namespace.length)),
    Stream.filter((name) => !Name.isOfNamespace(name))
  )
