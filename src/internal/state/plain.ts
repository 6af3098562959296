/**
 * The fast way between a state and JSON, for the schemas under which both are the same thing: structs, records, arrays,
 * literals, primitives, JSON itself and unions that tell these apart, with or without checks.
 *
 * It only ever says yes. Where it has any doubt it says `refused`, and the schema itself is asked, which knows why.
 */
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as Size from "./size.ts"

/** What a walk does with the objects it meets. */
export interface Walk {
  /** UTF-8 bytes of the JSON text of what was taken, less those of what it replaces. */
  bytes: number
  /** From how many bytes on the state is suspicious. */
  readonly limit: number
  /**
   * - `copy`: takes from somebody else's objects, which may have getters or change later: frozen copies.
   * - `adopt`: keeps and freezes them; they come from `JSON.parse` and nobody else has them.
   * - `look`: leaves them alone and runs no checks.
   */
  readonly mode: "copy" | "adopt" | "look"
}

/**
 * Takes a value if it fits: gives it frozen, at any depth, or `refused`.
 *
 * `before` is what the same `Take` gave for the state before, or `none`. Whatever is still the same is not looked at
 * again, and where nothing has changed `before` itself comes back. For a hint to be believed, it must never have been
 * taken by another schema.
 */
export type Take = (next: unknown, before: unknown, walk: Walk) => unknown

export const refused = Symbol()
export const none = Symbol()

/** The `Take` of a schema's JSON codec, or `undefined` where states and their JSON differ. */
export const compile = (ast: SchemaAST.AST): Take | undefined => {
  try {
    return new Compiler().take(ast)
  } catch {
    return undefined
  }
}

/**
 * Thrown where a state gets so large that it may be much smaller than it looks: one object at many places takes its
 * room once, and its text each time.
 */
export class Suspicious extends Error {}

interface Plain {
  readonly [key: string]: unknown
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

  take(ast: SchemaAST.AST): Take {
    const known = this.#takes.get(ast)
    if (known !== undefined) return (next, before, walk) => known.take(next, before, walk)
    // A schema may go on for ever, making new parts as it is looked at.
    if (this.#takes.size > 2_000) throw new NotPlain()
    const made = { take: (): unknown => refused } as { take: Take }
    this.#takes.set(ast, made)
    made.take = checked(ofKinds(this.#kinds(ast, 0)), SchemaAST.isUnion(ast) ? ast.checks : undefined)
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
    const rest = ast.rest[0] === undefined ? undefined : this.take(ast.rest[0])
    return array(
      ast.elements.map((element) => this.take(element)),
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
      return { take: checked(record(this.take(index.type)), ast.checks), tags: new Map() }
    }
    // The empty struct takes whatever is not null.
    if (ast.propertySignatures.length === 0) throw new NotPlain()
    const tags = new Map<string, unknown>()
    const fields = ast.propertySignatures.map(({ name, type }) => {
      if (typeof name !== "string" || name in Object.prototype) throw new NotPlain()
      const optional = SchemaAST.isOptional(type)
      if (SchemaAST.isLiteral(type) && !optional) tags.set(name, type.literal)
      return { name, take: this.take(type), optional, bytes: Size.ofKey(name) }
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
  return (next, before, walk) => {
    if (next === before) return before
    if (typeof next !== "object" || next === null) {
      if (!fits(next)) return refused
      walk.bytes += ofLeaf(next) - sizeBefore(before)
      return next === 0 ? 0 : next
    }
    const take = choose(next)
    if (take === undefined) return refused
    // The hint holds only for the member that took it.
    if (before === none || choose(before) === take) return take(next, before, walk)
    walk.bytes -= Size.ofJson(before)
    return take(next, none, walk)
  }
}

const sizeBefore = (before: unknown): number => before === none ? 0 : Size.ofJson(before)

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
    if (byTag.size === objects.length) return (value) => byTag.get((value as Plain)[key])
  }
  throw new NotPlain()
}

const checked = (take: Take, checks: SchemaAST.Checks | undefined): Take =>
  checks === undefined ? take : (next, before, walk) => {
    const taken = take(next, before, walk)
    return taken === before || taken === refused || walk.mode === "look" || passes(checks, taken) ? taken : refused
  }

const passes = (checks: ReadonlyArray<SchemaAST.Check<unknown>>, value: unknown): boolean =>
  checks.every((check) =>
    check._tag === "FilterGroup" ? passes(check.checks, value) : check.run(value, SchemaAST.unknown, {}) === undefined
  )

const isPlainObject = (value: unknown): value is Plain => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

const hasSymbols = (value: object): boolean => Object.getOwnPropertySymbols(value).length > 0

interface Field {
  readonly name: string
  readonly take: Take
  readonly optional: boolean
  readonly bytes: number
}

const struct = (fields: ReadonlyArray<Field>): Take => (next, before, walk) => {
  if (next === before) return before
  if (!isPlainObject(next)) return refused
  const old = before === none ? undefined : before as Plain
  const keys = Object.keys(next)
  const out: { [key: string]: unknown } = {}
  let count = 0
  let added = 0
  let removed = 0
  let changed = false
  let kept = true
  for (let i = 0; i < fields.length; i++) {
    const { bytes, name, optional, take } = fields[i]!
    const value = next[name]
    const prior = old === undefined ? undefined : old[name]
    if (value === undefined) {
      if (!optional || Object.hasOwn(next, name)) return refused
      if (prior !== undefined) {
        walk.bytes -= bytes + Size.ofJson(prior)
        removed++
      }
      continue
    }
    const taken = take(value, prior === undefined ? none : prior, walk)
    if (taken === refused) return refused
    if (prior === undefined) {
      walk.bytes += bytes
      added++
    } else if (taken !== prior) changed = true
    if (taken !== value || keys[count] !== name) kept = false
    out[name] = taken
    count++
  }
  // Some key is none of the schema's.
  if (keys.length !== count || walk.mode === "copy" && hasSymbols(next)) return refused
  if (old === undefined) walk.bytes += 2 + Size.commas(count)
  else {
    if (!changed && added + removed === 0) return old
    walk.bytes += Size.commas(count) - Size.commas(count - added + removed)
  }
  if (walk.bytes > walk.limit) throw new Suspicious()
  if (walk.mode === "look") return next
  return Object.freeze(kept && walk.mode === "adopt" ? next : out)
}

const record = (take: Take): Take => (next, before, walk) => {
  if (next === before) return before
  if (!isPlainObject(next) || walk.mode === "copy" && hasSymbols(next)) return refused
  const old = before === none ? undefined : before as Plain
  const keys = Object.keys(next)
  const oldKeys = old === undefined ? [] : Object.keys(old)
  const out: { [key: string]: unknown } = {}
  let same = old !== undefined && keys.length === oldKeys.length
  let added = 0
  let kept = true
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!
    const value = next[key]
    const prior = old !== undefined && Object.hasOwn(old, key) ? old[key] : none
    const taken = take(value, prior, walk)
    if (taken === refused) return refused
    if (prior === none) {
      walk.bytes += Size.ofKey(key)
      added++
    }
    // The order of a record's keys is stored, so it counts.
    if (taken !== prior || key !== oldKeys[i]) same = false
    if (taken !== value) kept = false
    assign(out, key, taken)
  }
  if (old === undefined) walk.bytes += 2 + Size.commas(keys.length)
  else {
    if (same) return old
    if (keys.length - added < oldKeys.length) {
      for (const key of oldKeys) {
        if (!Object.hasOwn(out, key)) walk.bytes -= Size.ofKey(key) + Size.ofJson(old[key])
      }
    }
    walk.bytes += Size.commas(keys.length) - Size.commas(oldKeys.length)
  }
  if (walk.bytes > walk.limit) throw new Suspicious()
  if (walk.mode === "look") return next
  return Object.freeze(kept && walk.mode === "adopt" ? next : out)
}

/** Sets an own property, also one that is called `__proto__`. */
export const assign = (to: object, key: string, value: unknown): void => {
  if (key === "__proto__") {
    Object.defineProperty(to, key, { value, enumerable: true, configurable: true, writable: true })
  } else (to as { [key: string]: unknown })[key] = value
}

const array = (elements: ReadonlyArray<Take>, required: number, rest: Take | undefined): Take => {
  const fixed = elements.length
  return (next, before, walk) => {
    if (next === before) return before
    if (!Array.isArray(next)) return refused
    const { length } = next
    if (length < required || rest === undefined && length > fixed) return refused
    const old: ReadonlyArray<unknown> = before === none ? [] : before as ReadonlyArray<unknown>
    const shorter = Math.min(length, old.length)
    let start = 0
    while (start < shorter && next[start] === old[start]) start++
    if (before !== none && start === length && start === old.length) return before
    let end = 0
    // From the end only where all that moves is of the rest, since a tuple's elements differ.
    if (fixed === 0 || length === old.length) {
      while (end < shorter - start && next[length - 1 - end] === old[old.length - 1 - end]) end++
    }
    const out = walk.mode === "copy" ? prefix(old, start) : next as Array<unknown>
    let changed = before === none || length !== old.length
    for (let i = start; i < length - end; i++) {
      const value: unknown = next[i]
      const prior = i < old.length - end ? old[i] : none
      const taken = (i < fixed ? elements[i]! : rest!)(value, prior, walk)
      if (taken === refused) return refused
      if (taken !== prior) changed = true
      if (walk.mode === "copy") out.push(taken)
      else if (walk.mode === "adopt" && taken !== value) out[i] = taken
    }
    if (!changed) return before
    for (let i = Math.max(start, length - end); i < old.length - end; i++) walk.bytes -= Size.ofJson(old[i])
    if (walk.mode === "copy") { for (let i = old.length - end; i < old.length; i++) out.push(old[i]) }
    walk.bytes += Size.commas(length) - Size.commas(old.length) + (before === none ? 2 : 0)
    if (walk.bytes > walk.limit) throw new Suspicious()
    return walk.mode === "look" ? out : Object.freeze(out)
  }
}

// Spreading a frozen array takes a tenth of the time of its `slice`.
const prefix = (items: ReadonlyArray<unknown>, length: number): Array<unknown> => {
  if (length < items.length / 8) return items.slice(0, length)
  const out = [...items]
  out.length = length
  return out
}
