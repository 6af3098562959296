// Stand-in until the real one arrives.
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import * as Old from "../codec.ts"
import { utf8Length } from "../name.ts"
export type Fault = Old.Fault
export interface Held {
  readonly view: () => unknown
  readonly shared: boolean
  readonly bytes: number
  readonly text: () => Result.Result<string, Fault>
}
export interface Codec {
  readonly read: (text: string) => Result.Result<Held, Fault>
  readonly accept: (next: unknown, before: Held) => Result.Result<Held, Fault>
  readonly hold: (state: unknown) => Result.Result<Held, Fault>
}
const toHeld = (snapshot: Old.Snapshot): Held => ({
  view: () => snapshot.state,
  shared: true,
  bytes: utf8Length(snapshot.text),
  text: () => Result.succeed(snapshot.text)
})
const cache = new WeakMap<object, Codec>()
export const of = (schema: Schema.Constraint): Codec => {
  let codec = cache.get(schema)
  if (codec === undefined) {
    const old = Old.of(schema)
    codec = {
      read: (text) => Result.map(old.read(text), toHeld),
      accept: (next) => Result.map(old.write(next), toHeld),
      hold: (state) => Result.map(old.write(state), toHeld)
    }
    cache.set(schema, codec)
  }
  return codec
}
