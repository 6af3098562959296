/** As much of a linter's tree and scopes as the rule looks at: ESLint and oxlint share it. */

export interface Node {
  readonly type: string
  readonly range: readonly [number, number]
  readonly [field: string]: unknown
}

export interface Variable {
  readonly name: string
  readonly defs: ReadonlyArray<
    { readonly type: string; readonly node: Node; readonly name: Node; readonly parent?: Node }
  >
}

interface Scope {
  readonly set: ReadonlyMap<string, Variable>
  readonly upper: Scope | null
}

export interface SourceCode {
  readonly getScope: (node: Node) => Scope
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"

export const child = (node: Node, field: string): Node | undefined => {
  const value = node[field]
  return isNode(value) ? value : undefined
}

export const list = (node: Node, field: string): ReadonlyArray<Node> => {
  const value = node[field]
  return Array.isArray(value) ? value.filter(isNode) : []
}

/** The children that run, in order: neither types, nor names that are no references. */
export const children = (node: Node): ReadonlyArray<Node> =>
  Object.entries(node).flatMap(([field, value]) => {
    if (field === "parent" || /^type|Type|^loc$|^range$|^tokens$|^comments$/.test(field)) return []
    if (node["computed"] !== true && (field === "property" || field === "key")) return []
    return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : []
  })

/** Without what TypeScript or brackets wrap around an expression. */
export const bare = (node: Node | undefined): Node | undefined => {
  let current = node
  while (
    current !== undefined &&
    /^(TSAsExpression|TSNonNullExpression|TSSatisfiesExpression|ChainExpression|ParenthesizedExpression)$/.test(
      current.type
    )
  ) current = child(current, "expression")
  return current
}

export const isFunction = (node: Node | undefined): boolean =>
  node !== undefined && /^(ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/.test(node.type)

export const nameOf = (node: Node | undefined): string | undefined =>
  node?.type === "Identifier" ? node["name"] as string : undefined

/** The name of the property of a member expression, where it is written out. */
export const propertyOf = (node: Node): string | undefined => {
  const property = child(node, "property")
  return node["computed"] === true
    ? property?.type === "Literal" && typeof property["value"] === "string" ? property["value"] : undefined
    : nameOf(property)
}

export const variableOf = (source: SourceCode, identifier: Node): Variable | undefined => {
  const name = nameOf(identifier)
  if (name === undefined) return undefined
  for (let scope: Scope | null = source.getScope(identifier); scope !== null; scope = scope.upper) {
    const found = scope.set.get(name)
    // What the language or the environment brings has no definition.
    if (found !== undefined) return found.defs.length === 0 ? undefined : found
  }
  return undefined
}

/** Where a binding is imported from, and by what name. */
export const importOf = (
  source: SourceCode,
  identifier: Node
): { readonly from: string; readonly name: string } | undefined => {
  const definition = variableOf(source, identifier)?.defs[0]
  if (definition?.type !== "ImportBinding") return undefined
  const declaration = definition.parent ?? child(definition.node, "parent")
  const from = declaration && child(declaration, "source")?.["value"]
  if (typeof from !== "string") return undefined
  const imported = child(definition.node, "imported")
  return { from, name: definition.node.type === "ImportNamespaceSpecifier" ? "*" : nameOf(imported) ?? "default" }
}

/** The function that a variable stands for, where its declaration says so. */
export const functionOf = (source: SourceCode, node: Node | undefined): Node | undefined => {
  const expression = bare(node)
  if (expression === undefined || isFunction(expression)) return expression
  if (expression.type !== "Identifier") return undefined
  const declaration = variableOf(source, expression)?.defs[0]?.node
  const value = declaration?.type === "VariableDeclarator" ? bare(child(declaration, "init")) : declaration
  return isFunction(value) ? value : undefined
}

export const inside = (outer: Node, inner: Node): boolean =>
  outer.range[0] <= inner.range[0] && inner.range[1] <= outer.range[1]
