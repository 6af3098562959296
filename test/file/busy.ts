/**
 * A process that is busy on one scope, until it is killed. It says how often it has counted.
 *
 * usage: busy.ts <directory> <writer> <updates at once>
 */
import { NodeServices } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import { writeSync } from "node:fs"
import * as FileDriver from "../../src/FileDriver.ts"
import * as Scoped from "../../src/Scoped.ts"

const [directory = "", writer = "", width = ""] = process.argv.slice(2)

const Counts = Scoped.make("busy", { schema: Schema.Record(Schema.String, Schema.Int), initial: {} })
const count = Scoped.update(
  Counts,
  (counts) => [undefined, { ...counts, [writer]: (counts[writer] ?? 0) + 1 }]
)

let done = 0
setInterval(() => writeSync(1, `${done}\n`), 50)

Effect.forever(Effect.tap(count, () => Effect.sync(() => done++))).pipe(
  Effect.replicateEffect(Number(width), { concurrency: "unbounded" }),
  Effect.provide(FileDriver.layer({ directory })),
  Effect.provide(NodeServices.layer),
  Effect.runPromise
)
