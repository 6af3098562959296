/**
 * Private servers for tests: real ones, on free ports and in temporary directories, gone when the test is.
 */
import { Deferred, Effect, Schedule, type Scope } from "effect"
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs/promises"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/** A running server process. */
export interface Server {
  readonly pid: number
  /** Sends a signal, such as `SIGKILL`, `SIGSTOP` or `SIGCONT`. */
  readonly signal: (signal: NodeJS.Signals) => Effect.Effect<void>
  /** Ends it, and waits until it has ended. */
  readonly stop: (signal?: NodeJS.Signals) => Effect.Effect<void>
  readonly exited: Effect.Effect<void>
  /** What it printed so far. */
  readonly output: () => string
}

export interface Launch {
  readonly command: string
  readonly args: ReadonlyArray<string>
  /** Succeeds once the server answers; tried again until then. */
  readonly ready: Effect.Effect<unknown, unknown>
}

/** Starts a server and waits until it is ready; kills it when the scope closes, or when this process dies. */
export const launch = Effect.fnUntraced(
  function*({ args, command, ready }: Launch): Effect.fn.Return<Server, Error, Scope.Scope> {
    let output = ""
    const exited = yield* Deferred.make<void>()
    const supervisor: ChildProcess = yield* Effect.acquireRelease(
      Effect.sync(() =>
        spawn(process.execPath, [fileURLToPath(new URL("supervise.mjs", import.meta.url)), command, ...args], {
          stdio: ["pipe", "pipe", "inherit"]
        })
      ),
      (child) =>
        Effect.suspend(() => {
          child.stdin!.end()
          return Deferred.await(exited)
        })
    )
    const pid = yield* Deferred.make<number>()
    supervisor.stdout!.on("data", (chunk: Buffer) => {
      output += chunk
      const line = /^(\d+)\n/.exec(output)
      if (line !== null) Deferred.doneUnsafe(pid, Effect.succeed(Number(line[1])))
    })
    supervisor.on("exit", () => Deferred.doneUnsafe(exited, Effect.void))

    const signal = (name: NodeJS.Signals) =>
      Effect.map(Deferred.await(pid), (pid) => {
        try {
          process.kill(pid, name)
        } catch {
          // It is gone already.
        }
      })
    yield* Effect.retry(ready, Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "30 seconds" }))).pipe(
      Effect.raceFirst(Effect.andThen(Deferred.await(exited), Effect.fail("it ended"))),
      Effect.mapError((cause) => new Error(`${command} did not start: ${String(cause)}\n${output}`))
    )
    return {
      pid: yield* Deferred.await(pid),
      signal,
      stop: (name = "SIGTERM") => Effect.andThen(signal(name), Deferred.await(exited)),
      exited: Deferred.await(exited),
      output: () => output
    }
  }
)

// Outside of the range that systems take ports for outgoing connections from: such a connection could hold the port by
// the time that the server wants it. Each process starts somewhere else, so that two do not hand out the same.
const ports = { first: 10_000, count: 20_000 }
let next = Math.floor(Math.random() * ports.count)

const isFree = async (port: number): Promise<boolean> => {
  const server = Net.createServer()
  try {
    server.listen(port, "127.0.0.1")
    await once(server, "listening")
    server.close()
    await once(server, "close")
    return true
  } catch {
    return false
  }
}

/** A port that nobody listens on, nor on the one 10,000 above, which a cluster uses as its bus. */
export const freePort: Effect.Effect<number> = Effect.promise(async () => {
  for (;;) {
    const port = ports.first + next++ % ports.count
    if (await isFree(port) && await isFree(port + 10_000)) return port
  }
})

export const temporaryDirectory: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "effect-scoped-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true, force: true, maxRetries: 5 }))
)

const places = [...(process.env["PATH"] ?? "").split(Path.delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"]

const find = async (names: ReadonlyArray<string>): Promise<string | undefined> => {
  for (const name of names) {
    for (const place of places) {
      const path = Path.join(place, name)
      if (await Fs.access(path, Fs.constants.X_OK).then(() => true, () => false)) return path
    }
  }
  return undefined
}

/**
 * The path of the first of `names` that is installed. Where none is, installs the Debian package when it may, and says
 * so; otherwise fails with what to install.
 */
export const binary = (names: ReadonlyArray<string>, debianPackage: string): Effect.Effect<string, Error> =>
  Effect.tryPromise({
    try: async () => {
      const found = await find(names)
      if (found !== undefined) return found
      const advice = `The tests need ${
        names.join(" or ")
      }. Install it, for example with: apt-get install ${debianPackage}`
      const apt = process.getuid?.() === 0 ? await find(["apt-get"]) : undefined
      if (apt === undefined) throw new Error(advice)
      process.stderr.write(`Installing ${debianPackage} for the tests, with apt-get\n`)
      const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" }
      await promisify(execFile)(apt, ["update"], { env })
      await promisify(execFile)(apt, ["install", "-y", "--no-install-recommends", debianPackage], { env })
      const installed = await find(names)
      if (installed === undefined) throw new Error(advice)
      return installed
    },
    catch: (error) => error instanceof Error ? error : new Error(String(error))
  })
