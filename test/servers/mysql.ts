/**
 * Private MariaDB and MySQL servers.
 *
 * `MYSQL_SERVER` chooses the server: the path of a `mariadbd` or `mysqld`, or a directory into which the packages of
 * one were unpacked, whose own loader and libraries are used then. Without it the one on this machine is taken.
 */
import { Effect, Scope } from "effect"
import * as Mysql from "mysql2"
import { execFile } from "node:child_process"
import * as Fs from "node:fs/promises"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { binary, freePort, launch, type Server, temporaryDirectory } from "./server.ts"

export interface MysqlServer {
  readonly port: number
  readonly url: string
  readonly version: string
  readonly mariadb: boolean
  /** The process that runs now. */
  readonly process: () => Server
  /** Starts it again on the same data, after it was stopped. */
  readonly start: (args?: ReadonlyArray<string>) => Effect.Effect<void, Error>
}

export interface Options {
  readonly args?: ReadonlyArray<string> | undefined
  /** Whether a commit must survive a crash. Faster where it need not. Default: false. */
  readonly durable?: boolean | undefined
  /** Whether to start it at once. Default: true. */
  readonly started?: boolean | undefined
}

interface Engine {
  readonly version: string
  readonly mariadb: boolean
  readonly command: string
  readonly args: ReadonlyArray<string>
}

const run = promisify(execFile)
const user = process.getuid?.() === 0 ? ["--user=root"] : []

const engine: Effect.Effect<Engine, Error> = Effect.gen(function*() {
  const chosen = process.env["MYSQL_SERVER"] ?? (yield* binary(["mariadbd", "mysqld"], "mariadb-server"))
  const { args, command } = yield* attempt(() => invocation(chosen))
  const { stdout } = yield* attempt(() => run(command, [...args, "--no-defaults", "--version"]))
  const version = /Ver (\S+)/.exec(stdout)?.[1]
  if (version === undefined) return yield* Effect.fail(new Error(`${chosen} is neither MariaDB nor MySQL: ${stdout}`))
  return { command, args, version, mariadb: version.includes("MariaDB") }
})

const invocation = async (chosen: string) => {
  if (!(await Fs.stat(chosen)).isDirectory()) return { command: chosen, args: [] }
  const libraries = [Path.join(chosen, "usr/lib/x86_64-linux-gnu"), Path.join(chosen, "lib/x86_64-linux-gnu")]
  return {
    command: await firstOf(libraries.map((path) => Path.join(path, "ld-linux-x86-64.so.2"))),
    args: [
      "--library-path",
      libraries.join(":"),
      await firstOf(["mariadbd", "mysqld"].map((name) => Path.join(chosen, "usr/sbin", name))),
      `--basedir=${chosen}/usr`
    ]
  }
}

const firstOf = async (paths: ReadonlyArray<string>): Promise<string> => {
  for (const path of paths) if (await exists(path)) return path
  throw new Error(`there is none of ${paths.join(", ")}`)
}

const exists = (path: string) => Fs.access(path).then(() => true, () => false)

const attempt = <A>(f: () => Promise<A>): Effect.Effect<A, Error> =>
  Effect.tryPromise({ try: f, catch: (error) => error instanceof Error ? error : new Error(String(error)) })

/** What every invocation of a server needs, before all other arguments. */
const base = ({ args, mariadb }: Engine): ReadonlyArray<string> => {
  const [loader = [], basedir = []] = args.length === 0 ? [] : [args.slice(0, -1), args.slice(-1)]
  const root = basedir[0]?.replace("--basedir=", "")
  const share = mariadb ? "mariadb" : "mysql"
  return [
    ...loader,
    "--no-defaults",
    ...user,
    ...basedir,
    ...(root === undefined ? [] : [
      `--lc-messages-dir=${root}/share/${share}`,
      `--character-sets-dir=${root}/share/${share}/charsets`,
      `--plugin-dir=${root}/lib/mysql/plugin`
    ]),
    ...(mariadb ? ["--innodb-log-file-size=8M"] : ["--secure-file-priv=NULL", "--innodb-redo-log-capacity=8M"])
  ]
}

/** A directory with an empty database, made once for each version and copied from then on. */
const template = Effect.fnUntraced(function*(engine: Engine): Effect.fn.Return<string, Error, Scope.Scope> {
  const cache = fileURLToPath(new URL("../../.cache/mysql/", import.meta.url))
  const path = Path.join(cache, engine.version.replaceAll(/[^\w.]/g, "-"))
  if (yield* attempt(() => exists(path))) return path
  const work = yield* temporaryDirectory
  const data = Path.join(work, "data")
  // Several of them may be at it, and a server that starts removes what it takes for its own leftovers.
  const env = { ...process.env, TMPDIR: work }
  if (!engine.mariadb) {
    yield* attempt(() => run(engine.command, [...base(engine), `--datadir=${data}`, "--initialize-insecure"], { env }))
  } else if (engine.args.length === 0) {
    const script = yield* binary(["mariadb-install-db"], "mariadb-server")
    yield* attempt(() =>
      run(script, [
        "--no-defaults",
        ...user,
        `--datadir=${data}`,
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        "--innodb-log-file-size=8M"
      ], { env })
    )
  } else {
    yield* attempt(() => bootstrap(engine, data, env))
  }
  // Another process may be making it too: whoever is first wins.
  yield* attempt(async () => {
    const copy = `${path}.${process.pid}`
    await Fs.mkdir(cache, { recursive: true })
    await Fs.cp(data, copy, { recursive: true })
    await Fs.rename(copy, path).catch(() => Fs.rm(copy, { recursive: true, force: true }))
  })
  return path
})

/** What `mariadb-install-db` does, for a server that was unpacked and not installed. */
const bootstrap = async (engine: Engine, data: string, env: NodeJS.ProcessEnv) => {
  const share = `${engine.args.at(-1)!.replace("--basedir=", "")}/share/mariadb`
  await Fs.mkdir(Path.join(data, "mysql"), { recursive: true })
  const scripts = ["mariadb_system_tables.sql", "mariadb_performance_tables.sql", "mariadb_system_tables_data.sql"]
  const sql = await Promise.all(scripts.map((name) => Fs.readFile(Path.join(share, name), "utf8")))
  const args = [...base(engine), `--datadir=${data}`, "--bootstrap", "--skip-grant-tables"]
  const child = run(engine.command, args, { env })
  child.child.stdin!.end(`SET @auth_root_socket=NULL, @skip_auth_anonymous=1;\nUSE mysql;\n${sql.join("\n")}\n`)
  await child
}

/** Starts a server of its own, with an empty database `test` and a user `root` without password. */
export const mysqlServer = Effect.fnUntraced(
  function*(options: Options = {}): Effect.fn.Return<MysqlServer, Error, Scope.Scope> {
    const chosen = yield* engine
    const prepared = yield* template(chosen)
    const directory = yield* temporaryDirectory
    const scope = yield* Effect.scope
    const data = Path.join(directory, "data")
    yield* attempt(() => Fs.cp(prepared, data, { recursive: true }))
    const port = yield* freePort
    const url = `mysql://root@127.0.0.1:${port}/test`
    const lax = ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync"]

    let current: Server | undefined
    const start = (args: ReadonlyArray<string> = []) =>
      launch({
        command: chosen.command,
        args: [
          ...base(chosen),
          `--datadir=${data}`,
          `--socket=${Path.join(directory, "socket")}`,
          `--pid-file=${Path.join(directory, "pid")}`,
          `--tmpdir=${directory}`,
          `--port=${port}`,
          "--bind-address=127.0.0.1",
          "--performance-schema=OFF",
          "--innodb-buffer-pool-size=64M",
          ...(chosen.mariadb ? ["--skip-name-resolve"] : ["--mysqlx=OFF", "--skip-log-bin"]),
          ...(options.durable === true ? [] : lax),
          ...(options.args ?? []),
          ...args
        ],
        ready: query(url.replace(/test$/, "mysql"), "CREATE DATABASE IF NOT EXISTS test")
      }).pipe(
        Scope.provide(scope),
        Effect.map((server) => {
          current = server
        })
      )
    if (options.started !== false) yield* start()
    return { port, url, version: chosen.version, mariadb: chosen.mariadb, process: () => current!, start }
  }
)

/** Runs a statement on a connection of its own. */
export const query = (url: string, sql: string): Effect.Effect<ReadonlyArray<Record<string, unknown>>, Error> =>
  Effect.callback((resume) => {
    const connection = Mysql.createConnection({ uri: url, connectTimeout: 2_000 })
    connection.on("error", () => {})
    connection.query<Array<Mysql.RowDataPacket>>(sql, (error, rows) => {
      connection.destroy()
      resume(error === null ? Effect.succeed(rows) : Effect.fail(error))
    })
    return Effect.sync(() => connection.destroy())
  })
