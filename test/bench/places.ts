/** Where the stores are: servers and directories of their own, gone with the scope. */
import { Effect, type Scope } from "effect"
import { mysqlServer } from "../servers/mysql.ts"
import { redisServer } from "../servers/redis.ts"
import { temporaryDirectory } from "../servers/server.ts"
import type { Store } from "./contenders/contenders.ts"

export const places: { readonly [store in Store]: Effect.Effect<string, Error, Scope.Scope> } = {
  memory: Effect.succeed(""),
  file: temporaryDirectory,
  redis: Effect.map(redisServer(), ({ url }) => url),
  mysql: Effect.map(mysqlServer({ durable: true }), ({ url }) => url)
}

/** A Redis that has every write on disk before it answers. */
export const durableRedis = Effect.map(
  redisServer({ args: ["--appendonly", "yes", "--appendfsync", "always"] }),
  ({ url }) => url
)
