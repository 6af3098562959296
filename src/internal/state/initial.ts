import type { Codec, Held } from "./codec.ts"
import { Fault, shown } from "./fault.ts"

/** A state that is made when it is first asked for, as it would be stored. */
export const once = (codec: Codec, make: () => unknown): () => Held | Fault => {
  let made: Held | Fault | undefined
  return () => made ??= hold(codec, make)
}

const hold = (codec: Codec, make: () => unknown): Held | Fault => {
  let state
  try {
    state = make()
  } catch (error) {
    return new Fault([], `it could not be made: ${shown(error)}`)
  }
  return codec.hold(state)
}
