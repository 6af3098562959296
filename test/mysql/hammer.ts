// usage: hammer.ts URL WRITER SCOPES [UPDATES]
// One of several processes that count on the same scopes, half of the time on the first of them. Prints "? scope"
// before it counts, "! scope" once it is told that it counted, and "# complaint".
import { Effect, Redacted, Schema } from "effect"
import { Scoped } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import { writeSync } from "node:fs"

const [url, writer, scopes, updates = "Infinity"] = process.argv.slice(2) as [string, string, string, string?]

const Counts = Scoped.family("counts", {
  key: Schema.String,
  schema: Schema.Record(Schema.String, Schema.Int),
  initial: {}
})

let left = Number(updates)

const hammer = Effect.gen(function*() {
  while (left-- > 0) {
    const one = Math.random() < 0.5 ? "0" : String(Math.floor(Math.random() * Number(scopes)))
    writeSync(1, `? ${one}\n`)
    yield* Scoped.update(Counts(one), (counts) => [undefined, { ...counts, [writer]: (counts[writer] ?? 0) + 1 }])
    writeSync(1, `! ${one}\n`)
  }
})

await Effect.forEach(Array.from({ length: 20 }), () => hammer, { concurrency: "unbounded" }).pipe(
  Effect.provide(MysqlDriver.layer({ url: Redacted.make(url) })),
  Effect.tapCause((cause) => Effect.sync(() => writeSync(1, `# ${cause.toString().replaceAll("\n", " ")}\n`))),
  Effect.runPromise
)
