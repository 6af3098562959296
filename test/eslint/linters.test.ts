import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { promisify } from "node:util"

const run = (command: string, args: ReadonlyArray<string>, cwd: string) =>
  Effect.promise(() =>
    promisify(execFile)(process.execPath, [
      "--conditions=effect-scoped-source",
      Path.resolve("node_modules", command),
      ...args
    ], { cwd })
      .catch((error) => error)
  ).pipe(Effect.map(({ stderr, stdout }) => `${stdout}${stderr}`))

const files = (directory: string, contents: { readonly [name: string]: string }): string => {
  const root = Path.resolve(".cache", directory)
  Fs.rmSync(root, { recursive: true, force: true })
  Fs.mkdirSync(root, { recursive: true })
  for (const [name, text] of Object.entries(contents)) Fs.writeFileSync(Path.join(root, name), text)
  return root
}

const head = `import { Scoped } from "effect-scoped"\n`

describe("the rule works in", () => {
  it.live("ESLint, by its recommended configuration", () =>
    Effect.gen(function*() {
      const root = files("eslint", {
        "eslint.config.js": `import scoped from "effect-scoped/eslint"\nexport default [scoped.configs.recommended]\n`,
        "bad.js": `${head}Scoped.update(scope, (n) => [Date.now(), n])\n`,
        "good.js": `${head}Scoped.update(scope, (n, { now }) => [now, n])\nDate.now()\n`
      })
      const bad = yield* run("eslint/bin/eslint.js", ["bad.js"], root)
      assert.include(bad, "Date.now reads the clock")
      assert.include(bad, "effect-scoped/pure-handlers")
      assert.strictEqual(yield* run("eslint/bin/eslint.js", ["good.js"], root), "")
    }), 60_000)

  it.live("oxlint, also in TypeScript", () =>
    Effect.gen(function*() {
      const root = files("oxlint", {
        ".oxlintrc.json": JSON.stringify({
          jsPlugins: [Path.resolve("src/eslint/index.ts")],
          rules: { "effect-scoped/pure-handlers": "error" }
        }),
        "bad.ts": `${head}declare const scope: Scoped.Scoped<{ readonly list: Array<number> }>
let total = 0
Scoped.update(scope, (s) => [(s.list as Array<number>).push(1), s])
Scoped.update(scope, (s) => { s.list![0]! = 1; return [total++ as number, s] })
const typed: Scoped.Handler<number, number> = (n) => [Math.random(), n]
const result: Scoped.ResultHandler<number, number, string> = (n) => [Date.now(), n]
Scoped.update(scope, ((s) => [process.pid, s]) satisfies unknown)
`,
        "good.ts": `${head}declare const scope: Scoped.Scoped<{ readonly list: Array<number> }>
const typed: Scoped.Handler<number, Date> = (n: number): readonly [Date, number] => [new Date(0) as Date, n]
Scoped.update(scope, (s) => [s.list.length, { list: [...s.list, 1] as Array<number> }])
const other: Other.Handler<number> = () => Math.random()
`
      })
      const bad = yield* run("oxlint/bin/oxlint", ["bad.ts"], root)
      for (const what of ["Math.random is random", "Date.now reads the clock", "process reaches the world outside"]) {
        assert.include(bad, what)
      }
      assert.strictEqual(bad.match(/it changes s, which it was given/g)?.length, 2)
      assert.include(bad, "it changes total, which was there before it")
      assert.include(bad, "and 6 errors")
      assert.include(yield* run("oxlint/bin/oxlint", ["good.ts"], root), "0 errors")
    }), 60_000)
})
