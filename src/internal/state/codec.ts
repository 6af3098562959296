import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { caught, Fault, ofExit } from "./fault.ts"
import { freeze } from "./freeze.ts"
import { Held, type Unknown, type Writer } from "./held.ts"
import * as Json from "./json.ts"
import * as Plain from "./plain.ts"
import { differs } from "./same.ts"
import * as Size from "./size.ts"
import { none, refused, Suspicious, type Take, type Walk } from "./take.ts"
import * as UnknownKeys from "./unknownKeys.ts"

export { Fault } from "./fault.ts"
export { Held } from "./held.ts"

/** Between the JSON text that is stored and the states that handlers see. Nothing here throws. */
export interface Codec {
  readonly read: (text: string) => Held | Fault
  /**
   * What a handler left, as it would be read back were it stored. `before` is what the handler was given: keys of it
   * that the schema does not know are carried over, and what did not change is not looked at again. Gives `before`
   * itself where nothing has changed.
   */
  readonly accept: (next: unknown, before: Held) => Held | Fault
  /** A state that comes from nowhere, such as the initial one. */
  readonly hold: (state: unknown) => Held | Fault
}

const codecs = new WeakMap<object, Codec>()

/** The codec of a schema, built once, so that scopes of the same schema share what is known. */
export const of = (schema: Schema.Constraint): Codec => {
  let codec = codecs.get(schema)
  if (codec === undefined) codecs.set(schema, codec = make(schema))
  return codec
}

const make = (schema: Schema.Constraint): Codec => {
  let translator: Translator | undefined
  // Recursive schemas may name what is not there yet when the scope is made.
  const made = (): Translator => translator ??= new Translator(schema)
  const accept = (next: unknown, before: Held | undefined): Held | Fault => {
    try {
      return made().accept(next, before)
    } catch (error) {
      return caught(error)
    }
  }
  return {
    read: (text) => {
      try {
        return made().read(text)
      } catch (error) {
        return caught(error)
      }
    },
    accept,
    hold: (state) => accept(state, undefined)
  }
}

const rejoined = (json: unknown, unknown: Unknown): readonly [text: string, Unknown | undefined] => {
  const extras = UnknownKeys.carry(json, unknown.json, unknown.extras)
  return extras === undefined
    ? [JSON.stringify(json), undefined]
    : [JSON.stringify(UnknownKeys.join(json, extras)), { json, extras }]
}

interface Decoded {
  readonly state: unknown
  /** The JSON value without the keys that the schema does not know. */
  readonly json: unknown
  readonly extras: UnknownKeys.Extras | undefined
}

class Translator implements Writer {
  readonly #encode: Step
  readonly #encodeExactly: Step
  readonly #decode: Step
  readonly #decodeExactly: Step
  readonly #plain: Take | undefined
  // Of the JSON side, which is always plain: says quickly that there are no unknown keys.
  readonly #json: Take | undefined

  constructor(schema: Schema.Constraint) {
    const json = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, Schema.Json>
    this.#encode = Schema.encodeUnknownExit(json)
    this.#encodeExactly = Schema.encodeUnknownExit(json, exactly)
    this.#decode = Schema.decodeUnknownExit(json)
    this.#decodeExactly = Schema.decodeUnknownExit(json, { ...exactly, errors: "all" })
    this.#plain = Plain.compile(json.ast)
    this.#json = this.#plain === undefined ? Plain.compile(SchemaAST.toEncoded(json.ast)) : undefined
  }

  read(text: string): Held | Fault {
    const json = parse(text)
    if (json instanceof Fault) return json
    const walk: Walk = { bytes: 0, limit: Infinity, mode: "adopt" }
    const taken = take(this.#plain, json, none, walk)
    if (taken !== refused) {
      const unknown = walk.unknown && { json: this.json(taken), extras: walk.unknown }
      return this.#tree(taken, walk.bytes, text, unknown)
    }
    // What was adopted in part is not what was read any more.
    const again = this.#plain === undefined ? json : Json.parse(text)
    const decoded = this.#decodeAll(again)
    return decoded instanceof Fault ? decoded : this.#held(decoded, text)
  }

  accept(next: unknown, before: Held | undefined): Held | Fault {
    if (before !== undefined && before.of === this && before.shared && before.state === next) {
      return before
    }
    if (this.#plain !== undefined) {
      const hint = before !== undefined && before.of === this && before.plain ? before : undefined
      const walk: Walk = { bytes: 0, limit: suspicious, mode: "copy" }
      const taken = take(this.#plain, next, hint === undefined ? none : hint.state, walk)
      if (taken !== refused) {
        if (hint !== undefined && taken === hint.state) return hint
        const bytes = walk.bytes + (hint === undefined ? 0 : hint.measured)
        if (before?.unknown === undefined) return this.#tree(taken, bytes, undefined, undefined)
        if (this.#plain.json !== undefined) return this.#rejoin(this.json(taken), taken, before, before.unknown)
        const [text, unknown] = rejoined(taken, before.unknown)
        return before.text() === text ? before : this.#tree(taken, bytes, text, unknown)
      }
    }
    return this.#write(next, before)
  }

  /** The slow way: writes the state, reads it back, and makes sure that it is still the same. */
  #write(next: unknown, before: Held | undefined): Held | Fault {
    const written = this.#trip(this.#encode(next), next)
    // Of the members of a union the first that fits is written, whatever it leaves out. One may fit exactly.
    const exact = written instanceof Fault ? this.#trip(this.#encodeExactly(next), next) : written
    if (exact instanceof Fault) return written as Fault
    const { decoded, json, text } = exact
    if (before?.unknown !== undefined) return this.#rejoin(json, decoded.state, before, before.unknown)
    if (before !== undefined && before.text() === text) return before
    return this.#held(decoded, text)
  }

  /** There and back again. */
  #trip(encoded: Exit.Exit<unknown, Schema.SchemaError>, next: unknown): Trip | Fault {
    if (Exit.isFailure(encoded)) return ofExit(encoded)
    const json = encoded.value
    const text = JSON.stringify(json) as string | undefined
    if (text === undefined) return new Fault([], "it has no JSON form")
    const decoded = this.#decodeAll(Json.parse(text))
    if (decoded instanceof Fault) return new Fault(decoded.path, `it could not be read back: ${decoded.reason}`)
    const at = differs(next, decoded.state, true)
    return at === undefined ? { json, text, decoded } : lost(next, decoded.state, at)
  }

  /** Puts back the keys that the schema does not know. */
  #rejoin(json: unknown, state: unknown, before: Held, unknown: Unknown): Held | Fault {
    const [text] = rejoined(json, unknown)
    if (before.text() === text) return before
    const held = this.read(text)
    if (held instanceof Fault) return held
    const at = differs(state, held.state)
    return at === undefined ? held : new Fault(
      at,
      "beside the keys of its record that this schema does not know it would be read back as something else"
    )
  }

  /** Decodes a JSON value and finds the keys in it that the schema does not know. */
  #decodeAll(json: unknown): Decoded | Fault {
    if (take(this.#json, json, none, { bytes: 0, limit: Infinity, mode: "look" }) !== refused) {
      // Of the members of a union the first that fits is read, whatever it leaves out. One may fit exactly.
      const exit = this.#decodeExactly(json)
      return decoded(Exit.isSuccess(exit) ? exit : this.#decode(json), json, undefined)
    }
    const loosely = this.#decode(json)
    if (Exit.isFailure(loosely)) return ofExit(loosely)
    const paths: Array<UnknownKeys.Path> = []
    let known = json
    let extras: UnknownKeys.Extras | undefined
    // What one level of a schema hides of the next shows once it is out of the way.
    for (let round = 0; round < 8; round++) {
      const exit = this.#decodeExactly(known)
      if (Exit.isSuccess(exit)) return decoded(exit, known, extras)
      const reason = exit.cause.reasons[0]
      const found = reason?._tag === "Fail" ? UnknownKeys.unexpected(reason.error.issue) : undefined
      if (found === undefined) break
      for (const path of found) paths.push(path)
      const parts = UnknownKeys.split(json, paths)
      if (parts === undefined) break
      known = parts[0]
      extras = parts[1]
    }
    return decoded(known === json ? loosely : this.#decode(known), known, extras)
  }

  #held({ extras, json, state }: Decoded, text: string): Held | Fault {
    let unknown: Unknown | undefined
    if (extras !== undefined) {
      const encoded = this.#encode(state)
      if (Exit.isFailure(encoded)) return ofExit(encoded)
      const carried = UnknownKeys.carry(encoded.value, json, extras)
      unknown = carried && { json: encoded.value, extras: carried }
    }
    const bytes = Size.utf8(text)
    const walk: Walk = { bytes: 0, limit: Infinity, mode: "copy" }
    const taken = take(this.#plain, state, none, walk)
    return taken === refused
      ? this.#copied(state, bytes, text, unknown)
      : new Held(this, true, taken, bytes, walk.bytes, text, unknown, this.#fresh(taken))
  }

  #tree(state: unknown, bytes: number, text: string | undefined, unknown: Unknown | undefined): Held {
    const size = text === undefined ? bytes : Size.utf8(text)
    return new Held(this, true, state, size, bytes, text, unknown, this.#fresh(state))
  }

  #fresh(state: unknown): (() => unknown) | undefined {
    const fresh = this.#plain?.fresh
    return fresh && (() => fresh(state))
  }

  /** What is stored of a state that was taken. */
  json(state: unknown): unknown {
    const json = this.#plain?.json
    return json === undefined ? state : json(state)
  }

  #copied(state: unknown, bytes: number, text: string, unknown: Unknown | undefined): Held {
    const again = () => {
      const decoded = this.#decodeAll(Json.parse(text))
      if (decoded instanceof Fault) throw decoded
      freeze(decoded.state)
      return decoded.state
    }
    return new Held(this, false, state, bytes, bytes, text, unknown, freeze(state) ? undefined : again)
  }
}

interface Trip {
  readonly json: unknown
  readonly text: string
  readonly decoded: Decoded
}

const suspicious = 2 ** 22

// No engine's strings are longer.
const longest = 2 ** 30

// Whatever is thrown on the fast way, such as by a check or for want of stack, the schema tells it better.
const take = (plain: Take | undefined, next: unknown, before: unknown, walk: Walk): unknown => {
  if (plain === undefined) return refused
  try {
    return plain(next, before, walk)
  } catch (error) {
    if (!(error instanceof Suspicious)) return refused
    if (Size.estimate(next) > longest) throw new RangeError("Invalid string length")
    return take(plain, next, before, Object.assign(walk, { bytes: 0, limit: Infinity }))
  }
}

type Step = (input: unknown) => Exit.Exit<unknown, Schema.SchemaError>

const exactly: SchemaAST.ParseOptions = { onExcessProperty: "error" }

const decoded = (
  exit: Exit.Exit<unknown, Schema.SchemaError>,
  json: unknown,
  extras: UnknownKeys.Extras | undefined
): Decoded | Fault => Exit.isSuccess(exit) ? { state: exit.value, json, extras } : ofExit(exit)

const parse = (text: string): unknown => {
  try {
    return Json.parse(text)
  } catch (error) {
    const { path, reason } = caught(error)
    return new Fault(path, `it is not JSON: ${reason}`)
  }
}

const lost = (next: unknown, state: unknown, path: ReadonlyArray<string | number>): Fault => {
  const key = path.at(-1)
  const parent = (value: unknown): unknown =>
    path.slice(0, -1).reduce(
      (at: unknown, key) => (at as { readonly [key: string]: unknown } | undefined)?.[key],
      value
    )
  const [had, has] = [parent(next), parent(state)]
  const dropped = key !== undefined && isObject(had) && isObject(has) && !Array.isArray(had) &&
    !(key in has)
  return new Fault(
    path,
    dropped
      ? `its schema does not know ${JSON.stringify(key)}, which would be lost`
      : "it would not be read back as it is: its schema writes another value in the same way, or changes it"
  )
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null
