import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { caught, type Fault, ofExit } from "./fault.ts"
import { freeze } from "./freeze.ts"
import * as Json from "./json.ts"
import * as Plain from "./plain.ts"
import { differs } from "./same.ts"
import * as Size from "./size.ts"
import * as UnknownKeys from "./unknownKeys.ts"

export type { Fault } from "./fault.ts"

/** A state as the engine holds it: what it would be stored as and what handlers see of it. Immutable. */
export interface Held {
  /**
   * The state to hand out. The same frozen value each time, or, where something in it cannot be frozen (dates, maps,
   * bytes, classes), a fresh copy that nobody shares.
   */
  readonly view: () => unknown
  /** Whether `view` gives the same frozen value each time. */
  readonly shared: boolean
  /** UTF-8 bytes of its JSON text, known without writing the text where the schema is plain. */
  readonly bytes: number
  /** The JSON text that stores it, made when it is first asked for. Fails only where no text can be made. */
  readonly text: () => Result.Result<string, Fault>
}

/** Between the JSON text that is stored and the states that handlers see. Nothing here throws. */
export interface Codec {
  readonly read: (text: string) => Result.Result<Held, Fault>
  /**
   * What a handler left, as it would be read back were it stored. `before` is what the handler was given: keys of it
   * that the schema does not know are carried over, and what did not change is not looked at again. Gives `before`
   * itself where nothing has changed.
   */
  readonly accept: (next: unknown, before: Held) => Result.Result<Held, Fault>
  /** A state that comes from nowhere, such as the initial one. */
  readonly hold: (state: unknown) => Result.Result<Held, Fault>
}

const codecs = new WeakMap<object, Codec>()

/** The codec of a schema, built once, so that scopes of the same schema share what is known. */
export const of = (schema: Schema.Constraint): Codec => {
  let codec = codecs.get(schema)
  if (codec === undefined) codecs.set(schema, codec = make(schema))
  return codec
}

const make = (schema: Schema.Constraint): Codec => {
  let working: Working | undefined
  // Recursive schemas may name what is not there yet when the scope is made.
  const attempt = (run: (working: Working) => Result.Result<Held, Fault>): Result.Result<Held, Fault> => {
    try {
      return run(working ??= new Working(schema))
    } catch (error) {
      return Result.fail(caught(error))
    }
  }
  return {
    read: (text) => attempt((working) => working.read(text)),
    accept: (next, before) => attempt((working) => working.accept(next, before as State)),
    hold: (state) => attempt((working) => working.accept(state, undefined))
  }
}

// What was read of a record with keys that the schema does not know.
interface Unknown {
  /** Its state as JSON. */
  readonly json: unknown
  readonly extras: UnknownKeys.Extras
}

interface Decoded {
  readonly state: unknown
  /** The JSON value without the keys that the schema does not know. */
  readonly json: unknown
  readonly extras: UnknownKeys.Extras | undefined
}

class Working {
  readonly #encode: Step
  readonly #encodeExactly: Step
  readonly #decode: Step
  readonly #decodeExactly: Step
  readonly #plain: Plain.Take | undefined
  // Of the JSON side, which is always plain: says quickly that there are no unknown keys.
  readonly #json: Plain.Take | undefined

  constructor(schema: Schema.Constraint) {
    const json = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, Schema.Json>
    this.#encode = Schema.encodeUnknownExit(json)
    this.#encodeExactly = Schema.encodeUnknownExit(json, exactly)
    this.#decode = Schema.decodeUnknownExit(json)
    this.#decodeExactly = Schema.decodeUnknownExit(json, { ...exactly, errors: "all" })
    this.#plain = Plain.compile(json.ast)
    this.#json = this.#plain === undefined ? Plain.compile(SchemaAST.toEncoded(json.ast)) : undefined
  }

  read(text: string): Result.Result<State, Fault> {
    const json = parse(text)
    if (Result.isFailure(json)) return Result.fail(json.failure)
    const walk: Plain.Walk = { bytes: 0, limit: Infinity, mode: "adopt" }
    const taken = take(this.#plain, json.success, Plain.none, walk)
    if (taken !== Plain.refused) return Result.succeed(this.#tree(taken, walk.bytes, text))
    return Result.flatMap(this.#decodeAll(json.success), (decoded) => this.#held(decoded, text))
  }

  accept(next: unknown, before: State | undefined): Result.Result<State, Fault> {
    if (before !== undefined && before.of === this && before.shared && before.state === next) {
      return Result.succeed(before)
    }
    if (this.#plain !== undefined) {
      const hint = before !== undefined && before.of === this && before.plain ? before : undefined
      const walk: Plain.Walk = { bytes: 0, limit: suspicious, mode: "copy" }
      const taken = take(this.#plain, next, hint === undefined ? Plain.none : hint.state, walk)
      if (taken !== Plain.refused) {
        if (hint !== undefined && taken === hint.state) return Result.succeed(hint)
        if (before?.unknown !== undefined) return this.#rejoin(taken, taken, before, before.unknown)
        return Result.succeed(this.#tree(taken, walk.bytes + (hint === undefined ? 0 : hint.measured), undefined))
      }
    }
    return this.#write(next, before)
  }

  /** The slow way: writes the state, reads it back, and makes sure that it is still the same. */
  #write(next: unknown, before: State | undefined): Result.Result<State, Fault> {
    const written = this.#trip(this.#encode(next), next)
    // Of the members of a union the first that fits is written, whatever it leaves out. One may fit exactly.
    const exact = Result.isSuccess(written) ? written : this.#trip(this.#encodeExactly(next), next)
    if (Result.isFailure(exact)) return Result.fail((written as Result.Failure<never, Fault>).failure)
    const { decoded, json, text } = exact.success
    if (before?.unknown !== undefined) return this.#rejoin(json, decoded.state, before, before.unknown)
    if (before !== undefined && before.says(text)) return Result.succeed(before)
    return this.#held(decoded, text)
  }

  /** There and back again. */
  #trip(encoded: Exit.Exit<unknown, Schema.SchemaError>, next: unknown): Result.Result<Trip, Fault> {
    if (Exit.isFailure(encoded)) return Result.fail(ofExit(encoded))
    const json = encoded.value
    const text = JSON.stringify(json) as string | undefined
    if (text === undefined) return Result.fail({ path: [], reason: "it has no JSON form" })
    const decoded = this.#decodeAll(Json.parse(text))
    if (Result.isFailure(decoded)) {
      const { path, reason } = decoded.failure
      return Result.fail({ path, reason: `it could not be read back: ${reason}` })
    }
    const at = differs(next, decoded.success.state)
    return at === undefined
      ? Result.succeed({ json, text, decoded: decoded.success })
      : Result.fail(lost(next, decoded.success.state, at))
  }

  /** Puts back the keys that the schema does not know. */
  #rejoin(json: unknown, state: unknown, before: State, { extras, json: was }: Unknown): Result.Result<State, Fault> {
    const carried = UnknownKeys.carry(json, was, extras)
    const text = JSON.stringify(carried === undefined ? json : UnknownKeys.join(json, carried))
    if (before.says(text)) return Result.succeed(before)
    return Result.flatMap(this.read(text), (held) => {
      const at = differs(state, held.state)
      return at === undefined ? Result.succeed(held) : Result.fail({
        path: at,
        reason: "beside the keys of its record that this schema does not know it would be read back as something else"
      })
    })
  }

  /** Decodes a JSON value and finds the keys in it that the schema does not know. */
  #decodeAll(json: unknown): Result.Result<Decoded, Fault> {
    if (take(this.#json, json, Plain.none, { bytes: 0, limit: Infinity, mode: "look" }) !== Plain.refused) {
      return decoded(this.#decode(json), json, undefined)
    }
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
    return decoded(this.#decode(known), known, extras)
  }

  #held({ extras, json, state }: Decoded, text: string): Result.Result<State, Fault> {
    let unknown: Unknown | undefined
    if (extras !== undefined) {
      const encoded = this.#encode(state)
      if (Exit.isFailure(encoded)) return Result.fail(ofExit(encoded))
      const carried = UnknownKeys.carry(encoded.value, json, extras)
      unknown = carried && { json: encoded.value, extras: carried }
    }
    const bytes = Size.utf8(text)
    const walk: Plain.Walk = { bytes: 0, limit: Infinity, mode: "copy" }
    const taken = take(this.#plain, state, Plain.none, walk)
    return Result.succeed(
      taken === Plain.refused
        ? this.#copied(state, bytes, text, unknown)
        : new State(this, true, taken, true, bytes, walk.bytes, text, unknown, undefined)
    )
  }

  #tree(state: unknown, bytes: number, text: string | undefined): State {
    const size = text === undefined ? bytes : Size.utf8(text)
    return new State(this, true, state, true, size, bytes, text, undefined, undefined)
  }

  #copied(state: unknown, bytes: number, text: string, unknown: Unknown | undefined): State {
    const again = () => {
      const decoded = this.#decodeAll(Json.parse(text))
      if (Result.isSuccess(decoded)) freeze(decoded.success.state)
      return decoded
    }
    return new State(this, false, state, freeze(state), bytes, bytes, text, unknown, again)
  }
}

class State implements Held {
  readonly of: Working
  /** Whether it was taken the fast way, and so may be a hint. */
  readonly plain: boolean
  readonly state: unknown
  readonly shared: boolean
  readonly bytes: number
  /** The bytes of the text that this library would write, which may differ from those that were read. */
  readonly measured: number
  #written: string | undefined
  readonly unknown: Unknown | undefined
  readonly #again: (() => Result.Result<Decoded, Fault>) | undefined
  #given = false

  constructor(
    of: Working,
    plain: boolean,
    state: unknown,
    shared: boolean,
    bytes: number,
    measured: number,
    written: string | undefined,
    unknown: Unknown | undefined,
    again: (() => Result.Result<Decoded, Fault>) | undefined
  ) {
    this.of = of
    this.plain = plain
    this.state = state
    this.shared = shared
    this.bytes = bytes
    this.measured = measured
    this.#written = written
    this.unknown = unknown
    this.#again = again
  }

  view(): unknown {
    if (this.shared) return this.state
    if (!this.#given) {
      this.#given = true
      return this.state
    }
    try {
      const again = this.#again!()
      if (Result.isSuccess(again)) return again.success.state
    } catch {
      // Falls through
    }
    return this.state
  }

  text(): Result.Result<string, Fault> {
    if (this.#written === undefined) {
      try {
        this.#written = JSON.stringify(this.state)
      } catch (error) {
        return Result.fail(caught(error))
      }
    }
    return Result.succeed(this.#written)
  }

  /** Whether this is its text. */
  says(text: string): boolean {
    const own = this.text()
    return Result.isSuccess(own) && own.success === text
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
const take = (plain: Plain.Take | undefined, next: unknown, before: unknown, walk: Plain.Walk): unknown => {
  if (plain === undefined) return Plain.refused
  try {
    return plain(next, before, walk)
  } catch (error) {
    if (!(error instanceof Plain.Suspicious)) return Plain.refused
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
): Result.Result<Decoded, Fault> =>
  Exit.isSuccess(exit) ? Result.succeed({ state: exit.value, json, extras }) : Result.fail(ofExit(exit))

const parse = (text: string): Result.Result<unknown, Fault> => {
  try {
    return Result.succeed(Json.parse(text))
  } catch (error) {
    const { path, reason } = caught(error)
    return Result.fail({ path, reason: `it is not JSON: ${reason}` })
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
  return {
    path,
    reason: dropped
      ? `its schema does not know ${JSON.stringify(key)}, which would be lost`
      : "it would not be read back as it is: its schema writes another value in the same way, or changes it"
  }
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null
