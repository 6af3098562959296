/**
 * A process that counts on scopes that it shares with others, two at a time, until it is killed. It says on its
 * standard output what it is about to commit (`?`) and what is committed (`!`).
 *
 * usage: hammer.ts <directory> <writer> <compactAt>
 */
import { NodeServices } from "@effect/platform-node"
import { Effect } from "effect"
import { writeSync } from "node:fs"
import type { Record } from "../../src/Driver.ts"
import * as FileDriver from "../../src/FileDriver.ts"
import { commit, write } from "./helpers.ts"
import { numbers } from "./seeded.ts"

const [directory = "", writer = "", compactAt = ""] = process.argv.slice(2)
const names = ["a", "b", "c", "d"]
const random = numbers(process.pid)

/** Says a line whole, and waits where the one who listens is too busy to take it. */
const say = (line: string): void => {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

/** How often each process has counted. */
type Counts = { readonly [writer: string]: number }

const counts = (current: Record | null): Counts => JSON.parse(current?.data ?? "{}")
const sum = (current: Record | null): number => Object.values(counts(current)).reduce((sum, count) => sum + count, 0)

Effect.gen(function*() {
  const driver = yield* FileDriver.make({ directory, compactAt: Number(compactAt) })
  const largest = new Map<string, number>()
  let known: ReadonlyArray<Record | null> = []
  for (let turn = 1;; turn++) {
    const first = random(names.length)
    const pair = [names[first]!, names[(first + 1 + random(names.length - 1)) % names.length]!]
    // Half of the time it begins with a read, and else with the wrong guess that there is nothing.
    known = turn % 2 === 0 ? yield* driver.read(pair) : [null, null]
    for (let tries = 1;; tries++) {
      const next = known.map((current) => {
        const before = counts(current)
        return {
          revision: `${writer}:${turn}:${tries}`,
          data: JSON.stringify({ ...before, [writer]: (before[writer] ?? 0) + 1 })
        }
      })
      if (tries === 1) say(`? ${pair.join(" ")}`)
      const verdict = yield* commit(driver, ...pair.map((name, i) => write(name, known[i]!, next[i])))
      known = verdict.committed ? next : verdict.current
      for (const [i, name] of pair.entries()) {
        const total = sum(known[i]!)
        if (total < (largest.get(name) ?? 0)) throw new Error(`${name} went back from ${largest.get(name)} to ${total}`)
        largest.set(name, total)
      }
      if (verdict.committed) break
    }
    say(`! ${pair.join(" ")}`)
  }
}).pipe(
  Effect.scoped,
  Effect.provide(NodeServices.layer),
  Effect.tapCause((cause) => Effect.sync(() => say(`# ${cause.toString().replaceAll("\n", " ")}`))),
  Effect.runPromise
)
