/** Runs the programs of `examples/` as processes of their own. */
import { Effect, type Scope } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mysqlServer } from "../servers/mysql.ts"
import { redisServer } from "../servers/redis.ts"
import { temporaryDirectory } from "../servers/server.ts"

export type Environment = { readonly [name: string]: string }

/** A running server. */
export interface Server {
  readonly url: string
  readonly process: ChildProcess
}

const spawnExample = (name: string, env: Environment): ChildProcess =>
  spawn(process.execPath, ["--conditions=effect-scoped-source", `examples/${name}.ts`], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"]
  })

/** Starts a server, and waits until it has printed its address. */
export const serve = Effect.fnUntraced(
  function*(name: string, env: Environment): Effect.fn.Return<Server, never, Scope.Scope> {
    const child = yield* Effect.acquireRelease(
      Effect.sync(() => spawnExample(name, env)),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    const url = yield* Effect.callback<string>((resume) => {
      let output = ""
      const listen = (chunk: Buffer) => {
        output += chunk
        const found = /http:\/\/\S+\n/.exec(output)
        if (found !== null) resume(Effect.succeed(found[0].trim()))
      }
      child.stdout!.on("data", listen)
      child.stderr!.on("data", listen)
      child.on("exit", (code) => resume(Effect.die(new Error(`exited with ${code}: ${output}`))))
    })
    return { url, process: child }
  }
)

export const stop = (server: Server, signal: NodeJS.Signals): Effect.Effect<unknown> =>
  Effect.promise(() => {
    const exited = once(server.process, "exit")
    server.process.kill(signal)
    return exited
  })

/** Runs a program to its end. */
export const run = Effect.fnUntraced(function*(name: string, env: Environment) {
  const child = spawnExample(name, env)
  let output = ""
  child.stdout!.on("data", (chunk) => output += chunk)
  child.stderr!.on("data", (chunk) => output += chunk)
  const [code] = yield* Effect.promise(() => once(child, "exit"))
  return { code: code as number, output }
})

export const request = (url: string, init?: RequestInit) =>
  Effect.tryPromise(async () => {
    const response = await fetch(url, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

/** The storages that the examples are run on: each yields the environment that chooses a fresh one. */
export const storages: { readonly [name: string]: Effect.Effect<Environment, Error, Scope.Scope> } = {
  file: Effect.map(temporaryDirectory, (directory) => ({ STORAGE: `file:${directory}` })),
  redis: Effect.map(redisServer(), ({ url }) => ({ STORAGE: url })),
  mysql: Effect.map(mysqlServer(), ({ url }) => ({ STORAGE: url }))
}
