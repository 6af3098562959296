/**
 * What programs of the campaigns do with scopes whose state is the list of the operations that made it: nothing can be
 * lost, be done twice or be seen too early without an answer that tells.
 */
import { Effect, Result } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import type { ScopedError } from "effect-scoped/ScopedError"

export type Log = ReadonlyArray<number>

/** An operation on the scopes of these names. `id` is what it adds. */
export type Operation<Name extends string> =
  & { readonly id: number }
  & (
    | { readonly do: "append" | "abort" | "remove" | "get" | "expire"; readonly to: Name }
    | { readonly do: "both" | "copy" | "getBoth"; readonly from: Name; readonly to: Name }
  )

/** The answer to an operation is what it found. */
export type Answer = ReadonlyArray<Log> | Log | { readonly aborted: Log } | null

/** What is stored: nothing where a scope holds nothing. */
export type State<Name extends string> = { readonly [name in Name]?: Log }

/** Whether an operation never changes anything. */
export const isRead = (operation: { readonly do: string }): boolean =>
  operation.do === "get" || operation.do === "getBoth" || operation.do === "abort"

/** Runs an operation. What expires does so by itself. */
export const run = <Name extends string>(
  operation: Operation<Name>,
  scopeOf: (name: Name) => Scoped.Scoped<Log>
): Effect.Effect<Answer, ScopedError, Storage.Storage> => {
  const { id, to } = operation
  const scope = scopeOf(to)
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
      return Scoped.update(Scoped.all([scopeOf(operation.from), scope]), ([one, other]) => [
        [one, other],
        [[...one, id], [...other, id]]
      ])
    case "copy":
      return Scoped.update(Scoped.all([scopeOf(operation.from), scope]), ([one, other]) => [
        [one, other],
        [one, [...other, id]]
      ])
    case "getBoth":
      return Scoped.get(Scoped.all([scopeOf(operation.from), scope]))
  }
}

/** What an operation does by the book. */
export const step = <Name extends string>(
  state: State<Name>,
  operation: Operation<Name>
): readonly [Answer, State<Name>] => {
  const { id, to } = operation
  const logOf = (name: Name): Log => state[name] ?? []
  const log = logOf(to)
  const added: Log = [...log, id]
  const set = (logs: object): State<Name> => ({ ...state, ...logs })
  switch (operation.do) {
    case "append":
      return [log, set({ [to]: added })]
    case "abort":
      return [{ aborted: log }, state]
    case "get":
      return [log, state]
    case "remove":
    case "expire": {
      const { [to]: _, ...rest } = state
      return [null, rest as State<Name>]
    }
    case "both": {
      const found = logOf(operation.from)
      return [[found, log], set({ [operation.from]: [...found, id], [to]: added })]
    }
    case "copy":
      return [[logOf(operation.from), log], set({ [to]: added })]
    case "getBoth":
      return [[logOf(operation.from), log], state]
  }
}
