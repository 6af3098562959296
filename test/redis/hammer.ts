/**
 * A process that counts on scopes that it shares with others until its standard input ends. The state of a scope is how
 * often each process has counted. It says on its standard output what it is about to count (`?`), what is counted (`!`)
 * and what went wrong (`#`).
 *
 * usage: hammer.ts <url> <writer> <scopes>
 */
import { Effect, Schema } from "effect"
import { writeSync } from "node:fs"
import * as RedisDriver from "../../src/RedisDriver.ts"
import * as Scoped from "../../src/Scoped.ts"

const [url = "", writer = "", scopes = ""] = process.argv.slice(2)
const many = Number(scopes)
let running = true
process.stdin.on("end", () => running = false).resume()

const Counts = Scoped.family("counts", {
  key: Schema.String,
  schema: Schema.Record(Schema.String, Schema.Int),
  initial: {}
})

const count = (name: string) =>
  Scoped.update(Counts(name), (counts) => [undefined, { ...counts, [writer]: (counts[writer] ?? 0) + 1 }])

let next = 0
const loop = Effect.gen(function*() {
  while (running) {
    // Half of all updates are of one scope, which everybody else updates as well.
    const name = next++ % 2 === 0 ? "hot" : String((next * 7919) % many)
    writeSync(1, `? ${name}\n`)
    yield* count(name)
    writeSync(1, `! ${name}\n`)
  }
})

Effect.forEach(Array.from({ length: 32 }), () => loop, { concurrency: "unbounded" }).pipe(
  Effect.provide(RedisDriver.layer({ url })),
  Effect.tapCause((cause) => Effect.sync(() => writeSync(1, `# ${String(cause).replaceAll("\n", " ")}\n`))),
  Effect.runPromise
)
