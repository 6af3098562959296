import type { Problem } from "./problem.ts"
import { bare, child, importOf, list, nameOf, type Node, propertyOf, type SourceCode, variableOf } from "./syntax.ts"

const time = "Take the time from the handler's second argument: (state, { now }) => …"
const draw = "Draw random values and ids before the update, and pass them in"
const after = "Do it after the update, with the result"

const globals: { readonly [name: string]: Problem } = Object.fromEntries([
  ...["performance"].map((name) => [name, { what: `${name} reads a clock`, instead: time }] as const),
  ...["crypto"].map((name) => [name, { what: `${name} draws randomness`, instead: draw }] as const),
  ...["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "requestAnimationFrame", "requestIdleCallback"]
    .map((name) => [name, { what: `${name} starts something that runs later`, instead: after }] as const),
  ...[
    "console",
    "process",
    "fetch",
    "XMLHttpRequest",
    "WebSocket",
    "EventSource",
    "BroadcastChannel",
    "Worker",
    "localStorage",
    "sessionStorage",
    "indexedDB",
    "caches",
    "document",
    "window",
    "navigator",
    "location",
    "history",
    "alert",
    "confirm",
    "prompt",
    "globalThis",
    "global",
    "self",
    "require",
    "Bun",
    "Deno",
    "eval"
  ].map((name) => [name, { what: `${name} reaches the world outside`, instead: after }] as const)
])

const builtin =
  /^(node:.*|bun(:.*)?|(assert|async_hooks|child_process|cluster|crypto|dgram|dns|fs|http|http2|https|net|os|perf_hooks|readline|timers|tls|worker_threads|zlib)(\/.*)?)$/

/** What reads or changes the world, or is random. */
export const isImpure = (source: SourceCode, node: Node): Problem | undefined => {
  switch (node.type) {
    case "Identifier":
      return ofIdentifier(source, node)
    case "ImportExpression":
      return { what: "it imports a module", instead: "Import it at the top of the file" }
    case "NewExpression":
      return isGlobal(source, child(node, "callee"), "Date") && list(node, "arguments").length === 0
        ? { what: "new Date() reads the clock", instead: time }
        : undefined
    case "CallExpression":
      return ofCall(source, node)
    case "MemberExpression":
      return isGlobal(source, child(node, "object"), "Date") && propertyOf(node) === "now"
        ? { what: "Date.now reads the clock", instead: time }
        : isGlobal(source, child(node, "object"), "Math") && propertyOf(node) === "random"
        ? { what: "Math.random is random", instead: draw }
        : undefined
  }
  return undefined
}

const ofIdentifier = (source: SourceCode, node: Node): Problem | undefined => {
  const name = nameOf(node)!
  if (variableOf(source, node) === undefined) return Object.hasOwn(globals, name) ? globals[name] : undefined
  const imported = importOf(source, node)
  return imported !== undefined && builtin.test(imported.from)
    ? { what: `${name} comes from "${imported.from}"`, instead: after }
    : undefined
}

const ofCall = (source: SourceCode, node: Node): Problem | undefined => {
  const callee = bare(child(node, "callee"))
  if (callee === undefined) return undefined
  if (isGlobal(source, callee, "Date")) return { what: "Date() reads the clock", instead: time }
  const called = callee.type === "MemberExpression" ? propertyOf(callee) : importOf(source, callee)?.name
  if (called === undefined) return undefined
  if (/^run(Sync|Promise|Fork|Callback|Main)/.test(called)) return { what: `${called} runs an Effect`, instead: after }
  if (called === "nowUnsafe" || called === "currentTimeMillisUnsafe") {
    return { what: `${called} reads the clock`, instead: time }
  }
  return undefined
}

const isGlobal = (source: SourceCode, node: Node | undefined, name: string): boolean => {
  const expression = bare(node)
  return expression !== undefined && nameOf(expression) === name && variableOf(source, expression) === undefined
}
