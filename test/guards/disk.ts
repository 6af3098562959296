/**
 * A process of its own that counts what the file driver asks of the system: the calls are replaced before anybody has
 * imported them. Prints writes and syncs for each update as JSON.
 *
 * usage: disk.ts DIRECTORY
 */
import fs from "node:fs"
import { open } from "node:fs/promises"
import { syncBuiltinESMExports } from "node:module"

const [directory = ""] = process.argv.slice(2)
const seen = { writes: 0, syncs: 0 }

const count = (owner: object, name: string, kind: keyof typeof seen) => {
  const methods = owner as { [name: string]: (...args: Array<unknown>) => unknown }
  const original = methods[name]!
  methods[name] = function(this: unknown, ...args) {
    // What goes to a standard stream is not the driver's.
    if (typeof args[0] !== "number" || args[0] > 2) seen[kind]++
    return original.apply(this, args)
  }
}
for (const name of ["write", "writeSync", "writev", "writevSync"]) count(fs, name, "writes")
for (const name of ["fsync", "fsyncSync", "fdatasync", "fdatasyncSync"]) count(fs, name, "syncs")
syncBuiltinESMExports()
const handle = await open(process.execPath)
for (const name of ["write", "writev", "appendFile", "writeFile"]) {
  count(Object.getPrototypeOf(handle) as object, name, "writes")
}
for (const name of ["sync", "datasync"]) count(Object.getPrototypeOf(handle) as object, name, "syncs")
await handle.close()

const { Effect, Layer } = await import("effect")
const { FileDriver } = await import("effect-scoped")
const NodeServices = await import("@effect/platform-node/NodeServices")
const Ours = await import("../bench/contenders/ours.ts")

const program = Effect.gen(function*() {
  const { add, context } = yield* Ours.make(FileDriver.layer({ directory }).pipe(Layer.provide(NodeServices.layer)))
  const each = Effect.fnUntraced(function*(count: number, concurrency: number, keys: number) {
    Object.assign(seen, { writes: 0, syncs: 0 })
    yield* Effect.forEach(Array.from({ length: count }, (_, i) => i % keys), add, { concurrency, discard: true })
    return { writes: seen.writes / count, syncs: seen.syncs / count }
  }, Effect.provideContext(context))
  yield* each(1_000, 1_000, 1_000)
  console.log(JSON.stringify({
    one: yield* each(50, 1, 1),
    fused: yield* each(3_200, 64, 1),
    many: yield* each(5_000, 1_000, 1_000)
  }))
})

await Effect.runPromise(Effect.scoped(program))
