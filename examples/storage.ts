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
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as RedisDriver from "effect-scoped/RedisDriver"

export const layer = Layer.unwrap(Effect.gen(function*() {
  const directory = yield* Config.String("DATA_DIR").pipe(Config.withDefault("data"))
  const storage = yield* Config.Redacted("STORAGE").pipe(Config.withDefault(Redacted.make(`file:${directory}`)))
  const url = Redacted.value(storage)
  switch (url.slice(0, url.indexOf(":"))) {
    case "file":
      return FileDriver.layer({ directory: url.slice("file:".length) }).pipe(Layer.provide(NodeServices.layer))
    case "redis":
    case "rediss":
      return RedisDriver.layer({ url: storage })
    case "mysql":
      return MysqlDriver.layer({ url: storage })
    case "memory":
      return MemoryDriver.layer()
    default:
      return yield* Effect.fail(new Error("STORAGE must begin with file:, redis:, rediss:, mysql: or memory:"))
  }
}))
