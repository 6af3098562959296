import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import { promisify } from "node:util"

it.live("every program of test/types compiles, but for the lines that must not", () =>
  Effect.gen(function*() {
    const { stdout } = yield* Effect.promise(() =>
      promisify(execFile)("node_modules/.bin/tsc", ["--noEmit", "--pretty", "false"]).catch((error) => error)
    )
    assert.strictEqual(stdout, "")
  }), 120_000)
