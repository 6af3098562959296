import * as Equal from "effect/Equal"
export const differs = (a: unknown, b: unknown): ReadonlyArray<string | number> | undefined =>
  Equal.equals(a, b) ? undefined : []
