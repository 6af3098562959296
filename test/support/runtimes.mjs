/** A hundred updates at once on each storage, by whatever runs this. Arguments: a directory, a Redis URL, a name. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { Effect, Layer, Schema } from "effect"
import { FileDriver, MemoryDriver, Scoped } from "effect-scoped"
import * as RedisDriver from "effect-scoped/RedisDriver"
import process from "node:process"

const [directory, url, name] = process.argv.slice(2)

const Count = Scoped.make(`count-${name}`, { schema: Schema.Int, initial: 0 })
const increment = Scoped.update(Count, (count) => [count + 1, count + 1])

const hundred = Effect.all(Array.from({ length: 100 }, () => increment), { concurrency: "unbounded" }).pipe(
  Effect.andThen(Scoped.get(Count))
)

const storages = {
  memory: MemoryDriver.layer(),
  file: Layer.provide(FileDriver.layer({ directory }), [NodeFileSystem.layer, NodePath.layer]),
  redis: RedisDriver.layer({ url })
}

const told = []
for (const [storage, layer] of Object.entries(storages)) {
  told.push(`${storage} ${await Effect.runPromise(Effect.provide(hundred, layer))}`)
}
console.log(told.join(", "))
process.exit(0)
