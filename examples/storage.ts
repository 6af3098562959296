/**
 * The storage that the examples run on, chosen by the environment: the programs stay the same.
 *
 * ```sh
 * STORAGE=file:data                          # the default
 * STORAGE=redis://localhost:6379
 * STORAGE=mysql://root@localhost:3306/test
 * STORAGE=memory:                            # for one process, and gone with it
 * ```
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Config, Effect, Layer, Redacted } from "effect"
import { FileDriver, MemoryDriver } from "effect-scoped"

export const layer = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Config.String("DATA_DIR").pipe(Config.withDefault("data"))
  const storage = yield* Config.Redacted("STORAGE").pipe(Config.withDefault(Redacted.make(`file:${directory}`)))
  const url = Redacted.value(storage)
  switch (url.slice(0, url.indexOf(":"))) {
    case "file":
      return FileDriver.layer({ directory: url.slice("file:".length) }).pipe(Layer.provide(NodeServices.layer))
    case "redis":
    case "rediss":
      // Loaded when it is chosen: the others need not have its client library.
      return (yield* Effect.promise(() => import("effect-scoped/RedisDriver"))).layer({ url: storage })
    case "mysql":
      return (yield* Effect.promise(() => import("effect-scoped/MysqlDriver"))).layer({ url: storage })
    case "memory":
      return MemoryDriver.layer()
    default:
      return yield* Effect.fail(new Error("STORAGE must begin with file:, redis:, rediss:, mysql: or memory:"))
  }
}))
