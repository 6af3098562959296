import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import manifest from "../package.json" with { type: "json" }
import { redisServer } from "./servers/redis.ts"
import * as Blocks from "./support/blocks.ts"

const run = (command: string, args: ReadonlyArray<string>, cwd: string = process.cwd()) =>
  Effect.tryPromise({
    try: () => promisify(execFile)(command, args, { cwd }),
    catch: (error) => new Error((error as { stdout: string }).stdout + (error as { stderr: string }).stderr)
  })

const bin = (name: string) => Path.resolve("node_modules/.bin", name)

/** An empty project in which the package is installed as npm would get it from the registry. */
class Project extends Context.Service<Project, { readonly path: string; readonly tarball: string }>()("test/Project") {
  static readonly layer = Layer.effect(
    Project,
    Effect.gen(function*() {
      const path = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-scoped-package-"))),
        (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
      )
      yield* run("npm", ["run", "build"])
      yield* run("npm", ["pack", "--pack-destination", path])
      const tarball = Path.join(path, `${manifest.name}-${manifest.version}.tgz`)
      const { effect, "@effect/platform-node": platform, typescript, "@types/node": types } = manifest.devDependencies
      Fs.writeFileSync(Path.join(path, "package.json"), `{ "type": "module", "private": true }`)
      yield* install(path, [
        tarball,
        `effect@${effect}`,
        `@effect/platform-node@${platform}`,
        `typescript@${typescript}`,
        `@types/node@${types}`
      ])
      return { path, tarball }
    })
  )
}

const install = (path: string, packages: ReadonlyArray<string>) =>
  run("npm", ["install", "--no-audit", "--no-fund", ...packages], path)

// What npm puts in the registry, as users get it.
it.layer(Project.layer, { excludeTestServices: true, timeout: "3 minutes" })("the package", (it) => {
  it.effect("is well-formed", () =>
    Effect.gen(function*() {
      const { tarball } = yield* Project
      yield* run(bin("publint"), ["--strict", tarball])
      yield* run(bin("attw"), ["--profile", "esm-only", tarball])
    }), 60_000)

  it.effect(
    "runs the README's first program in an empty project, and needs no optional peer",
    () =>
      Effect.gen(function*() {
        const { path } = yield* Project
        assert.isFalse(Fs.existsSync(Path.join(path, "node_modules/mysql2")))
        const first = Blocks.blocks().find(({ place }) => place.startsWith("README.md"))!
        Fs.writeFileSync(Path.join(path, "first.ts"), first.code)
        yield* run(
          bin("tsc"),
          [
            "--noEmit",
            "--strict",
            "--exactOptionalPropertyTypes",
            "--module",
            "nodenext",
            "--target",
            "es2022",
            "--types",
            "node",
            "--skipLibCheck",
            "first.ts"
          ],
          path
        )
        const { stdout } = yield* run(process.execPath, ["first.ts"], path)
        const [promised] = Blocks.promises(first)
        assert.strictEqual(stdout.trim(), promised)
      }),
    60_000
  )

  it.effect("keeps closed what is internal", () =>
    Effect.gen(function*() {
      const { path } = yield* Project
      for (const module of ["internal/engine/engine", "internal/name"]) {
        const peek = yield* Effect.flip(
          run(process.execPath, ["--input-type=module", "-e", `await import("effect-scoped/${module}")`], path)
        )
        assert.include(peek.message, "ERR_PACKAGE_PATH_NOT_EXPORTED")
      }
    }), 60_000)

  it.effect("works on Bun and Deno: in memory, on files and on Redis", () =>
    Effect.gen(function*() {
      const { path } = yield* Project
      const { url } = yield* redisServer()
      yield* install(path, [`ioredis@${manifest.devDependencies.ioredis}`, `bun@${bun}`, `deno@${deno}`])
      Fs.copyFileSync("test/support/runtimes.mjs", Path.join(path, "runtimes.mjs"))
      const program = (runtime: string) => ["runtimes.mjs", Path.join(path, `data-${runtime}`), url, runtime]
      for (
        const [runtime, command, args] of [
          ["node", process.execPath, []],
          ["bun", Path.join(path, "node_modules/.bin/bun"), ["run"]],
          ["deno", Path.join(path, "node_modules/.bin/deno"), ["run", "--allow-all", "--no-lock"]]
        ] as const
      ) {
        for (const runs of [1, 2]) {
          const { stdout } = yield* run(command, [...args, ...program(runtime)], path)
          assert.strictEqual(stdout.trim(), `memory 100, file ${runs * 100}, redis ${runs * 100}`, runtime)
        }
      }
    }), 180_000)
})

const bun = "1.4.5"
const deno = "2.9.6"
