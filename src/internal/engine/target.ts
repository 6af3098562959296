import * as Duration from "effect/Duration"
import { type NameError, ProductError, StateError } from "../../ScopedError.ts"
import { type Codec, Fault, type Held } from "../state/codec.ts"
import type { Cell } from "./cell.ts"

/** One scope inside what an update works on. */
export interface Part {
  /** As the user named it. */
  readonly scope: string
  /** As it is stored, without the namespace. */
  readonly name: string
  readonly codec: Codec
  /** The state where nothing is stored. */
  readonly initial: () => Held | Fault
  readonly idleTimeToLive: Duration.Duration | undefined
}

/** Whether handlers of the two may share a state: same name, same schema, same initial state, same time to live. */
export const samePart = (a: Part, b: Part): boolean =>
  a === b || a.name === b.name && a.codec === b.codec && sameInitial(a, b) && sameTimeToLive(a, b)

const sameInitial = (a: Part, b: Part): boolean => {
  const one = textOfInitial(a)
  return one !== undefined && one === textOfInitial(b)
}

const sameTimeToLive = ({ idleTimeToLive: a }: Part, { idleTimeToLive: b }: Part): boolean =>
  a === b || a !== undefined && b !== undefined && Duration.toMillis(a) === Duration.toMillis(b)

/** The text of a part's initial state, `undefined` where it has none. */
export const textOfInitial = (part: Part): string | undefined => {
  const initial = part.initial()
  const text = initial instanceof Fault ? initial : initial.text()
  return text instanceof Fault ? undefined : text
}

/**
 * What an update works on: one scope, or several as one.
 *
 * `join` makes the state that handlers see from the states of the parts, `split` takes a next state apart again.
 */
export class Target {
  readonly scope: string
  readonly parts: ReadonlyArray<Part>
  /** Its only part, where its state is the state of that. */
  readonly single: Part | undefined
  readonly join: (states: ReadonlyArray<unknown>) => unknown
  readonly split: (state: unknown) => ReadonlyArray<unknown>
  /** Why it can never be used. */
  readonly fault: NameError | ProductError | undefined
  // Out of sight: who freezes, prints or compares a scope with all that is in it must not come by a storage at work.
  #seat: ReadonlyArray<Cell> | undefined = undefined

  constructor(options: Omit<Target, "seat">) {
    this.scope = options.scope
    this.parts = options.parts
    this.single = options.single
    this.join = options.join
    this.split = options.split
    this.fault = options.fault
  }

  /** Where its updates wait in the storage that last let it in, so that this need not be found out for each of them. */
  get seat(): ReadonlyArray<Cell> | undefined {
    return this.#seat
  }

  set seat(cells: ReadonlyArray<Cell> | undefined) {
    this.#seat = cells
  }
}

export const single = (part: Part, fault?: NameError): Target =>
  new Target({
    scope: part.scope,
    parts: [part],
    single: part,
    join: (states) => states[0],
    split: (state) => [state],
    fault
  })

/** Several targets as one, whose state is a struct or a tuple of their states. */
export const product = (members: { readonly [key: string]: Target } | ReadonlyArray<Target>): Target => {
  const keys = Object.keys(members)
  const targets = Object.values(members) as ReadonlyArray<Target>
  const isTuple = Array.isArray(members)
  const parts = targets.flatMap((target) => target.parts)
  const scope = parts.map((part) => part.scope).join(" + ")
  return new Target({
    scope,
    parts,
    single: undefined,
    fault: targets.find((target) => target.fault !== undefined)?.fault ?? repeated(scope, parts),
    join: (states) => {
      let start = 0
      const joined = targets.map((target) => target.join(states.slice(start, start += target.parts.length)))
      return Object.freeze(isTuple ? joined : Object.fromEntries(keys.map((key, i) => [key, joined[i]])))
    },
    split: (state) => {
      if (typeof state !== "object" || state === null) {
        throw new TypeError(
          `The next state of the product ${JSON.stringify(scope)} must be ${isTuple ? "a tuple" : "a struct"} of ` +
            `the next states of its scopes, and is ${state === null ? "null" : typeof state}`
        )
      }
      return targets.flatMap((target, i) => target.split((state as { readonly [key: string]: unknown })[keys[i]!]))
    }
  })
}

const repeated = (scope: string, parts: ReadonlyArray<Part>): ProductError | undefined => {
  const seen = new Set<string>()
  for (const part of parts) {
    if (seen.has(part.name)) {
      return new ProductError({ scope, reason: `${JSON.stringify(part.scope)} is in it twice. Take each scope once` })
    }
    seen.add(part.name)
  }
  return parts.length === 0 ? new ProductError({ scope, reason: "it is empty. Take at least one scope" }) : undefined
}

export const stateError = (part: Part, operation: StateError["operation"], fault: Fault) =>
  new StateError({ scope: part.scope, operation, path: fault.path, reason: fault.reason })
