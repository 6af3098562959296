import * as NodeServices from "@effect/platform-node/NodeServices"
import { Context, Effect, Layer } from "effect"
import { FileDriver } from "effect-scoped"
import { KeyValueStore } from "effect/persistence"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import type { Contender } from "../harness.ts"
import type { Contenders } from "./contenders.ts"
import * as KeyValue from "./keyValueStore.ts"
import * as Ours from "./ours.ts"

const context = Context.empty() as never

/** The least that makes something durable. The line is as long as one of the driver's journal for the same update. */
const append = Effect.fnUntraced(function*(directory: string) {
  const handle = yield* Effect.acquireRelease(
    Effect.promise(() => Fs.open(Path.join(directory, `append-${process.pid}`), "a")),
    (handle) => Effect.promise(() => handle.close())
  )
  const line = Buffer.from(`${"x".repeat(150)}\n`)
  const contender: Contender = {
    name: "append + fdatasync",
    add: () =>
      Effect.promise(async () => {
        await handle.write(line)
        await handle.datasync()
      }),
    atMost: 1,
    context
  }
  return contender
})

/** A lock file for each count, and a new file that takes the place of the old one. */
const lockFile = (directory: string): Contender => {
  let attempts = 0
  return {
    name: "lock file + atomic rename",
    add: (key) =>
      Effect.promise(async () => {
        const path = Path.join(directory, `locked-${key}`)
        for (;;) {
          attempts++
          try {
            await (await Fs.open(`${path}.lock`, "wx")).close()
            break
          } catch {
            await new Promise((resume) => setTimeout(resume, 1 + Math.random() * 2))
          }
        }
        const { count } = JSON.parse(await Fs.readFile(path, "utf8").catch(() => `{"count":0}`))
        const next = await Fs.open(`${path}.new`, "w")
        await next.writeFile(JSON.stringify({ count: count + 1 }))
        await next.datasync()
        await next.close()
        await Fs.rename(`${path}.new`, path)
        await Fs.unlink(`${path}.lock`)
      }),
    atMost: 64,
    context,
    attempts: Effect.sync(() => attempts)
  }
}

export const file: Contenders = (directory) =>
  Effect.gen(function*() {
    const store = yield* Layer.build(
      KeyValueStore.layerFileSystem(Path.join(directory, "values")).pipe(Layer.provide(NodeServices.layer))
    )
    const layer = FileDriver.layer({ directory: Path.join(directory, "data") }).pipe(Layer.provide(NodeServices.layer))
    return [yield* Ours.make(layer), yield* append(directory), lockFile(directory), KeyValue.make(store)]
  })
