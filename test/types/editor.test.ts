import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { promisify } from "node:util"
import { API } from "typescript/unstable/sync"

const head = `import { Effect, Result } from "effect"
import { Scoped } from "effect-scoped"
declare const shop: Scoped.Scoped<{
  readonly name: string
  readonly open: boolean
  readonly mode: "retail" | "wholesale"
  readonly stock: ReadonlyArray<{ readonly id: string; readonly price: number }>
}>
declare const int: Scoped.Scoped<number>
declare const family: Scoped.Family<string, number>
`

/** A project of files that each hold one program. */
const project = (directory: string, programs: { readonly [name: string]: string }): string => {
  const root = Path.resolve(".cache", directory)
  Fs.rmSync(root, { recursive: true, force: true })
  Fs.mkdirSync(root, { recursive: true })
  Fs.writeFileSync(
    Path.join(root, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.json",
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ["*.ts"]
    })
  )
  for (const [name, code] of Object.entries(programs)) Fs.writeFileSync(Path.join(root, `${name}.ts`), head + code)
  return root
}

// A wrong program, and what the first line of its first error says.
const wrong: { readonly [program: string]: string } = {
  "Scoped.update(int, (n) => [Effect.void, n])": "A handler must be pure: result is an Effect",
  "Scoped.update(int, (n) => [{ now: Effect.void }, n])": "A handler must be pure: result.now is an Effect",
  "Scoped.update(int, (n) => [Promise.resolve(n), n])": "A handler must be pure: result is a Promise",
  "Scoped.update(int, (n) => [{ later: [() => n] }, n])": "A handler must be pure: result.later[] is a function",
  "Scoped.update(int, (n) => [new Map([['a', () => n]]), n])": "A handler must be pure: result[] is a function",
  "Scoped.update(int, (n) => [JSON.parse('1'), n])": "A handler must be pure: result is any",
  "Scoped.update(int, (n) => [n, JSON.parse('1')])": "A handler must be pure: next is any",
  "Scoped.update(int, (n) => { return [{ run: () => n }, n] })": "A handler must be pure: result.run is a function",
  "Scoped.update(shop, (s) => { return [{ run: () => 1 }, s] })": "A handler must be pure: result.run is a function",
  "Scoped.update(shop, (s) => { if (s.open) return [1, s]; return [Effect.void, s] })":
    "A handler must be pure: result is an Effect",
  "Scoped.update(int, async (n) => [n, n])": "A handler must be pure: it may not be async or return a Promise",
  "Scoped.update(shop, async (s) => { return [1, s] })":
    "A handler must be pure: it may not be async or return a Promise",
  "Scoped.update(int, function*(n) { yield n; return [n, n] })": "A handler must be pure: it may not be a generator",
  "Scoped.update(int, (n) => Effect.succeed([n, n]))": "A handler must be pure: it may not return an Effect",
  "Scoped.update(int, (n) => n + 1)": "A handler must return the pair [result, next state]",
  "Scoped.update(shop, (s) => ({ ...s, open: true }))": "A handler must return the pair [result, next state]",
  "Scoped.update(shop, (s) => { if (s.open) return [1, s]; return undefined })":
    "A handler must return the pair [result, next state]",
  "Scoped.update(int, () => {})": "A handler must return the pair [result, next state]",
  "Scoped.update(shop, (s) => [1, { ...s, oepn: true }])":
    "A handler's next state must have the keys of the state only: next.oepn is not one of them",
  "Scoped.update(shop, (s) => { return [1, { ...s, stock: [{ id: 'a', price: 1, pirce: 2 }] }] })":
    "A handler's next state must have the keys of the state only: next.stock[].pirce is not one of them",
  "Scoped.update(shop, (s) => [1, { ...s, open: 'yes' }])": "Type 'string' is not assignable to type 'boolean'",
  "Scoped.update(shop, (s) => [1, { ...s, mode: 'whole' }])":
    `Type '"whole"' is not assignable to type '"retail" | "wholesale"'`,
  "int.pipe(Scoped.update((n) => [Effect.void, n]))": "A handler must be pure: result is an Effect",
  "int.pipe(Scoped.update(async (n) => [n, n]))": "A handler must be pure: it may not be async or return a Promise",
  "shop.pipe(Scoped.update((s) => s))": "A handler must return the pair [result, next state]",
  "Scoped.update(Scoped.all([int, shop]), (s) => [Effect.void, s])": "A handler must be pure: result is an Effect",
  "Scoped.update(int, (n) => [Effect.void, n], {})": "A handler must be pure: result is an Effect",
  "Scoped.update(family('a'), (n) => [Effect.void, n])": "A handler must be pure: result is an Effect",
  "Scoped.updateResult(int, async (n) => Result.succeed([n, n]))":
    "A handler must be pure: it may not be async or return a Promise",
  "Scoped.updateResult(int, (n) => [n, n])":
    "A handler of updateResult must return Result.succeed([result, next state]) or Result.fail(error)",
  "Scoped.updateResult(shop, (s) => { return [1, s] })":
    "A handler of updateResult must return Result.succeed([result, next state]) or Result.fail(error)",
  "Scoped.updateResult(int, (n) => Result.succeed(n))":
    "A handler must return the pair [result, next state] inside Result.succeed",
  "Scoped.updateResult(int, (n) => Result.succeed([Effect.void, n]))": "A handler must be pure: result is an Effect",
  "Scoped.updateResult(int, () => Result.fail({ retry: () => 1 }))":
    "A handler must be pure: failure.retry is a function",
  "Scoped.updateResult(shop, (s) => Result.succeed([1, { ...s, open: 'yes' }]))":
    "A handler's next state must fit the state: see next.open",
  "int.pipe(Scoped.updateResult(() => Result.fail(Effect.void)))": "A handler must be pure: failure is an Effect",
  "const named: Scoped.Handler<number, () => void> = (n) => [() => {}, n]":
    "A handler must be pure: result is a function"
}

describe("what an editor shows", () => {
  it.live("the first line of an error names what is wrong with a handler", () =>
    Effect.gen(function*() {
      const root = project(
        "wrong",
        Object.fromEntries(Object.keys(wrong).map((program, i) => [`program${i}`, `${program}\n`]))
      )
      const { stdout } = yield* Effect.promise(() =>
        promisify(execFile)("node_modules/.bin/tsc", ["-p", root, "--pretty", "false"]).catch((error) => error)
      )
      const lines = (stdout as string).split("\n")
      Object.entries(wrong).forEach(([program, sentence], i) => {
        const first = lines.find((line) => line.includes(`/program${i}.ts(`))
        assert.isDefined(first, `${program} compiles`)
        assert.include(first, sentence, program)
        assert.notInclude(first, "No overload matches")
      })
    }), 120_000)

  const keys = ["mode", "name", "open", "stock"]
  const completions: { readonly [program: string]: ReadonlyArray<string> } = {
    "Scoped.update(shop, (s) => [1, { | }])": keys,
    "Scoped.update(shop, (s) => [1, { ...s, | }])": keys,
    "Scoped.update(shop, (s) => { return [s.name, { | }] })": keys,
    "Scoped.update(shop, (s) => s.open ? [1, s] : [2, { | }])": keys,
    "Scoped.update(shop, (s) => [1, { ...s, stock: [{ | }] }])": ["id", "price"],
    "Scoped.update(Scoped.all({ int, shop }), (s) => [1, { ...s, shop: { | } }])": keys,
    "shop.pipe(Scoped.update((s) => [1, { | }]))": keys
  }
  it("the keys of the state are completed inside the pair", () => {
    const names = Object.keys(completions).map((_, i) => `program${i}`)
    const codes = Object.keys(completions)
    const root = project("completions", Object.fromEntries(names.map((name, i) => [name, codes[i]!.replace("|", "")])))
    const api = new API({ cwd: process.cwd() })
    try {
      const config = Path.join(root, "tsconfig.json")
      const { checker } = api.updateSnapshot({ openProjects: [config] }).getProject(config)!
      Object.entries(completions).forEach(([code, expected], i) => {
        const offered = checker.getCompletionsAtPosition(
          Path.join(root, `${names[i]}.ts`),
          head.length + code.indexOf("|")
        )?.entries.map(({ name }) => name)
        assert.deepStrictEqual(offered?.toSorted(), expected, code)
      })
    } finally {
      api.close()
    }
  }, 120_000)
})
