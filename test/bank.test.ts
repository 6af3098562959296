import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { run, storages } from "./support/example.ts"

describe("examples/bank.ts", () => {
  for (const [name, storage] of Object.entries(storages)) {
    it.live(`${name}: three banks over the same accounts neither make nor lose money`, () =>
      Effect.gen(function*() {
        const env = { ...(yield* storage), TRANSFERS: "200" }
        const banks = yield* Effect.all([run("bank", env), run("bank", env), run("bank", env)], { concurrency: 3 })
        for (const { code, output } of banks) {
          assert.strictEqual(code, 0, output)
          const [, done, refused] = /^(\d+) transfers done, (\d+) refused for insufficient funds$/m.exec(output)!
          assert.strictEqual(Number(done) + Number(refused), 200)
          assert.isAbove(Number(done), 0)
          assert.match(output, /^all +600$/m)
          assert.notMatch(output, /-\d/)
        }
      }), 60_000)
  }
})
