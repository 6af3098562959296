/**
 * Parts of a state that are not their JSON, such as dates, maps and big integers: written, read back and compared as a
 * whole, each time that one has changed.
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { freeze } from "./freeze.ts"
import * as Json from "./json.ts"
import { differs } from "./same.ts"
import * as Size from "./size.ts"
import { none, refused, type Take } from "./take.ts"

/**
 * Whether a part may be taken whole: it must be told by its JSON whether it is there, so that a struct can leave its key
 * to it.
 */
export const isPossible = (ast: SchemaAST.AST): boolean =>
  isThere(ast) &&
  (SchemaAST.isOptional(ast)
    ? SchemaAST.isOptional(SchemaAST.toEncoded(ast)) && keepsPresence(ast)
    : !hasMiddleware(ast))

const isThere = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Declaration":
    case "Objects":
    case "Arrays":
    case "Suspend":
      return true
    case "Union":
      return ast.types.every((type) => isThere(type) || type.encoding === undefined || SchemaAST.isUndefined(type))
    default:
      return isPrimitive(ast)
  }
}

const holdsObjects = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isUnion(ast) ? ast.types.some(holdsObjects) : !isPrimitive(ast)

const isPrimitive = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "String":
    case "Number":
    case "BigInt":
    case "Boolean":
    case "Literal":
    case "Enum":
    case "TemplateLiteral":
      return true
    default:
      return false
  }
}

const keepsPresence = (ast: SchemaAST.AST): boolean =>
  everyLink(
    ast,
    ({ transformation }) =>
      transformation._tag === "Transformation" && !transformation.decode._tag.includes("Optional") &&
      !transformation.encode._tag.includes("Optional")
  )

const hasMiddleware = (ast: SchemaAST.AST): boolean =>
  !everyLink(ast, ({ transformation }) => transformation._tag === "Transformation")

const everyLink = (ast: SchemaAST.AST, holds: (link: SchemaAST.Link) => boolean): boolean =>
  (!SchemaAST.isUnion(ast) || ast.types.every((type) => everyLink(type, holds))) &&
  (ast.encoding ?? []).every((link) => holds(link) && everyLink(link.to, holds))

export const make = (ast: SchemaAST.AST): Take => {
  const schema = Schema.make<Schema.Codec<unknown>>(ast)
  const encode = Schema.encodeUnknownExit(schema)
  const decode = Schema.decodeUnknownExit(schema, { onExcessProperty: "error" })
  const encodeSync = Schema.encodeUnknownSync(schema)
  const decodeSync = Schema.decodeUnknownSync(schema)
  // What is written of each object that was taken, and those of them that could be written to.
  const texts = new WeakMap<object, string>()
  const open = new WeakSet<object>()

  // What was taken last is nearly always what the next one replaces.
  let last: { readonly value: unknown; readonly text: string } = { value: none, text: "" }
  const textOf = (taken: unknown): string =>
    isObject(taken)
      ? texts.get(taken)!
      : Object.is(taken, last.value)
      ? last.text
      : JSON.stringify(encodeSync(taken))

  const take: Take = (next, before, walk) => {
    if (Object.is(next, before)) return before
    if (walk.mode === "look") return refused
    let read = walk.mode === "adopt" ? decode(next) : undefined
    if (read !== undefined && Exit.isFailure(read)) return refused
    const from = read === undefined ? next : read.value
    const encoded = encode(from)
    if (Exit.isFailure(encoded)) return refused
    const text = JSON.stringify(encoded.value) as string | undefined
    if (text === undefined) return refused
    if (isObject(before) && texts.get(before) === text) {
      return differs(from, before, true) === undefined
        ? before
        : refused
    }
    // A union may write what was read as another member of it would, which leaves something out.
    if (read === undefined || JSON.stringify(next) !== text) read = decode(Json.parse(text))
    if (Exit.isFailure(read) || read.value !== from && differs(from, read.value, true) !== undefined) return refused
    walk.bytes += Size.utf8(text) - (before === none ? 0 : Size.utf8(textOf(before)))
    const state = read.value
    if (isObject(state)) {
      texts.set(state, text)
      if (!freeze(state)) open.add(state)
    } else if (isValue(state)) last = { value: state, text }
    else return refused
    return state
  }

  const fresh = (taken: unknown): unknown => {
    if (!isObject(taken) || !open.has(taken)) return taken
    const state = decodeSync(Json.parse(texts.get(taken)!))
    freeze(state)
    return state
  }

  const json = (taken: unknown): unknown => Json.parse(textOf(taken))

  return Object.assign(take, { fresh: holdsObjects(ast) ? fresh : undefined, json })
}

// An absent key of a struct is `undefined`, and who looks for changes neither tells -0 from 0 nor NaN from NaN.
const isValue = (value: unknown): boolean =>
  value !== undefined && value === value && !Object.is(value, -0) && typeof value !== "function" &&
  typeof value !== "symbol"

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null
