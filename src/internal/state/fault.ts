import * as Cause from "effect/Cause"
import type * as Exit from "effect/Exit"
import type * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

const brand: unique symbol = Symbol.for("effect-scoped/Fault")

/** Where and why a state does not fit. A class, so that it is told from what fits without a wrapper around either. */
export class Fault {
  readonly path: ReadonlyArray<string | number>
  readonly reason: string

  constructor(path: ReadonlyArray<string | number>, reason: string) {
    this.path = path
    this.reason = reason
  }

  static {
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  /** It may be of another copy of this library: a scope is used in whatever storage there is. */
  static [Symbol.hasInstance](value: unknown): boolean {
    return (value as { readonly [brand]?: true } | null | undefined)?.[brand] === true
  }
}

const tooDeep = new Fault([], "it is nested too deeply, or refers to itself")

const tooLong = new Fault([], "it is too long for any string to hold")

/** What a `catch` has caught, whatever user code threw. */
export const caught = (error: unknown): Fault => {
  const reason = describe(error)
  if (error instanceof RangeError && /call stack|recursion/i.test(reason)) return tooDeep
  if (error instanceof RangeError && /string length|array length/i.test(reason)) return tooLong
  return new Fault([], reason)
}

/** Why a schema refused. */
export const ofExit = (exit: Exit.Failure<unknown, Schema.SchemaError>): Fault => {
  const reason = exit.cause.reasons[0]
  if (reason === undefined || !Cause.isFailReason(reason)) {
    const defect = reason !== undefined && Cause.isDieReason(reason) ? reason.defect : exit.cause
    const fault = caught(defect)
    return defect instanceof RangeError ? fault : new Fault(fault.path, `its schema threw: ${fault.reason}`)
  }
  const issue = format(reason.error.issue).issues[0]
  const path = (issue?.path ?? []).map((part) => {
    const key = typeof part === "object" ? part.key : part
    return typeof key === "number" ? key : String(key)
  })
  return new Fault(path, issue?.message ?? reason.error.message)
}

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** What was thrown, as text. It never throws, whatever that is. */
export const shown = (thrown: unknown): string => {
  try {
    return String(thrown)
  } catch {
    return "something was thrown that cannot be shown"
  }
}

const describe = (error: unknown): string => {
  try {
    return error instanceof Error ? error.message : shown(error)
  } catch {
    return shown(error)
  }
}
