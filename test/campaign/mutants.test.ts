/** The mutants fit the code as it is: `npm run campaign:mutants` shows that each of them is found. */
import { assert, describe, it } from "@effect/vitest"
import { mutants } from "./mutants/index.ts"
import { broken } from "./mutants/mutant.ts"

describe("the mutants", () => {
  it("can all be made, and have names of their own", () => {
    const faults = mutants.map((mutant) => broken(mutant, process.cwd())).filter((made) => typeof made === "string")
    assert.deepStrictEqual(faults, [])
    assert.strictEqual(new Set(mutants.map(({ name }) => name)).size, mutants.length)
  })
})
