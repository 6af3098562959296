import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * Freezes a state and everything in it, so that a handler which mutates its state throws instead of corrupting the
 * handlers that share it. What is frozen already is not walked again.
 *
 * Values whose classes may change inside unseen (chunks, hash maps, typed arrays, foreign classes) are left alone.
 */
export const freeze = <A>(value: A): A => {
  walk(value)
  return value
}

const walk = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  if (Array.isArray(value)) {
    Object.freeze(value)
    for (let i = 0; i < value.length; i++) walk(value[i])
    return
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return walkFields(value)
  if (value instanceof Date) return guard(value, dateGuards)
  if (value instanceof Map) {
    guard(value, mapGuards)
    value.forEach((item, key) => {
      walk(key)
      walk(item)
    })
    return
  }
  if (value instanceof Set) {
    guard(value, setGuards)
    value.forEach(walk)
    return
  }
  if (Option.isOption(value) || Result.isResult(value) || Schema.isSchema(value.constructor)) walkFields(value)
}

const walkFields = (value: object): void => {
  Object.freeze(value)
  for (const key of Object.keys(value)) walk((value as { readonly [key: string]: unknown })[key])
}

// Object.freeze does not reach the contents of a Date, Map or Set: their mutators are shadowed by ones that throw.
const guard = (value: object, guards: PropertyDescriptorMap): void => {
  Object.freeze(Object.defineProperties(value, guards))
}

const guardsFor = (methods: ReadonlyArray<string>): PropertyDescriptorMap =>
  Object.fromEntries(methods.map((method) => [method, {
    value: () => {
      throw new TypeError(`Cannot ${method} on a frozen state: return a changed copy instead`)
    }
  }]))

const dateGuards = guardsFor(Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set")))
const mapGuards = guardsFor(["set", "delete", "clear"])
const setGuards = guardsFor(["add", "delete", "clear"])
