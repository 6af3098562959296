/**
 * The fast way between a state and JSON, for what of a schema is the same thing on both sides: structs, records, arrays,
 * literals, primitives, JSON itself and unions that tell these apart, with or without checks. Other parts of it, such as
 * dates and maps, are taken whole.
 *
 * It only ever says yes. Where it has any doubt it says `refused`, and the schema itself is asked, which knows why.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { array, record, struct } from "./containers.ts"
import * as Size from "./size.ts"
import { none, refused, sizeOf, type Take, type ViewName, withViews } from "./take.ts"
import * as Whole from "./whole.ts"

/** The `Take` of a schema's JSON codec, or `undefined` where nothing of it is plain. */
export const compile = (ast: SchemaAST.AST): Take | undefined => {
  try {
    const compiler = new Compiler()
    const take = compiler.root(ast)
    if (take.fresh === undefined && take.json === undefined) return take
    // A recursive schema cannot know it before.
    return withViews(
      (next, before, walk) => take(next, before, walk),
      (name) => compiler.views.has(name) ? take[name] : undefined
    )
  } catch {
    return undefined
  }
}

// How values of each kind are taken. A union puts the kinds of its members together.
interface Kinds {
  readonly leaves: ReadonlyArray<(value: unknown) => boolean>
  readonly array?: Take | undefined
  readonly objects: ReadonlyArray<Member>
  /** Encodes numbers that are not finite as strings. */
  readonly nonFinite?: boolean
  /** Encodes `undefined` as `null`. */
  readonly nullish?: boolean
}

interface Member {
  readonly take: Take
  /** The literals that set it apart from other members, by key. */
  readonly tags: ReadonlyMap<string, unknown>
}

class NotPlain extends Error {}

class Compiler {
  readonly #takes = new Map<SchemaAST.AST, { take: Take }>()
  #json: Take | undefined

  /** What some part of a state is seen as. */
  readonly views = new Set<ViewName>()

  root(ast: SchemaAST.AST): Take {
    return this.#known(ast) ?? this.#make(ast, () => {
      throw new NotPlain()
    })
  }

  #take(ast: SchemaAST.AST): Take {
    return this.#known(ast) ?? this.#make(ast, () => {
      if (!Whole.isPossible(ast)) throw new NotPlain()
      const whole = Whole.make(ast)
      for (const name of ["fresh", "json"] as const) if (whole[name] !== undefined) this.views.add(name)
      return whole
    })
  }

  #known(ast: SchemaAST.AST): Take | undefined {
    const known = this.#takes.get(ast)
    return known && withViews(
      (next, before, walk) => known.take(next, before, walk),
      (name) => (taken) => known.take[name] === undefined ? taken : known.take[name](taken)
    )
  }

  #make(ast: SchemaAST.AST, otherwise: () => Take): Take {
    // A schema may go on for ever, making new parts as it is looked at.
    if (this.#takes.size > 2_000) throw new Error("Endless")
    const made = { take: (): unknown => refused } as { take: Take }
    this.#takes.set(ast, made)
    try {
      made.take = checked(ofKinds(this.#kinds(ast, 0)), SchemaAST.isUnion(ast) ? ast.checks : undefined)
    } catch (error) {
      this.#takes.delete(ast)
      if (!(error instanceof NotPlain)) throw error
      made.take = otherwise()
      this.#takes.set(ast, made)
    }
    return made.take
  }

  #kinds(ast: SchemaAST.AST, depth: number): Kinds {
    if (depth > 100 || "encodingChecks" in ast && ast.encodingChecks !== undefined) throw new NotPlain()
    const link = ast.encoding?.[0]
    if (link !== undefined) {
      if (ast.encoding!.length > 1) throw new NotPlain()
      if (SchemaAST.isNumber(ast) && link === numberLink) return { ...leaf(isFinite, ast.checks), nonFinite: true }
      if (SchemaAST.isUndefined(ast) && link === undefinedLink) return { leaves: [], objects: [], nullish: true }
      if (SchemaAST.isUnknown(ast) && link === unknownLink) return this.#anyJson(ast.checks)
      throw new NotPlain()
    }
    switch (ast._tag) {
      case "String":
        return leaf((value) => typeof value === "string", ast.checks)
      case "Number":
        return leaf(isFinite, ast.checks)
      case "Boolean":
        return leaf((value) => typeof value === "boolean", ast.checks)
      case "Null":
        return leaf((value) => value === null, ast.checks)
      case "Literal": {
        const { literal } = ast
        if (typeof literal === "bigint") throw new NotPlain()
        return leaf((value) => value === literal, ast.checks)
      }
      case "Enum": {
        const values = new Set<unknown>(ast.enums.map(([, value]) => value))
        return leaf((value) => values.has(value), ast.checks)
      }
      case "TemplateLiteral":
        return leaf(Schema.is(Schema.make(ast)), undefined)
      case "Declaration":
        if (ast.run !== (Schema.Json.ast as SchemaAST.Declaration).run) throw new NotPlain()
        return this.#anyJson(ast.checks)
      case "Suspend":
        return this.#kinds(ast.thunk(), depth + 1)
      case "Arrays":
        return { leaves: [], objects: [], array: checked(this.#array(ast), ast.checks) }
      case "Objects":
        return { leaves: [], objects: [this.#object(ast)] }
      case "Union": {
        if (ast.options?.mode === "oneOf" || depth > 0 && ast.checks !== undefined) throw new NotPlain()
        return ast.types.map((type) => this.#kinds(type, depth + 1)).reduce(either, { leaves: [], objects: [] })
      }
      default:
        throw new NotPlain()
    }
  }

  #array(ast: SchemaAST.Arrays): Take {
    if (ast.rest.length > 1) throw new NotPlain()
    const rest = ast.rest[0] === undefined ? undefined : this.#take(ast.rest[0])
    return array(
      ast.elements.map((element) => this.#take(element)),
      ast.elements.filter((element) => !SchemaAST.isOptional(element)).length,
      rest
    )
  }

  #object(ast: SchemaAST.Objects): Member {
    const [index] = ast.indexSignatures
    if (index !== undefined) {
      if (ast.indexSignatures.length > 1 || ast.propertySignatures.length > 0) throw new NotPlain()
      const { parameter } = index
      if (!SchemaAST.isString(parameter) || parameter.checks !== undefined || parameter.encoding !== undefined) {
        throw new NotPlain()
      }
      return { take: checked(record(this.#take(index.type)), ast.checks), tags: new Map() }
    }
    // The empty struct takes whatever is not null.
    if (ast.propertySignatures.length === 0) throw new NotPlain()
    const tags = new Map<string, unknown>()
    const fields = ast.propertySignatures.map(({ name, type }) => {
      if (typeof name !== "string" || name in Object.prototype) throw new NotPlain()
      const optional = SchemaAST.isOptional(type)
      if (SchemaAST.isLiteral(type) && !optional) tags.set(name, type.literal)
      return { name, take: this.#take(type), optional, bytes: Size.ofKey(name) }
    })
    return { take: checked(struct(fields), ast.checks), tags }
  }

  #anyJson(checks: SchemaAST.Checks | undefined): Kinds {
    const json: Take = (next, before, walk) => this.#json!(next, before, walk)
    const kinds: Kinds = {
      leaves: [isJsonLeaf],
      array: array([], 0, json),
      objects: [{ take: record(json), tags: new Map() }]
    }
    this.#json ??= ofKinds(kinds)
    if (checks === undefined) return kinds
    return {
      leaves: [(value) => isJsonLeaf(value) && passes(checks, value)],
      array: checked(kinds.array!, checks),
      objects: [{ take: checked(kinds.objects[0]!.take, checks), tags: new Map() }]
    }
  }
}

const linkOf = (schema: Schema.Constraint): SchemaAST.Link => Schema.toCodecJson(schema).ast.encoding![0]

const numberLink = linkOf(Schema.Number)
const undefinedLink = linkOf(Schema.Undefined)
const unknownLink = linkOf(Schema.Unknown)

const isFinite = (value: unknown): boolean => Number.isFinite(value)

const isJsonLeaf = (value: unknown): boolean =>
  typeof value === "string" || typeof value === "boolean" || value === null || Number.isFinite(value)

const leaf = (fits: (value: unknown) => boolean, checks: SchemaAST.Checks | undefined): Kinds => ({
  leaves: [checks === undefined ? fits : (value) => fits(value) && passes(checks, value)],
  objects: []
})

const either = (left: Kinds, right: Kinds): Kinds => {
  if (left.array !== undefined && right.array !== undefined) throw new NotPlain()
  return {
    leaves: [...left.leaves, ...right.leaves],
    array: left.array ?? right.array,
    objects: [...left.objects, ...right.objects],
    nonFinite: left.nonFinite === true || right.nonFinite === true,
    nullish: left.nullish === true || right.nullish === true
  }
}

const ofKinds = ({ array, leaves, nonFinite, nullish, objects }: Kinds): Take => {
  // What is of one kind only looks itself whether it is of that kind.
  if (leaves.length === 0 && objects.length + (array === undefined ? 0 : 1) === 1) return array ?? objects[0]!.take
  const object = select(objects)
  // What another member would write, too, is left to the schema.
  const ambiguous = (value: unknown): boolean =>
    nullish === true && value === null ||
    nonFinite === true && (value === "NaN" || value === "Infinity" || value === "-Infinity")
  const guarded = nullish === true || nonFinite === true && leaves.length > 1
  const [only] = leaves
  const fits = leaves.length === 1 && !guarded
    ? only!
    : (value: unknown) => !(guarded && ambiguous(value)) && leaves.some((fits) => fits(value))
  const choose = (value: unknown): Take | undefined =>
    typeof value !== "object" || value === null ? undefined : Array.isArray(value) ? array : object(value)
  const take: Take = withViews(
    (next, before, walk) => {
      if (next === before) return before
      if (typeof next !== "object" || next === null) {
        if (!fits(next)) return refused
        walk.bytes += ofLeaf(next)
        if (before !== none) {
          walk.bytes -= typeof before === "object" && before !== null ? sizeOf(take, before) : ofLeaf(before)
        }
        return next === 0 ? 0 : next
      }
      const chosen = choose(next)
      if (chosen === undefined) return refused
      // The hint holds only for the member that took it.
      if (before === none || choose(before) === chosen) return chosen(next, before, walk)
      walk.bytes -= sizeOf(take, before)
      return chosen(next, none, walk)
    },
    (name) =>
      array?.[name] === undefined && objects.every(({ take }) => take[name] === undefined) ? undefined : (taken) => {
        const view = choose(taken)?.[name]
        return view === undefined ? taken : view(taken)
      }
  )
  return take
}

const ofLeaf = (value: unknown): number =>
  typeof value === "number"
    ? Size.ofNumber(value)
    : typeof value === "string"
    ? Size.ofString(value)
    : value === false
    ? 5
    : 4

// Several structs are told apart by a key that has another literal in each of them.
const select = (objects: ReadonlyArray<Member>): (value: object) => Take | undefined => {
  const take = objects[0]?.take
  if (objects.length < 2) return () => take
  for (const [key] of objects[0]!.tags) {
    const byTag = new Map<unknown, Take>()
    for (const { tags, take } of objects) if (tags.has(key)) byTag.set(tags.get(key), take)
    if (byTag.size === objects.length) return (value) => byTag.get((value as { readonly [key: string]: unknown })[key])
  }
  throw new NotPlain()
}

const checked = (take: Take, checks: SchemaAST.Checks | undefined): Take =>
  checks === undefined ? take : withViews((next, before, walk) => {
    const taken = take(next, before, walk)
    return taken === before || taken === refused || walk.mode === "look" || passes(checks, taken) ? taken : refused
  }, (name) => take[name])

const passes = (checks: ReadonlyArray<SchemaAST.Check<unknown>>, value: unknown): boolean => {
  for (let i = 0; i < checks.length; i++) {
    const check = checks[i]!
    if (check._tag === "FilterGroup") {
      if (!passes(check.checks, value)) return false
    } else if (check.run(value, SchemaAST.unknown, noOptions) !== undefined) return false
  }
  return true
}

const noOptions: SchemaAST.ParseOptions = {}
