import * as Result from "effect/Result"
import type { Codec, Fault, Held } from "./codec.ts"
import { shown } from "./fault.ts"

/** A state that is made when it is first asked for, as it would be stored. */
export const once = (codec: Codec, make: () => unknown): () => Result.Result<Held, Fault> => {
  let made: Result.Result<Held, Fault> | undefined
  return () =>
    made ??= Result.flatMap(
      Result.try({
        try: make,
        catch: (error): Fault => ({ path: [], reason: `it could not be made: ${shown(error)}` })
      }),
      codec.hold
    )
}
