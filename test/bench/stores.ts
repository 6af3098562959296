/** The stores that are measured, each with what its peers do: the plain loop that a program would write without us. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Layer, Redacted, type Scope } from "effect"
import { FileDriver, MemoryDriver, Storage } from "effect-scoped"
import * as MysqlDriver from "effect-scoped/MysqlDriver"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { Redis } from "ioredis"
import * as Mysql from "mysql2/promise"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { mysqlServer } from "../servers/mysql.ts"
import { redisServer } from "../servers/redis.ts"
import { temporaryDirectory } from "../servers/server.ts"

export interface Peer {
  readonly name: string
  /** One operation, done durably by as simple means as there are. */
  readonly operation: Effect.Effect<unknown>
  /** How many of them may be under way at once. */
  readonly concurrency: ReadonlyArray<number>
}

export interface Store {
  readonly name: string
  readonly layer: Layer.Layer<Storage.Storage, unknown>
  readonly peer: Peer | undefined
}

/** Fibers that suspend and are resumed together, and nothing else. */
const suspended = () => {
  let waiting: Array<() => void> = []
  const wake = () => {
    const all = waiting
    waiting = []
    for (const resume of all) resume()
  }
  return Effect.callback<void>((resume) => {
    waiting.push(() => resume(Effect.void))
    if (waiting.length === 1) setImmediate(wake)
  })
}

const memory: Effect.Effect<Store> = Effect.map(MemoryDriver.make(), (driver) => ({
  name: "memory",
  layer: Storage.layer(Effect.succeed(driver)),
  peer: { name: "suspend and resume a fiber", operation: suspended(), concurrency: [1, 64, 1_000] }
}))

const file: Effect.Effect<Store, never, Scope.Scope> = Effect.gen(function*() {
  const directory = yield* temporaryDirectory
  const handle = yield* Effect.acquireRelease(
    Effect.promise(() => Fs.open(Path.join(directory, "peer"), "a")),
    (handle) => Effect.promise(() => handle.close())
  )
  // As long as a line of the driver's journal for the same update.
  const line = Buffer.from(`${"x".repeat(150)}\n`)
  return {
    name: "file",
    layer: FileDriver.layer({ directory: Path.join(directory, "data") }).pipe(Layer.provide(NodeServices.layer)),
    peer: {
      name: "append + fsync",
      operation: Effect.promise(async () => {
        await handle.write(line)
        await handle.sync()
      }),
      concurrency: [1]
    }
  }
})

const redis: Effect.Effect<Store, Error, Scope.Scope> = Effect.gen(function*() {
  const { url } = yield* redisServer()
  const client = yield* Effect.acquireRelease(
    Effect.sync(() => new Redis(url, { enableAutoPipelining: true })),
    (client) => Effect.sync(() => client.disconnect())
  )
  return {
    name: "redis",
    layer: RedisDriver.layer({ url: Redacted.make(url) }),
    peer: {
      name: "INCR, auto-pipelined",
      operation: Effect.promise(() => client.incr("peer")),
      concurrency: [1, 64, 1_000]
    }
  }
})

const mysql: Effect.Effect<Store, Error, Scope.Scope> = Effect.gen(function*() {
  const { url } = yield* mysqlServer({ durable: true })
  const pool = yield* Effect.acquireRelease(
    Effect.sync(() => Mysql.createPool({ uri: url, connectionLimit: 16 })),
    (pool) => Effect.promise(() => pool.end())
  )
  yield* Effect.promise(() => pool.query("CREATE TABLE peer (id INT PRIMARY KEY, n BIGINT NOT NULL)"))
  yield* Effect.promise(() => pool.query("INSERT INTO peer VALUES (0, 0)"))
  return {
    name: "mysql",
    layer: MysqlDriver.layer({ url: Redacted.make(url) }),
    peer: {
      name: "UPDATE peer SET n = n + 1",
      operation: Effect.promise(() => pool.query("UPDATE peer SET n = n + 1 WHERE id = 0")),
      concurrency: [1, 64, 1_000]
    }
  }
})

export const stores: { readonly [name: string]: Effect.Effect<Store, unknown, Scope.Scope> } = {
  memory,
  file,
  redis,
  mysql
}

/** The stores named on the command line, or all of them. */
export const chosen = (): ReadonlyArray<string> => {
  const names = process.argv.slice(2).filter((argument) => argument in stores)
  return names.length === 0 ? Object.keys(stores) : names
}

/** Operations a second, of `concurrency` loops that run for `millis` after a short warm-up. */
export const rate = <E, R>(
  operation: (i: number) => Effect.Effect<unknown, E, R>,
  concurrency: number,
  millis = 2_000
): Effect.Effect<number, E, R> =>
  Effect.gen(function*() {
    let next = 0
    const loops = (until: number) =>
      Effect.forEach(
        Array.from({ length: concurrency }),
        () =>
          Effect.gen(function*() {
            while (performance.now() < until) yield* operation(next++)
          }),
        { concurrency: "unbounded", discard: true }
      )
    yield* loops(performance.now() + millis / 10)
    const started = performance.now()
    const before = next
    yield* loops(started + millis)
    return Math.round((next - before) / (performance.now() - started) * 1_000)
  })

export const show = (cells: ReadonlyArray<string | number>): void =>
  console.log(`| ${cells.map((cell) => typeof cell === "number" ? cell.toLocaleString("en") : cell).join(" | ")} |`)
