import type { Problem } from "./problem.ts"
import {
  bare,
  child,
  importOf,
  inside,
  list,
  nameOf,
  type Node,
  propertyOf,
  type SourceCode,
  variableOf
} from "./syntax.ts"

const always = new Set(
  ["push", "pop", "shift", "unshift", "splice", "sort", "reverse", "fill", "copyWithin", "delete", "clear"]
)

// Of immutable values these give back the changed one.
const unused = /^(set|add|append|set[A-Z].*|insert|remove|update)$/

/** What changes the state that the handler was given, or anything that was there before the handler ran. */
export const isMutation = (source: SourceCode, handler: Node, node: Node): Problem | undefined => {
  switch (node.type) {
    case "AssignmentExpression":
      return ofTargets(source, handler, child(node, "left"))
    case "ForOfStatement":
    case "ForInStatement":
      return child(node, "left")?.type === "VariableDeclaration"
        ? undefined
        : ofTargets(source, handler, child(node, "left"))
    case "UpdateExpression":
      return ofTargets(source, handler, child(node, "argument"))
    case "UnaryExpression":
      return node["operator"] === "delete" ? ofTargets(source, handler, child(node, "argument")) : undefined
    case "CallExpression":
      return ofCall(source, handler, node, false)
    case "ExpressionStatement": {
      const expression = bare(child(node, "expression"))
      return expression?.type === "CallExpression" ? ofCall(source, handler, expression, true) : undefined
    }
  }
  return undefined
}

const ofTargets = (source: SourceCode, handler: Node, pattern: Node | undefined): Problem | undefined => {
  const target = bare(pattern)
  switch (target?.type) {
    case "Identifier": {
      const variable = variableOf(source, target)
      return variable !== undefined && inside(handler, variable.defs[0]!.name)
        ? undefined
        : mutates(nameOf(target)!, false)
    }
    case "MemberExpression":
      return ofObject(source, handler, child(target, "object"))
    case "ArrayPattern":
      return first(list(target, "elements").map((element) => ofTargets(source, handler, element)))
    case "ObjectPattern":
      return first(
        list(target, "properties").map((property) =>
          ofTargets(source, handler, child(property, property.type === "Property" ? "value" : "argument"))
        )
      )
    case "AssignmentPattern":
      return ofTargets(source, handler, child(target, "left"))
    case "RestElement":
      return ofTargets(source, handler, child(target, "argument"))
  }
  return undefined
}

const ofCall = (source: SourceCode, handler: Node, call: Node, alone: boolean): Problem | undefined => {
  const callee = bare(child(call, "callee"))
  if (callee?.type !== "MemberExpression") return undefined
  const object = bare(child(callee, "object"))
  const method = propertyOf(callee) ?? ""
  const owner = nameOf(object)
  if (
    owner === "Object" && /^(assign|defineProperty|defineProperties|setPrototypeOf)$/.test(method) ||
    owner === "Reflect"
  ) {
    return ofObject(source, handler, list(call, "arguments")[0])
  }
  // `HashMap.set(table, …)` is a function of a module.
  if (owner !== undefined && /^[A-Z]/.test(owner)) return undefined
  return always.has(method) || alone && unused.test(method) ? ofObject(source, handler, object) : undefined
}

/** A mutation of an object that the handler did not make. */
const ofObject = (source: SourceCode, handler: Node, object: Node | undefined, depth = 0): Problem | undefined => {
  const expression = bare(object)
  if (expression === undefined || depth > 8) return undefined
  if (expression.type === "MemberExpression") return ofObject(source, handler, child(expression, "object"), depth + 1)
  if (expression.type !== "Identifier") return undefined
  const name = nameOf(expression)!
  const variable = variableOf(source, expression)
  if (variable === undefined) return mutates(name, false)
  const definition = variable.defs[0]!
  if (!inside(handler, definition.name)) {
    return importOf(source, expression)?.from.match(/^(@?effect)(\/|$)/) ? undefined : mutates(name, false)
  }
  // A rest is a copy.
  if (child(definition.name, "parent")?.type === "RestElement") return undefined
  if (definition.type === "Parameter") return definition.node === handler ? mutates(name, true) : undefined
  const init = definition.node.type === "VariableDeclarator" ? bare(child(definition.node, "init")) : undefined
  return init !== undefined && /^(Identifier|MemberExpression)$/.test(init.type)
    ? ofObject(source, handler, init, depth + 1)
    : undefined
}

const mutates = (name: string, own: boolean): Problem => ({
  what: own ? `it changes ${name}, which it was given` : `it changes ${name}, which was there before it`,
  instead: own ? "Return a changed copy as the next state" : "Return it as part of the result or the next state"
})

const first = (problems: ReadonlyArray<Problem | undefined>): Problem | undefined =>
  problems.find((problem) => problem !== undefined)
