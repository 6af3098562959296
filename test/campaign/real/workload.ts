/**
 * Random programs over a few scopes in a real store. The state of a scope is the list of the operations that made it:
 * nothing can be lost, be done twice or be seen too early without an answer that tells.
 */
import { Effect, Result, Schema } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import type { ScopedError } from "effect-scoped/ScopedError"
import type { Linearizability } from "effect-scoped/testing"
import type { Seeded } from "../../../src/testing/internal/random.ts"

/** `ledger` is never removed and never expires; `short` expires. */
export type Name = "plain" | "other" | "short" | "ledger"

export type Log = ReadonlyArray<number>

/** `group` is which of several sets of scopes, that have nothing to do with each other. */
export type Operation =
  & { readonly group: string; readonly id: number }
  & (
    | { readonly do: "append" | "abort" | "remove" | "get" | "expire"; readonly to: Name }
    | { readonly do: "both" | "copy" | "getBoth"; readonly from: Name; readonly to: Name }
  )

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

export type Answer = ReadonlyArray<Log> | Log | { readonly aborted: Log } | null

/** Runs an operation; the answer is what it found. */
export const run = (operation: Operation): Effect.Effect<Answer, ScopedError, Storage.Storage> => {
  const { group, id, to } = operation
  const scope = scopeOf(group, to)
  switch (operation.do) {
    case "append":
      return Scoped.update(scope, (log) => [log, [...log, id]])
    case "abort":
      return Scoped.updateResult(
        scope,
        (log): Result.Result<readonly [Log, Log], { readonly aborted: Log }> => Result.fail({ aborted: log })
      ).pipe(Effect.catchIf((error): error is { readonly aborted: Log } => "aborted" in error, Effect.succeed))
    case "remove":
      return Effect.as(Scoped.remove(scope), null)
    case "get":
      return Scoped.get(scope)
    case "expire":
      return Effect.succeed(null)
    case "both":
      return Scoped.update(Scoped.all([scopeOf(group, operation.from), scope]), ([one, other]) => [
        [one, other],
        [[...one, id], [...other, id]]
      ])
    case "copy":
      return Scoped.update(Scoped.all([scopeOf(group, operation.from), scope]), ([one, other]) => [
        [one, other],
        [one, [...other, id]]
      ])
    case "getBoth":
      return Scoped.get(Scoped.all([scopeOf(group, operation.from), scope]))
  }
}

/** Whether an operation never changes anything. */
export const isRead = (operation: Operation): boolean =>
  operation.do === "get" || operation.do === "getBoth" || operation.do === "abort"

/** The scopes that an operation appends to. */
export const appendsTo = (operation: Operation): ReadonlyArray<Name> =>
  operation.do === "append" || operation.do === "copy"
    ? [operation.to]
    : operation.do === "both"
    ? [operation.from, operation.to]
    : []

type State = { readonly [name in Name]?: Log }

const without = (state: State, name: Name): State => {
  const { [name]: _, ...rest } = state
  return rest
}

/** What the scopes of one group do. */
export const model: Linearizability.Model<State, Operation, Answer> = {
  initial: {},
  reads: isRead,
  keys: ({ group }) => [group],
  step: (state, operation) => {
    const { id, to } = operation
    const log = state[to] ?? []
    switch (operation.do) {
      case "append":
        return [log, { ...state, [to]: [...log, id] }]
      case "abort":
        return [{ aborted: log }, state]
      case "get":
        return [log, state]
      case "remove":
        return [null, without(state, to)]
      // Time has passed since the append of this id, and nothing came after it.
      case "expire":
        return [null, log.at(-1) === id ? without(state, to) : state]
      case "both": {
        const { from } = operation
        const found = state[from] ?? []
        return [[found, log], { ...state, [from]: [...found, id], [to]: [...log, id] }]
      }
      case "copy":
        return [[state[operation.from] ?? [], log], { ...state, [to]: [...log, id] }]
      case "getBoth":
        return [[state[operation.from] ?? [], log], state]
    }
  }
}
