import * as Exit from "effect/Exit"
import { flow } from "effect/Function"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { freeze } from "./freeze.ts"

/** Where and why a state does not fit its schema. */
export interface Fault {
  readonly path: ReadonlyArray<string | number>
  readonly reason: string
}

/** A state as it is stored and as handlers see it. */
export interface Snapshot {
  readonly text: string
  readonly state: unknown
}

/** Between states and the JSON text that is stored. */
export interface Codec {
  /**
   * Looks at the state that one of several fused handlers left: gives it as it would be read back, were it stored.
   *
   * Under a schema with neither checks nor transformations every state of the right type fits, and nothing is done.
   */
  readonly check: (state: unknown) => Result.Result<unknown, Fault>
  readonly write: (state: unknown) => Result.Result<Snapshot, Fault>
  readonly read: (text: string) => Result.Result<Snapshot, Fault>
}

const codecs = new WeakMap<object, Codec>()

/** The codec of a schema, built once, so that scopes of the same name and schema share what is known. */
export const of = (schema: Schema.Constraint): Codec => {
  let codec = codecs.get(schema)
  if (codec === undefined) {
    codec = make(schema)
    codecs.set(schema, codec)
  }
  return codec
}

const make = (schema: Schema.Constraint): Codec => {
  const json = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, Schema.Json>
  const encode = attempt(Schema.encodeUnknownExit(json))
  const decode = flow(attempt(Schema.decodeUnknownExit(json)), Result.map(freeze))
  // Only a schema that lets anything through can encode to something that JSON.stringify would silently change.
  const isJson = hasAny(schema.ast) ? Schema.is(Schema.Json) : undefined

  const read = (text: string): Result.Result<Snapshot, Fault> => {
    const value = parse(text)
    if (Result.isFailure(value)) return Result.fail(value.failure)
    return Result.map(decode(value.success), (state) => ({ text, state }))
  }

  return {
    check: isPlain(schema.ast) ? (state) => Result.succeed(freeze(state)) : (state) => {
      const encoded = encode(state)
      return Result.isFailure(encoded) ? encoded : decode(encoded.success)
    },
    write: (state) => {
      const encoded = encode(state)
      if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
      if (isJson !== undefined && !isJson(encoded.success)) return notJson
      const text: string | undefined = JSON.stringify(encoded.success)
      return text === undefined ? notJson : read(text)
    },
    read
  }
}

/** A state that is made when it is first asked for, as it would be stored. */
export const once = (codec: Codec, make: () => unknown): () => Result.Result<Snapshot, Fault> => {
  let made: Result.Result<Snapshot, Fault> | undefined
  return () =>
    made ??= Result.flatMap(
      Result.try({
        try: make,
        catch: (error): Fault => ({ path: [], reason: `it could not be made: ${String(error)}` })
      }),
      codec.write
    )
}

const notJson: Result.Result<never, Fault> = Result.fail({
  path: [],
  reason: "it holds a value that JSON cannot carry, such as undefined, NaN or a function"
})

const parse = (text: string): Result.Result<unknown, Fault> => {
  try {
    return Result.succeed(JSON.parse(text))
  } catch (error) {
    return Result.fail({
      path: [],
      reason: `it is not JSON: ${error instanceof Error ? error.message : String(error)}`
    })
  }
}

const attempt =
  (step: (input: unknown) => Exit.Exit<unknown, Schema.SchemaError>) =>
  (input: unknown): Result.Result<unknown, Fault> => {
    let exit: Exit.Exit<unknown, Schema.SchemaError>
    try {
      exit = step(input)
    } catch (error) {
      return Result.fail({ path: [], reason: String(error) })
    }
    if (Exit.isSuccess(exit)) return Result.succeed(exit.value)
    const reason = exit.cause.reasons[0]
    if (reason?._tag !== "Fail") {
      return Result.fail({ path: [], reason: `the schema itself failed: ${String(exit.cause)}` })
    }
    const issue = toFault(reason.error.issue).issues[0]
    return Result.fail({
      path: (issue?.path ?? []).map((key) => {
        const name = typeof key === "object" ? key.key : key
        return typeof name === "number" ? name : String(name)
      }),
      reason: issue?.message ?? reason.error.message
    })
  }

const toFault = SchemaIssue.makeFormatterStandardSchemaV1()

// A plain schema has neither checks nor transformations: its types alone say which values fit.
const isPlain = (root: SchemaAST.AST): boolean =>
  every(root, (ast) =>
    ast.checks === undefined && ast.encoding === undefined && !SchemaAST.isDeclaration(ast) &&
    !SchemaAST.isAny(ast) && !SchemaAST.isUnknown(ast) && !SchemaAST.isTemplateLiteral(ast))

const hasAny = (root: SchemaAST.AST): boolean =>
  !every(root, (ast) => !SchemaAST.isAny(ast) && !SchemaAST.isUnknown(ast) && !SchemaAST.isObjectKeyword(ast))

const every = (root: SchemaAST.AST, holds: (ast: SchemaAST.AST) => boolean): boolean => {
  const seen = new Set<SchemaAST.AST>()
  const visit = (ast: SchemaAST.AST): boolean => {
    if (seen.has(ast)) return true
    seen.add(ast)
    return holds(ast) && children(ast).every(visit) && (ast.encoding ?? []).every((link) => visit(link.to))
  }
  return visit(root)
}

const children = (ast: SchemaAST.AST): ReadonlyArray<SchemaAST.AST> => {
  switch (ast._tag) {
    case "Arrays":
      return [...ast.elements, ...ast.rest]
    case "Objects":
      return [
        ...ast.propertySignatures.map((property) => property.type),
        ...ast.indexSignatures.flatMap((index) => [index.parameter, index.type])
      ]
    case "Union":
      return ast.types
    case "Suspend":
      return [ast.thunk()]
    case "Declaration":
      return ast.typeParameters
    default:
      return []
  }
}
