/** What processes that want the same scope leave in the journal for each other. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { commit, get, journalOf, open, put, record, services, temporaryDirectory, until, write } from "./helpers.ts"

/** The names of each claim; none where one is given up. */
const claims = (directory: string): ReadonlyArray<ReadonlyArray<string>> =>
  readFileSync(journalOf(directory), "utf8").split("\n").filter((line) => line.includes("\"claim\"")).map((line) =>
    JSON.parse(line).names
  )

it.layer(services, { excludeTestServices: true })("turns of the file driver", (it) => {
  describe("one who was refused twice in a row", () => {
    it.effect("claims, and gives up the rest of its turn when no more follows, each time", () =>
      Effect.gen(function*() {
        const directory = yield* temporaryDirectory
        const a = yield* open({ directory })
        let last = yield* put(yield* open({ directory }), "a", null)
        const expected: Array<ReadonlyArray<string>> = []
        for (let turn = 0; turn < 3; turn++) {
          for (let i = 0; i < 2; i++) {
            assert.deepStrictEqual(claims(directory), expected)
            assert.isFalse((yield* commit(a, write("a", null, record()))).committed)
          }
          expected.push(["a"], [])
          // A second one could come so late that the turn is over by itself.
          last = yield* put(a, "a", last)
          yield* until("it gives up", Effect.sync(() => claims(directory).length === expected.length))
          assert.deepStrictEqual(claims(directory), expected)
          assert.deepStrictEqual(yield* get(a, "a"), last)
        }
      }))
  })
})
