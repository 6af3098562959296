/** Effect's own `KeyValueStore.modify`: a read and then a write. Two at once may lose one: it is here for its cost only. */
import { Context } from "effect"
import { KeyValueStore } from "effect/persistence"
import type { Contender } from "../harness.ts"

export const make = (context: Context.Context<KeyValueStore.KeyValueStore>): Contender => {
  const store = Context.get(context, KeyValueStore.KeyValueStore)
  const increment = (text: string) => JSON.stringify({ count: JSON.parse(text).count + 1 })
  const known = new Set<number>()
  return {
    name: "KeyValueStore.modify, not atomic",
    add: (key) => {
      if (known.has(key)) return store.modify(`${key}`, increment)
      known.add(key)
      return store.set(`${key}`, `{"count":1}`)
    },
    atMost: 1,
    context: Context.empty() as never
  }
}
