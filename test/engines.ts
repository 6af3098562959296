/**
 * Runs the tests of the Redis and MySQL drivers against other engines than the machine's own. Each is downloaded from a
 * Debian suite and unpacked under `.cache/engines`; nothing is installed. Needs a Debian machine.
 *
 * ```sh
 * npm run test:engines                  # all of them
 * npm run test:engines -- mysql valkey  # those whose names begin so
 * ```
 */
import { execFileSync, spawnSync } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

interface Engine {
  readonly name: string
  readonly suite: string
  readonly packages: ReadonlyArray<string>
  readonly kind: "redis" | "mysql"
  readonly binary: string
}

const engines: ReadonlyArray<Engine> = [
  { name: "mysql-9", suite: "sid", packages: ["mysql-server-core"], kind: "mysql", binary: "usr/sbin/mysqld" },
  {
    name: "mariadb-11",
    suite: "sid",
    packages: ["mariadb-server-core", "mariadb-server"],
    kind: "mysql",
    binary: "usr/sbin/mariadbd"
  },
  { name: "redis-6", suite: "bullseye", packages: ["redis-server"], kind: "redis", binary: "usr/bin/redis-server" },
  { name: "redis-8", suite: "sid", packages: ["redis-server"], kind: "redis", binary: "usr/bin/redis-server" },
  { name: "valkey-9", suite: "sid", packages: ["valkey-server"], kind: "redis", binary: "usr/bin/valkey-server" },
  { name: "valkey-8", suite: "trixie", packages: ["valkey-server"], kind: "redis", binary: "usr/bin/valkey-server" }
]

// What an unpacked server does not need of what its package depends on.
const useless = /^(perl|libperl|debconf|dpkg|systemd|tar|passwd|libpam)/

/** Unpacks an engine and all it depends on, by an apt of its own that knows of no installed package. */
const unpack = ({ name, packages, suite }: Engine): string => {
  const target = Path.resolve(".cache/engines", name)
  if (Fs.existsSync(target)) return target
  const work = Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-scoped-apt-"))
  for (const directory of ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "etc/apt/trusted.gpg.d", "var/lib/dpkg"]) {
    Fs.mkdirSync(Path.join(work, directory), { recursive: true })
  }
  Fs.mkdirSync(Path.join(work, "var/lib/apt/lists/partial"), { recursive: true })
  Fs.mkdirSync(Path.join(work, "var/cache/apt/archives/partial"), { recursive: true })
  Fs.writeFileSync(Path.join(work, "var/lib/dpkg/status"), "")
  const sources = Fs.readFileSync("/etc/apt/sources.list.d/debian.sources", "utf8")
  const uri = /^URIs: *(\S+)/m.exec(sources)![1]
  Fs.writeFileSync(
    Path.join(work, "etc/apt/sources.list"),
    `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri} ${suite} main\n`
  )
  const config = Path.join(work, "apt.conf")
  Fs.writeFileSync(
    config,
    `Dir "${work}/"; Dir::State::status "${work}/var/lib/dpkg/status"; APT::Install-Recommends "false"; ` +
      `APT::Sandbox::User "${Os.userInfo().username}";`
  )
  const apt = (...args: ReadonlyArray<string>) =>
    execFileSync("apt-get", ["-qq", "-c", config, ...args], { stdio: ["ignore", "ignore", "inherit"] })
  apt("update")
  apt("-y", "--download-only", "install", ...packages)
  const partial = `${target}.partial`
  Fs.rmSync(partial, { recursive: true, force: true })
  Fs.mkdirSync(partial, { recursive: true })
  const archives = Path.join(work, "var/cache/apt/archives")
  for (const file of Fs.readdirSync(archives)) {
    if (file.endsWith(".deb") && !useless.test(file)) {
      execFileSync("dpkg-deb", ["-x", Path.join(archives, file), partial])
    }
  }
  Fs.renameSync(partial, target)
  Fs.rmSync(work, { recursive: true, force: true })
  return target
}

/** The variables that make the tests run an unpacked engine, through its own loader. */
const environment = ({ binary, kind }: Engine, root: string): Record<string, string> => {
  if (kind === "mysql") return { MYSQL_SERVER: root }
  const libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"].map((path) => Path.join(root, path))
  const loader = libraries.map((path) => Path.join(path, "ld-linux-x86-64.so.2")).find((path) => Fs.existsSync(path))!
  return { REDIS_SERVER: [loader, "--library-path", libraries.join(":"), Path.join(root, binary)].join(" ") }
}

const wanted = process.argv.slice(2)
const chosen = engines.filter(({ name }) => wanted.length === 0 || wanted.some((prefix) => name.startsWith(prefix)))
const failed: Array<string> = []
for (const engine of chosen) {
  const root = unpack(engine)
  console.log(`\n${engine.name}, from ${root}`)
  const files = engine.kind === "mysql" ? "test/MysqlDriver" : "test/RedisDriver"
  const { MYSQL_URL: _mysql, REDIS_URL: _redis, ...inherited } = process.env
  const env = { ...inherited, ...environment(engine, root) }
  const { status } = spawnSync("vitest", ["run", files], { stdio: "inherit", env })
  if (status !== 0) failed.push(engine.name)
}
console.log(failed.length === 0 ? `All of ${chosen.length} engines passed.` : `Failed: ${failed.join(", ")}`)
process.exitCode = failed.length === 0 ? 0 : 1
