import * as Result from "effect/Result"
import type { Codec, Fault, Held } from "./codec.ts"

/** A state that is made when it is first asked for, as it would be stored. */
export const once = (codec: Codec, make: () => unknown): () => Result.Result<Held, Fault> => {
  let made: Result.Result<Held, Fault> | undefined
  return () =>
    made ??= Result.flatMap(
      Result.try({
        try: make,
        catch: (error): Fault => ({ path: [], reason: `it could not be made: ${text(error)}` })
      }),
      codec.hold
    )
}

const text = (error: unknown): string => {
  try {
    return String(error)
  } catch {
    return "what was thrown has no text"
  }
}
