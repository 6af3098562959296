import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { inspect, promisify } from "node:util"
import * as Blocks from "./support/blocks.ts"

const directory = ".cache/docs"
const blocks = Blocks.blocks()
const files = Blocks.write(directory, blocks)

const run = (command: string, args: ReadonlyArray<string>, cwd?: string) =>
  Effect.tryPromise({
    try: () => promisify(execFile)(command, args, { cwd }),
    catch: (error) => new Error((error as { stdout: string }).stdout + (error as { stderr: string }).stderr)
  })

describe("every code block of the documentation", () => {
  it.live("compiles", () => run("node_modules/.bin/tsc", ["-p", directory, "--pretty", "false"]), 60_000)

  blocks.forEach((block, i) => {
    if (block.code.includes("@effect/vitest")) {
      it.live(
        `${block.place} passes`,
        () => run("node_modules/.bin/vitest", ["run", "--config", "test/support/blocks.vitest.config.ts", files[i]!]),
        60_000
      )
      return
    }
    it.live(`${block.place} runs, and prints what it says`, () =>
      Effect.gen(function*() {
        const data = Path.join(directory, `run-${i}`)
        Fs.mkdirSync(data)
        const { stdout } = yield* run(
          process.execPath,
          ["--conditions=effect-scoped-source", Path.resolve(files[i]!)],
          data
        )
        const promised = Blocks.promises(block)
        if (promised.length === 0) return
        const expected = promised.map((text) => {
          // The promise is an expression, written by us.
          const value: unknown = new Function(`return (${text})`)()
          return typeof value === "string" ? value : inspect(value)
        })
        assert.deepStrictEqual(stdout.trimEnd().split("\n"), expected)
      }), 60_000)
  })

  it("there are some", () => {
    assert.isAbove(blocks.length, 5)
  })
})
