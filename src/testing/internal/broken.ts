import { DriverError } from "../../ScopedError.ts"

const descriptions: { readonly [reason in DriverError["reason"]]?: string } = {
  Timeout: "it did not answer in time",
  NotReplicated: "it is on one replica only",
  Unknown: "something went wrong"
}

const made = new Map<string, DriverError>()

/** The error of a call that did not go well: always the same one, for errors are dear to make. */
export const broken = (
  operation: "read" | "commit" | "names" | "changes",
  reason: DriverError["reason"],
  inDoubt: boolean
): DriverError => {
  const key = `${operation} ${reason} ${inDoubt}`
  let error = made.get(key)
  if (error === undefined) {
    error = new DriverError({
      driver: "simulation",
      operation,
      reason,
      description: descriptions[reason] ?? "the connection broke",
      inDoubt
    })
    made.set(key, error)
  }
  return error
}
