/**
 * Random programs over a few scopes in a real store. The state of a scope is the list of the operations that made it:
 * nothing can be lost, be done twice or be seen too early without an answer that tells.
 */
import { type Effect, Schema } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import type { ScopedError } from "effect-scoped/ScopedError"
import type { Linearizability } from "effect-scoped/testing"
import type { Seeded } from "../../../src/testing/internal/random.ts"
import * as Logs from "../logs.ts"

/** `ledger` is never removed and never expires; `short` expires. */
export type Name = "plain" | "other" | "short" | "ledger"

/** `group` is which of several sets of scopes, that have nothing to do with each other. */
export type Operation = Logs.Operation<Name> & { readonly group: string }

/** How long `short` lasts, in milliseconds. */
export const lifetime = 600

const schema = Schema.Array(Schema.Int)

/** The scopes of a group are in one slot of a cluster, and may be changed together. */
const scopeOf = (group: string, name: Name) =>
  Scoped.make(`{${group}}${name}`, {
    schema,
    initial: [],
    idleTimeToLive: name === "short" ? lifetime : undefined
  })

const kinds = ["append", "append", "append", "abort", "remove", "get", "both", "both", "copy", "getBoth"] as const

const names: ReadonlyArray<Name> = ["plain", "other", "short", "ledger"]

/** The next operation of a program. Every `id` is given once in a round. Without `removes` nothing is removed. */
export const operation = (
  random: Seeded,
  { groups, removes }: { readonly groups: ReadonlyArray<string>; readonly removes: boolean },
  id: number
): Operation => {
  const group = random.choice(groups)
  const kind = random.choice(kinds)
  const to = random.choice(names)
  if (kind === "remove" && (to === "ledger" || !removes)) return { do: "append", group, to, id }
  if (kind !== "both" && kind !== "copy" && kind !== "getBoth") return { do: kind, group, to, id }
  return { do: kind, group, from: random.choice(names.filter((name) => name !== to)), to, id }
}

/** What everybody looks at once the round is over. */
export const observations = (group: string): ReadonlyArray<Operation> => [
  { do: "getBoth", group, from: "plain", to: "ledger", id: 0 },
  { do: "getBoth", group, from: "other", to: "short", id: 0 }
]

/** Runs an operation; the answer is what it found. */
export const run = (operation: Operation): Effect.Effect<Logs.Answer, ScopedError, Storage.Storage> =>
  Logs.run(operation, (name) => scopeOf(operation.group, name))

/** The scopes that an operation appends to. */
export const appendsTo = (operation: Operation): ReadonlyArray<Name> =>
  operation.do === "append" || operation.do === "copy"
    ? [operation.to]
    : operation.do === "both"
    ? [operation.from, operation.to]
    : []

/** What the scopes of one group do. */
export const model: Linearizability.Model<Logs.State<Name>, Operation, Logs.Answer> = {
  initial: {},
  reads: Logs.isRead,
  keys: ({ group }) => [group],
  step: (state, operation) =>
    // Time has passed since the append of this id, and perhaps something came after it.
    operation.do === "expire" && state[operation.to]?.at(-1) !== operation.id
      ? [null, state]
      : Logs.step(state, operation)
}
