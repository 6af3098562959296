/** How often the parts of a state are encoded, decoded and looked at, by a schema that counts. */
import { Effect, Schema, SchemaTransformation } from "effect"
import { MemoryDriver, Scoped, Storage } from "effect-scoped"

const seen = { encodes: 0, decodes: 0, walked: 0 }

const Count = Schema.Int.pipe(Schema.decodeTo(
  Schema.Int,
  SchemaTransformation.transform({
    decode: (count) => {
      seen.decodes++
      return count
    },
    encode: (count) => {
      seen.encodes++
      return count
    }
  })
))

const Word = Schema.String.check(Schema.makeFilter(() => {
  seen.walked++
  return true
}))

const pages = {
  /** A schema in which something is encoded and decoded. */
  transformed: Schema.Struct({ count: Count, words: Schema.Array(Word) }),
  plain: Schema.Struct({ count: Schema.Int, words: Schema.Array(Word) })
}

/**
 * How many encodes and decodes of what changes, and looks at each part that does not, a commit takes of a state of so
 * many bytes.
 */
export const count = Effect.fnUntraced(function*(bytes: number, concurrency: number, kind: keyof typeof pages) {
  const driver = yield* MemoryDriver.make()
  let commits = 0
  const counting = {
    ...driver,
    commit: (batch: Parameters<typeof driver.commit>[0]) => {
      commits += batch.length
      return driver.commit(batch)
    }
  }
  const words = Array.from({ length: Math.round(bytes / 50) }, (_, i) => `${i}`.padEnd(47, "x"))
  const scope = Scoped.make("page", { schema: pages[kind], initial: { count: 0, words } })
  const update = Scoped.update(scope, (page) => [undefined, { ...page, count: page.count + 1 }])
  const rounds = 20
  return yield* Effect.gen(function*() {
    // What is done once for each scope does not count.
    yield* update
    yield* update
    Object.assign(seen, { encodes: 0, decodes: 0, walked: 0 })
    commits = 0
    for (let round = 0; round < rounds; round++) {
      yield* Effect.all(Array.from({ length: concurrency }, () => update), { concurrency: "unbounded", discard: true })
    }
    return {
      updates: rounds * concurrency / commits,
      encodes: seen.encodes / commits,
      decodes: seen.decodes / commits,
      walked: seen.walked / commits / words.length
    }
  }).pipe(Effect.provide(Storage.layer(Effect.succeed(counting))))
})
