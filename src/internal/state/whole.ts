/**
 * Parts of a state that are not their JSON, such as dates and maps: written, read back and compared as a whole, each time
 * that one has changed.
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
 * to it, and be an object, which can be remembered.
 */
export const isPossible = (ast: SchemaAST.AST): boolean =>
  isObjects(ast) &&
  (SchemaAST.isOptional(ast)
    ? SchemaAST.isOptional(SchemaAST.toEncoded(ast)) && keepsPresence(ast)
    : !hasMiddleware(ast))

const isObjects = (ast: SchemaAST.AST): boolean => {
  switch (ast._tag) {
    case "Declaration":
    case "Objects":
    case "Arrays":
    case "Suspend":
      return true
    case "Union":
      return ast.types.every((type) => isObjects(type) || type.encoding === undefined || SchemaAST.isUndefined(type))
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
  const decodeSync = Schema.decodeUnknownSync(schema)
  // What is written of each that was taken, and those of them that could be written to.
  const texts = new WeakMap<object, string>()
  const open = new WeakSet<object>()

  const take: Take = (next, before, walk) => {
    if (next === before) return before
    if (walk.mode === "look") return refused
    let read = walk.mode === "adopt" ? decode(next) : undefined
    if (read !== undefined && Exit.isFailure(read)) return refused
    const from = read === undefined ? next : read.value
    const json = encode(from)
    if (Exit.isFailure(json)) return refused
    const text = JSON.stringify(json.value) as string | undefined
    if (text === undefined) return refused
    if (isObject(before) && texts.get(before) === text) {
      return differs(from, before, true) === undefined
        ? before
        : refused
    }
    read ??= decode(Json.parse(text))
    if (Exit.isFailure(read) || read.value !== from && differs(from, read.value, true) !== undefined) return refused
    const state = read.value
    const bytes = Size.utf8(text)
    if (isObject(state)) {
      // Some classes have one instance for all, which may be written in several ways.
      if ((Size.written.get(state) ?? bytes) !== bytes) return refused
      Size.written.set(state, bytes)
      texts.set(state, text)
      if (!freeze(state)) open.add(state)
    } else if (state !== json.value) return refused
    walk.bytes += bytes - (before === none ? 0 : Size.ofJson(before))
    return state
  }

  const fresh = (taken: unknown): unknown => {
    if (!isObject(taken) || !open.has(taken)) return taken
    const state = decodeSync(Json.parse(texts.get(taken)!))
    freeze(state)
    return state
  }

  return Object.assign(take, { fresh })
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null
