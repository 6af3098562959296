/**
 * Parts of a state that are not their JSON, such as dates and maps: written, read back and compared as a whole, each time
 * that one has changed.
 */
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { freeze } from "./freeze.ts"
import * as Json from "./json.ts"
import { none, refused, type Take } from "./plain.ts"
import { differs } from "./same.ts"
import * as Size from "./size.ts"

/** Whether a part is there exactly when its JSON is, so that a struct can leave its key to it. */
export const isPossible = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isOptional(ast) === SchemaAST.isOptional(SchemaAST.toEncoded(ast)) && keepsPresence(ast)

const keepsPresence = (ast: SchemaAST.AST): boolean =>
  (!SchemaAST.isUnion(ast) || ast.types.every(keepsPresence)) &&
  (ast.encoding ?? []).every(({ to, transformation }) =>
    transformation._tag === "Transformation" && !transformation.decode._tag.includes("Optional") &&
    !transformation.encode._tag.includes("Optional") && keepsPresence(to)
  )

export const make = (ast: SchemaAST.AST): Take => {
  const schema = Schema.make<Schema.Codec<unknown>>(ast)
  const encode = Schema.encodeUnknownExit(schema)
  const decode = Schema.decodeUnknownExit(schema, { onExcessProperty: "error" })
  const decodeSync = Schema.decodeUnknownSync(schema)
  // Of those that could be written to.
  const texts = new WeakMap<object, string>()

  const take: Take = (next, before, walk) => {
    if (next === before) return before
    let from = next
    let read: Exit.Exit<unknown, unknown> | undefined
    if (walk.mode === "adopt") {
      read = decode(next)
      if (Exit.isFailure(read)) return refused
      from = read.value
    } else if (walk.mode === "look") return refused
    else if (before !== none && differs(next, before) === undefined) return before
    const json = encode(from)
    if (Exit.isFailure(json)) return refused
    const text = JSON.stringify(json.value) as string | undefined
    if (text === undefined) return refused
    read ??= decode(Json.parse(text))
    if (Exit.isFailure(read) || read.value !== from && differs(from, read.value, true) !== undefined) return refused
    const state = read.value
    const bytes = Size.utf8(text)
    if (typeof state === "object" && state !== null) {
      // Some classes have one instance for all, which may be written in several ways.
      if ((Size.written.get(state) ?? bytes) !== bytes) return refused
      Size.written.set(state, bytes)
      if (!freeze(state)) texts.set(state, text)
    } else if (state !== json.value) return refused
    walk.bytes += bytes - (before === none ? 0 : Size.ofJson(before))
    return state
  }

  const fresh = (taken: unknown): unknown => {
    const text = typeof taken === "object" && taken !== null ? texts.get(taken) : undefined
    if (text === undefined) return taken
    const state = decodeSync(Json.parse(text))
    freeze(state)
    return state
  }

  return Object.assign(take, { fresh })
}
