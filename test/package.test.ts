import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { promisify } from "node:util"
import manifest from "../package.json" with { type: "json" }
import * as Blocks from "./support/blocks.ts"

const run = (command: string, args: ReadonlyArray<string>, cwd: string = process.cwd()) =>
  Effect.tryPromise({
    try: () => promisify(execFile)(command, args, { cwd }),
    catch: (error) => new Error((error as { stdout: string }).stdout + (error as { stderr: string }).stderr)
  })

const bin = (name: string) => Path.resolve("node_modules/.bin", name)

// What npm puts in the registry, as users get it.
describe("the package", () => {
  it.live("is well-formed, and runs the README's first program in an empty project", () =>
    Effect.gen(function*() {
      const project = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-scoped-package-"))),
        (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true, force: true }))
      )
      yield* run("npm", ["run", "build"])
      yield* run("npm", ["pack", "--pack-destination", project])
      const tarball = Path.join(project, `${manifest.name}-${manifest.version}.tgz`)
      yield* run(bin("publint"), ["--strict", tarball])
      yield* run(bin("attw"), ["--profile", "esm-only", tarball])

      const { effect, "@effect/platform-node": platform, typescript, "@types/node": types } = manifest.devDependencies
      Fs.writeFileSync(Path.join(project, "package.json"), `{ "type": "module", "private": true }`)
      yield* run("npm", [
        "install",
        "--no-audit",
        "--no-fund",
        tarball,
        `effect@${effect}`,
        `@effect/platform-node@${platform}`,
        `typescript@${typescript}`,
        `@types/node@${types}`
      ], project)
      assert.isFalse(Fs.existsSync(Path.join(project, "node_modules/mysql2")), "optional peers stay optional")

      const first = Blocks.blocks().find(({ place }) => place.startsWith("README.md"))!
      Fs.writeFileSync(Path.join(project, "first.ts"), first.code)
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
        project
      )
      const { stdout } = yield* run(process.execPath, ["first.ts"], project)
      const [promised] = Blocks.promises(first)
      assert.strictEqual(stdout.trim(), promised)

      // What is internal stays closed.
      const peek = yield* Effect.flip(
        run(process.execPath, ["--input-type=module", "-e", `await import("effect-scoped/internal/engine")`], project)
      )
      assert.include(peek.message, "ERR_PACKAGE_PATH_NOT_EXPORTED")
    }), 180_000)
})
