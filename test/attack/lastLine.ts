/** One bit of the last acknowledged line flips at rest, after a clean close: nobody is told, and the update is gone. */
import { NodeServices } from "@effect/platform-node"
import { Effect, Schema } from "effect"
import { FileDriver, Scoped, type Storage } from "effect-scoped"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
const directory = mkdtempSync(join(tmpdir(), "last-"))
const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
const run = <A, E>(effect: Effect.Effect<A, E, Storage.Storage>) =>
  Effect.runPromise(
    effect.pipe(Effect.provide(FileDriver.layer({ directory })), Effect.provide(NodeServices.layer)) as Effect.Effect<
      A,
      E
    >
  )
await run(Effect.forEach([1, 2, 3], () => Scoped.update(Count, (n) => [0, n + 1])))
const file = join(directory, readdirSync(directory).find((n) => n.startsWith("journal"))!)
const bytes = readFileSync(file)
bytes[bytes.length - 20]! ^= 1
writeFileSync(file, bytes)
console.log("acknowledged 3, read", await run(Scoped.get(Count)).catch((e) => `reported: ${e.message.slice(0, 80)}`))
rmSync(directory, { recursive: true })
