/** How long it takes to open a large file store, and what that costs in memory. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Schema } from "effect"
import { FileDriver, Scoped } from "effect-scoped"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { temporaryDirectory } from "../../servers/server.ts"
import { short } from "../chart.ts"
import type { Part } from "./part.ts"

const Pages = Scoped.family("pages", { key: Schema.String, schema: Schema.String, initial: "" })
const size = 10_000

export const start: Part = Effect.fnUntraced(function*({ quick }, stores) {
  if (!stores.includes("file")) return { rows: [] }
  const directory = yield* temporaryDirectory
  const layer = FileDriver.layer({ directory }).pipe(Layer.provide(NodeServices.layer), Layer.fresh)
  const count = quick ? 5_000 : 100_000
  let next = 0
  const write = Effect.whileLoop({
    while: () => next < count,
    body: () => Scoped.update(Pages(`${next++}`), () => [undefined, "x".repeat(size)]),
    step: () => {}
  })
  yield* Effect.all(Array.from({ length: 256 }, () => write), { concurrency: "unbounded", discard: true })
    .pipe(Effect.provide(layer))
  const files = yield* Effect.promise(() => Fs.readdir(directory, { recursive: true, withFileTypes: true }))
  const sizes = yield* Effect.promise(() =>
    Promise.all(files.map(({ name, parentPath }) => Fs.stat(Path.join(parentPath, name))))
  )
  const total = sizes.reduce((sum, stat) => sum + (stat.isFile() ? stat.size : 0), 0)
  const before = process.memoryUsage().rss
  const started = performance.now()
  const took = yield* Scoped.get(Pages("0")).pipe(
    Effect.map(() => performance.now() - started),
    Effect.provide(layer)
  )
  const work = `start with ${short(count)} states of ${short(size)} bytes`
  return {
    rows: [
      { store: "file", work, measured: took, unit: `ms for ${Math.round(total / 1e6)} MB` },
      { store: "file", work, measured: (process.memoryUsage().rss - before) / 1e6, unit: "MB more in memory" }
    ]
  }
})
