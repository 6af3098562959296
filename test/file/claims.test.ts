import { assert, describe, it } from "@effect/vitest"
import { Claims } from "../../src/internal/file/claims.ts"
import type { Commit } from "../../src/internal/file/line.ts"

/** What the processes "a", "b" and "c" read of one journal, each with a clock of its own that goes on by hand. */
const crowd = () => {
  let now = 1000
  let commits = 0
  const [a, b, c] = ["a", "b", "c"].map((id) => new Claims(id, () => now)) as [Claims, Claims, Claims]
  const all = [a, b, c]
  return {
    a,
    b,
    c,
    pass: (millis: number) => now += millis,
    claim: (who: string, ...names: ReadonlyArray<string>) => all.forEach((one) => one.add(who, names)),
    /** Lines of one batch. */
    commit: (who: string, lines = 1) => {
      const synced = ++commits
      for (let i = 0; i < lines; i++) {
        const line: Commit = { id: `${who}:${i}`, at: now, synced, tx: [] }
        for (const one of all) one.serve(line)
      }
    },
    absent: (...names: ReadonlyArray<string>) => all.map((one) => one.wait(names)?.absent),
    waiting: (...names: ReadonlyArray<string>) => all.map((one) => one.wait(names) !== undefined)
  }
}

describe("turns", () => {
  it("go round in the order of the claims, some commits each, however many lines these have", () => {
    const { claim, commit, pass, waiting } = crowd()
    assert.deepStrictEqual(waiting("x"), [false, false, false])
    claim("a", "x")
    claim("b", "x")
    assert.deepStrictEqual(waiting("x"), [false, true, true])
    for (let i = 0; i < 32; i++) {
      assert.deepStrictEqual(waiting("x"), [false, true, true])
      commit("a", 5)
      pass(0.5)
    }
    assert.deepStrictEqual(waiting("x"), [true, false, true])
    claim("a", "x")
    for (let i = 0; i < 32; i++) commit("b")
    assert.deepStrictEqual(waiting("x"), [false, true, true])
  })

  it("take no longer where commits are slow", () => {
    const { claim, commit, pass, waiting } = crowd()
    claim("a", "x")
    commit("a")
    pass(15)
    commit("a")
    assert.deepStrictEqual(waiting("x"), [false, true, true])
    pass(15)
    commit("a")
    assert.deepStrictEqual(waiting("x"), [false, false, false])
  })

  it("are lost where they are not taken, once somebody who waits has said so", () => {
    const { absent, claim, commit, pass, waiting } = crowd()
    claim("a", "x")
    claim("b", "x")
    pass(40)
    commit("a")
    pass(40)
    assert.deepStrictEqual(absent("x"), [undefined, undefined, undefined])
    pass(20)
    assert.deepStrictEqual(absent("x"), [undefined, "a", "a"])
    assert.deepStrictEqual(waiting("x"), [false, true, true])
    claim("a")
    assert.deepStrictEqual(waiting("x"), [true, false, true])
    pass(45)
    assert.deepStrictEqual(absent("x"), [undefined, undefined, undefined])
    pass(10)
    assert.deepStrictEqual(absent("x"), ["b", undefined, "b"])
  })

  it("end for all at the same line, however late they read it", () => {
    let now = 0
    const [a, b] = [new Claims("a", () => 0), new Claims("b", () => now)]
    for (const one of [a, b]) one.add("a", ["x"])
    for (const at of [0, 15, 40]) {
      for (const one of [a, b]) one.serve({ id: "a:1", at, synced: at, tx: [] })
      now += 1
    }
    assert.isFalse(a.claimed)
    assert.isUndefined(b.wait(["x"]))
  })

  it("are given up by who has no more to commit", () => {
    const { a, claim, waiting } = crowd()
    claim("a", "x")
    claim("b", "x")
    assert.isTrue(a.claimed)
    claim("a")
    assert.isFalse(a.claimed)
    assert.deepStrictEqual(waiting("x"), [true, false, true])
    claim("c")
    assert.deepStrictEqual(waiting("x"), [true, false, true])
  })

  it("concern the names that were claimed, and nobody waits for one who waits for him", () => {
    const { claim, waiting } = crowd()
    claim("a", "x")
    claim("b", "x", "y")
    assert.deepStrictEqual(waiting("y"), [false, false, true])
    assert.deepStrictEqual(waiting("x", "y"), [false, true, true])
    assert.deepStrictEqual(waiting("z"), [false, false, false])
  })
})
