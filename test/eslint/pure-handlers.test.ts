import plugin from "effect-scoped/eslint"
import { RuleTester } from "eslint"
import { describe, it } from "vitest"

RuleTester.describe = describe
RuleTester.it = it

const tester = new RuleTester({ languageOptions: { ecmaVersion: 2024, sourceType: "module" } })

const program = (code: string) =>
  `import { Effect, HashMap, DateTime, Option, Random } from "effect"
import { Scoped } from "effect-scoped"
import { helper } from "./helper.js"
import * as Fs from "node:fs"
import { randomUUID } from "node:crypto"
import { readFileSync } from "fs"
const outer = []
const registry = new Map()
let total = 0
${code}`

const handler = (body: string) => program(`Scoped.update(scope, (state, moment) => ${body})`)

const pure: ReadonlyArray<string> = [
  "[state, state]",
  "[state.count + 1, { ...state, count: state.count + 1 }]",
  "[moment.now, state]",
  "[new Date(0), state]",
  "[new Date(moment.now.epochMilliseconds), state]",
  "[Date.UTC(2020, 1), state]",
  "[Date.parse('2020'), state]",
  "[Math.max(1, 2), state]",
  "[JSON.stringify(state), state]",
  "[outer.length, state]",
  "[registry.get('a'), state]",
  "[total, state]",
  "[helper(state), state]",
  "[HashMap.set(state.table, 'a', 1), state]",
  "{ const next = [...state.list]; next.push(1); return [1, { ...state, list: next }] }",
  "{ const next = new Map(state.map); next.set('a', 1); next.delete('b'); return [1, next] }",
  "{ let sum = 0; for (const n of state.list) sum += n; return [sum, state] }",
  "{ let i = 0; while (i < 3) i++; return [i, state] }",
  "{ const copy = { ...state }; copy.count = 1; delete copy.old; return [1, copy] }",
  "{ const copy = structuredClone(state); copy.list.push(1); return [1, copy] }",
  "{ state = { ...state, count: 1 }; return [1, state] }",
  "[state.list.filter((n) => n > 1).sort(), state]",
  "[[...state.list].sort().reverse(), state]",
  "[state.list.toSorted(), state]",
  "[state.list.reduce((all, n) => { all.push(n); return all }, []), state]",
  "[state.list.reduce((map, n) => map.set(n, 1), new Map()), state]",
  "[Object.assign({}, state), state]",
  "[Object.assign({ ...state }, { count: 1 }), state]",
  "[state.total.add(1), state]",
  "[Option.some(state.process), state]",
  "[state.console, { ...state, fetch: 1, process: 2 }]",
  "{ const { list: [first, ...rest] } = state; rest.push(first); return [first, { list: rest }] }",
  "{ const console = state.log; return [console, state] }",
  "Result.gen(function*() { return [yield* state.parsed, state] })",
  "{ const set = new Set(); for (const n of state.list) set.add(n); return [[...set], state] }"
]

const impure: ReadonlyArray<readonly [string, RegExp | string]> = [
  // Clocks
  ["[Date.now(), state]", "Date.now reads the clock"],
  ["[new Date(), state]", "new Date() reads the clock"],
  ["[Date(), state]", "Date() reads the clock"],
  ["[Date['now'](), state]", "Date.now reads the clock"],
  ["[state.list.map(Date.now), state]", "Date.now reads the clock"],
  ["[performance.now(), state]", "performance reads a clock"],
  ["[DateTime.nowUnsafe(), state]", "nowUnsafe reads the clock"],
  // Randomness
  ["[Math.random(), state]", "Math.random is random"],
  ["[state.list.sort(() => Math.random() - 0.5), state]", "it changes state"],
  ["[crypto.randomUUID(), state]", "crypto draws randomness"],
  ["[randomUUID(), state]", "randomUUID comes from \"node:crypto\""],
  ["[globalThis.crypto.randomUUID(), state]", "globalThis reaches the world outside"],
  ["[state.list.map(async (n) => n), state]", "it is async"],
  // The world
  ["{ console.log(state); return [1, state] }", "console reaches the world outside"],
  ["[process.env.HOME, state]", "process reaches the world outside"],
  ["[process.hrtime(), state]", "process reaches the world outside"],
  ["[fetch('http://localhost'), state]", "fetch reaches the world outside"],
  ["[Fs.readFileSync('a'), state]", "Fs comes from \"node:fs\""],
  ["[readFileSync('a'), state]", "readFileSync comes from \"fs\""],
  ["[require('fs'), state]", "require reaches the world outside"],
  ["[import('./a.js'), state]", "it imports a module"],
  ["[localStorage.getItem('a'), state]", "localStorage reaches the world outside"],
  ["[new WebSocket('ws://localhost'), state]", "WebSocket reaches the world outside"],
  ["{ state.list.forEach((n) => console.log(n)); return [1, state] }", "console reaches the world outside"],
  // What runs later
  ["{ setTimeout(() => {}, 1); return [1, state] }", "setTimeout starts something that runs later"],
  ["{ queueMicrotask(() => {}); return [1, state] }", "queueMicrotask starts something that runs later"],
  ["{ setInterval(f, 1); return [1, state] }", "setInterval starts something that runs later"],
  // Running effects
  ["[Effect.runSync(Effect.void), state]", "runSync runs an Effect"],
  ["{ Effect.runFork(Random.next); return [1, state] }", "runFork runs an Effect"],
  ["{ Effect.runPromise(Effect.void); return [1, state] }", "runPromise runs an Effect"],
  ["[Effect.runSyncExit(Effect.void), state]", "runSyncExit runs an Effect"],
  ["[runtime.runSync(Effect.void), state]", "runSync runs an Effect"],
  // Mutating what was there before
  ["{ total++; return [1, state] }", "it changes total, which was there before it"],
  ["{ total += state.count; return [1, state] }", "it changes total, which was there before it"],
  ["{ [total] = state.list; return [1, state] }", "it changes total, which was there before it"],
  ["{ ({ total } = state); return [1, state] }", "it changes total, which was there before it"],
  ["{ for (total of state.list); return [1, state] }", "it changes total, which was there before it"],
  ["{ unknown = 1; return [1, state] }", "it changes unknown, which was there before it"],
  ["{ outer.push(state); return [1, state] }", "it changes outer, which was there before it"],
  ["{ outer[0] = state; return [1, state] }", "it changes outer, which was there before it"],
  ["{ outer.length = 0; return [1, state] }", "it changes outer, which was there before it"],
  ["{ registry.set('a', state); return [1, state] }", "it changes registry, which was there before it"],
  ["[registry.delete('a'), state]", "it changes registry, which was there before it"],
  ["{ const alias = registry; alias.clear(); return [1, state] }", "it changes registry, which was there before it"],
  ["{ helper.seen = state; return [1, state] }", "it changes helper, which was there before it"],
  ["{ state.list.forEach((n) => outer.push(n)); return [1, state] }", "it changes outer, which was there before it"],
  ["{ Object.assign(outer, state); return [1, state] }", "it changes outer, which was there before it"],
  // Mutating the parameter
  ["{ state.count++; return [1, state] }", "it changes state, which it was given"],
  ["{ state.count = 1; return [1, state] }", "it changes state, which it was given"],
  ["{ state.a.b[0].c = 1; return [1, state] }", "it changes state, which it was given"],
  ["{ delete state.count; return [1, state] }", "it changes state, which it was given"],
  ["{ state.list.push(1); return [1, state] }", "it changes state, which it was given"],
  ["[state.list.sort(), state]", "it changes state, which it was given"],
  ["[state.list.pop(), state]", "it changes state, which it was given"],
  ["{ state.map.set('a', 1); return [1, state] }", "it changes state, which it was given"],
  ["{ state.names.add('a'); return [1, state] }", "it changes state, which it was given"],
  ["{ state.at.setFullYear(1999); return [1, state] }", "it changes state, which it was given"],
  ["{ Object.assign(state, { a: 1 }); return [1, state] }", "it changes state, which it was given"],
  ["{ const { list } = state; list.push(1); return [1, state] }", "it changes state, which it was given"],
  ["{ const list = state.list; list.push(1); return [1, state] }", "it changes state, which it was given"],
  ["{ const { list: inner } = state.a; inner[0] = 1; return [1, state] }", "it changes state, which it was given"]
]

const error = (what: RegExp | string) => ({
  message: typeof what === "string" ? new RegExp(what.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")) : what
})

tester.run("pure-handlers", plugin.rules["pure-handlers"] as never, {
  valid: [
    ...pure.map((body) => handler(body)),
    // Outside of handlers everything is allowed
    program("console.log(Date.now()); Scoped.update(scope, (state) => [1, state]); total++"),
    program("const later = () => Date.now(); Scoped.update(scope, (state) => [1, state])"),
    program("Scoped.update(scope, helper)"),
    program("Scoped.get(scope, () => Date.now())"),
    // Functions of these names that are not ours
    "import { Ref } from 'effect'; Ref.update(ref, (n) => n + Math.random())",
    "import { Scoped } from './mine.js'; Scoped.update(scope, () => [Date.now(), 1])",
    "const Scoped = {}; Scoped.update(scope, () => [Date.now(), 1])",
    "import { update } from './mine.js'; update(scope, () => [Date.now(), 1])"
  ],
  invalid: [
    ...impure.map(([body, what]) => ({ code: handler(body), errors: [error(what)] })),
    ...[
      "Scoped.update(scope, async (state) => [1, state])",
      "Scoped.updateResult(scope, async (state) => { return [1, await state] })"
    ].map((code) => ({ code: program(code), errors: [error("it is async")] })),
    { code: program("Scoped.update(scope, function*(state) { yield 1 })"), errors: [error("it is a generator")] },
    // The forms of the call
    ...[
      "Scoped.update((state) => [Date.now(), state])",
      "Scoped.update((state) => [Date.now(), state], { retry })",
      "scope.pipe(Scoped.update((state) => [Date.now(), state]))",
      "Scoped.update(scope, (state) => [Date.now(), state], { retry })",
      "Scoped.updateResult(scope, (state) => Result.succeed([Date.now(), state]))",
      "Scoped.update(Scoped.all([a, b]), ([a, b]) => [Date.now(), [a, b]])",
      "Scoped.update(scope, function(state) { return [Date.now(), state] })",
      "const named = (state) => [Date.now(), state]; Scoped.update(scope, named)",
      "function named(state) { return [Date.now(), state] } Scoped.update(scope, named)",
      "function named(state) { return [Date.now(), state] } Scoped.update(a, named); Scoped.update(b, named)"
    ].map((code) => ({ code: program(code), errors: [error("Date.now reads the clock")] })),
    ...[
      "import * as Scoped from 'effect-scoped/Scoped'; Scoped.update(scope, () => [Date.now(), 1])",
      "import { update } from 'effect-scoped/Scoped'; update(scope, () => [Date.now(), 1])",
      "import { update as change } from 'effect-scoped/Scoped'; change(scope, () => [Date.now(), 1])",
      "import { Scoped as S } from 'effect-scoped'; S.update(scope, () => [Date.now(), 1])",
      "import * as All from 'effect-scoped'; All.Scoped.update(scope, () => [Date.now(), 1])"
    ].map((code) => ({ code, errors: [error("Date.now reads the clock")] })),
    {
      code: handler("{ console.log(state); total++; state.list.push(Date.now()); return [Math.random(), state] }"),
      errors: 4
    }
  ]
})
