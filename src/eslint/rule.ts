import { isImpure } from "./impure.ts"
import { isMutation } from "./mutation.ts"
import type { Problem } from "./problem.ts"
import {
  bare,
  child,
  children,
  functionOf,
  importOf,
  isFunction,
  list,
  nameOf,
  type Node,
  propertyOf,
  type SourceCode
} from "./syntax.ts"

interface Context {
  readonly sourceCode: SourceCode
  readonly report: (
    problem: {
      readonly node: Node
      readonly messageId: "impure"
      readonly data: { readonly what: string; readonly instead: string }
    }
  ) => void
}

/**
 * The rule, as ESLint takes it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rule {
  readonly meta: {
    readonly type: "problem"
    readonly docs: { readonly description: string }
    readonly schema: []
    readonly messages: { readonly impure: string }
  }
  readonly create: (context: never) => { readonly [type: string]: (node: never) => void }
}

/** Handlers are pure. */
export const rule: Rule = {
  meta: {
    type: "problem",
    docs: { description: "Handlers are pure: they may run more than once, and only their answer counts" },
    schema: [],
    messages: { impure: "A handler must be pure, but {{what}}. {{instead}}." }
  },
  create: (context: Context) => {
    const { sourceCode } = context
    const seen = new Set<Node>()
    const check = (handler: Node | undefined) => {
      if (handler === undefined || seen.has(handler)) return
      seen.add(handler)
      for (const { node, problem } of problemsOf(sourceCode, handler)) {
        context.report({ node, messageId: "impure", data: { ...problem } })
      }
    }
    return {
      CallExpression: (call: Node) => {
        if (!isUpdate(sourceCode, call)) return
        for (const argument of list(call, "arguments").slice(0, 2)) check(functionOf(sourceCode, argument))
      },
      VariableDeclarator: (declarator: Node) => {
        const type = child(child(declarator, "id") ?? declarator, "typeAnnotation")
        if (type !== undefined && isHandlerType(sourceCode, child(type, "typeAnnotation"))) {
          check(functionOf(sourceCode, child(declarator, "init")))
        }
      }
    }
  }
}

const verbs = new Set(["update", "updateResult"])

const isModule = (source: SourceCode, node: Node | undefined): boolean => {
  const imported = node?.type === "Identifier" ? importOf(source, node) : undefined
  return imported !== undefined &&
    (imported.from === "effect-scoped" && imported.name === "Scoped" ||
      imported.from === "effect-scoped/Scoped" && imported.name === "*")
}

const isUpdate = (source: SourceCode, call: Node): boolean => {
  const callee = bare(child(call, "callee"))
  if (callee?.type === "MemberExpression") {
    const object = bare(child(callee, "object"))
    if (!verbs.has(propertyOf(callee) ?? "") || object === undefined) return false
    if (object.type !== "MemberExpression") return isModule(source, object)
    // import * as All from "effect-scoped"
    const all = bare(child(object, "object"))
    const imported = all?.type === "Identifier" ? importOf(source, all) : undefined
    return propertyOf(object) === "Scoped" && imported?.from === "effect-scoped" && imported.name === "*"
  }
  const imported = callee?.type === "Identifier" ? importOf(source, callee) : undefined
  return imported?.from === "effect-scoped/Scoped" && verbs.has(imported.name)
}

const isHandlerType = (source: SourceCode, type: Node | undefined): boolean => {
  const name = type?.type === "TSTypeReference" ? child(type, "typeName") : undefined
  if (name?.type === "TSQualifiedName") {
    return /^(Result)?Handler$/.test(nameOf(child(name, "right")) ?? "") && isModule(source, child(name, "left"))
  }
  const imported = name?.type === "Identifier" ? importOf(source, name) : undefined
  return imported?.from.startsWith("effect-scoped/") === true && /^(Result)?Handler$/.test(imported.name)
}

const problemsOf = (
  source: SourceCode,
  handler: Node
): ReadonlyArray<{ readonly node: Node; readonly problem: Problem }> => {
  const found: Array<{ readonly node: Node; readonly problem: Problem }> = []
  const visit = (node: Node): void => {
    const problem = isSuspending(handler, node) ?? isImpure(source, node) ?? isMutation(source, handler, node)
    if (problem !== undefined) found.push({ node, problem })
    // One report says enough of `console.log(…)`.
    else children(node).forEach(visit)
  }
  visit(handler)
  return found
}

/** A generator inside of a handler runs to its end there, as in `Result.gen`: only a handler cannot be one. */
const isSuspending = (handler: Node, node: Node): Problem | undefined => {
  const instead = "Run effects before or after the update, and pass in what the handler needs"
  if (node.type === "AwaitExpression" || isFunction(node) && node["async"] === true) {
    return { what: "it is async", instead }
  }
  return node === handler && node["generator"] === true ? { what: "it is a generator", instead } : undefined
}
