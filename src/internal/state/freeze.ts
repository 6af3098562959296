import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * Freezes a value and everything in it, so that who mutates it gets a `TypeError`. Says whether nothing in it can be
 * written to any more: not so for dates, maps, sets, bytes, hash maps and other classes, whose insides stay open to
 * who insists.
 *
 * The depth of a value does not matter, nor whether it refers to itself.
 */
export const freeze = (value: unknown): boolean => {
  let closed = true
  const seen = new Set<object>()
  const open: Array<object> = []
  const visit = (item: unknown): void => {
    if (typeof item === "function") closed = false
    if (typeof item !== "object" || item === null || seen.has(item)) return
    seen.add(item)
    open.push(item)
  }
  visit(value)
  while (open.length > 0) {
    const item = open.pop()!
    if (Array.isArray(item)) {
      Object.freeze(item)
      for (let i = 0; i < item.length; i++) visit(item[i])
    } else if (isPlain(item)) visitFields(item, visit)
    else {
      closed = false
      if (Schema.isSchema(item.constructor)) visitFields(item, visit)
      else if (item instanceof Date) guard(item, dateGuards)
      else if (item instanceof Map) {
        guard(item, mapGuards)
        item.forEach((held, key) => {
          visit(key)
          visit(held)
        })
      } else if (item instanceof Set) {
        guard(item, setGuards)
        item.forEach(visit)
      }
    }
  }
  return closed
}

const visitFields = (value: object, visit: (item: unknown) => void): void => {
  Object.freeze(value)
  for (const key of Object.keys(value)) visit((value as { readonly [key: string]: unknown })[key])
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Option.isOption(value) || Result.isResult(value)
}

// Object.freeze does not reach the contents of a Date, Map or Set: their mutators are shadowed by ones that throw.
const guard = (value: object, guards: PropertyDescriptorMap): void => {
  if (!Object.isFrozen(value)) Object.freeze(Object.defineProperties(value, guards))
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
