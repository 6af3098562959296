/**
 * Random programs over a few scopes, whose states are the list of the operations that made them: nothing can be lost,
 * be done twice or be seen too early without an answer that tells.
 */
import { Effect, Random, Result, Schema, Stream } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import { ConflictError, type ScopedError } from "effect-scoped/ScopedError"
import { type Linearizability, Simulation } from "effect-scoped/testing"

type Name = "plain" | "other" | "short"

type Log = ReadonlyArray<number>

export type Operation =
  | { readonly do: "append" | "abort" | "remove" | "get" | "expire"; readonly to: Name; readonly id: number }
  | { readonly do: "both" | "copy" | "getBoth"; readonly from: Name; readonly to: Name; readonly id: number }
  | { readonly do: "list" }

const schema = Schema.Array(Schema.Int)

const scopes = {
  plain: Scoped.make("plain", { schema, initial: [] }),
  other: Scoped.make("other", { schema, initial: [] }),
  short: Scoped.make("short", { schema, initial: [], idleTimeToLive: "7 seconds" })
}

const names: ReadonlyArray<Name> = ["plain", "other", "short"]

const pairs: ReadonlyArray<readonly [Name, Name]> = names.flatMap((from) =>
  names.filter((to) => to !== from).map((to) => [from, to] as const)
)

const operation = Effect.gen(function*(): Effect.fn.Return<Operation> {
  const kind = yield* Random.choice(
    [
      "append",
      "append",
      "append",
      "abort",
      "remove",
      "get",
      "both",
      "both",
      "copy",
      "getBoth",
      "list"
    ] as const
  )
  if (kind === "list") return { do: "list" }
  const id = yield* Random.nextIntBetween(0, 100_000)
  const [from, to] = pairs[yield* Random.nextIntBetween(0, pairs.length - 1)]!
  return kind === "both" || kind === "copy" || kind === "getBoth" ? { do: kind, from, to, id } : { do: kind, to, id }
})

/** What makes, changes, removes and sees one scope. */
const onlyPlain = Effect.gen(function*(): Effect.fn.Return<Operation> {
  const kinds = ["append", "append", "get", "remove"] as const
  const id = yield* Random.nextIntBetween(0, 100_000)
  return { do: kinds[yield* Random.nextIntBetween(0, kinds.length - 1)]!, to: "plain", id }
})

export type Answer = ReadonlyArray<Log> | ReadonlyArray<string> | Log | { readonly aborted: Log } | undefined

/** The answer to an operation is what it found. */
const run = (operation: Operation): Effect.Effect<Answer, ScopedError, Storage.Storage> => {
  if (operation.do === "list") return Effect.map(Stream.runCollect(Scoped.names()), (names) => names.toSorted())
  const { id, to } = operation
  switch (operation.do) {
    case "append":
      return Scoped.update(scopes[to], (log) => [log, [...log, id]])
    case "abort":
      return Scoped.updateResult(
        scopes[to],
        (log): Result.Result<readonly [Log, Log], { readonly aborted: Log }> => Result.fail({ aborted: log })
      ).pipe(
        Effect.catchIf(
          (error): error is { readonly aborted: Log } => "aborted" in error,
          Effect.succeed
        )
      )
    case "remove":
      return Effect.as(Scoped.remove(scopes[to]), undefined)
    case "get":
      return Scoped.get(scopes[to])
    case "expire":
      return Effect.undefined
    case "both":
      return Scoped.update(Scoped.all([scopes[operation.from], scopes[to]]), ([one, other]) => [
        [one, other],
        [[...one, id], [...other, id]]
      ])
    case "copy":
      return Scoped.update(Scoped.all([scopes[operation.from], scopes[to]]), ([one, other]) => [
        [one, other],
        [one, [...other, id]]
      ])
    case "getBoth":
      return Scoped.get(Scoped.all([scopes[operation.from], scopes[to]]))
  }
}

/** What is stored: nothing where a scope holds nothing. */
type State = { readonly [name in Name]?: Log }

const without = (state: State, name: Name): State => {
  const { [name]: _, ...rest } = state
  return rest
}

const reading = new Set<Operation["do"]>(["get", "getBoth", "abort", "list"])

const model: Linearizability.Model<State, Operation, Answer> = {
  initial: {},
  reads: (operation) => reading.has(operation.do),
  step: (state, operation) => {
    if (operation.do === "list") return [Object.keys(state).toSorted(), state]
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
      case "expire":
        return [undefined, without(state, to)]
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

const get = (to: Name): Operation => ({ do: "get", to, id: 0 })
const getBoth: Operation = { do: "getBoth", from: "plain", to: "short", id: 0 }

/**
 * Nobody starves: as often as a call is refused, another one came first, and there are only so many. It is given up for
 * time only when the store was slow or away.
 */
const starved = ({ errors, history }: Simulation.Run<Operation, Answer>): string | undefined => {
  for (const { error, millis, operation } of errors) {
    if (error instanceof ConflictError && (millis < 25_000 || error.attempts > 4 * history.length + 20)) {
      return `${JSON.stringify(operation)} starved: ${error.attempts} attempts in ${millis} ms, ${history.length} calls`
    }
  }
  return undefined
}

const options = {
  operation,
  run,
  model,
  expiry: (name: string) => name === "short" ? { do: "expire" as const, to: "short" as const, id: 0 } : undefined,
  observe: [get("plain"), get("other"), get("short"), getBoth, { do: "list" as const }],
  check: starved
}

const watched = [
  { operation: get("plain"), changes: Scoped.changes(scopes.plain) },
  { operation: get("short"), changes: Scoped.changes(scopes.short) },
  { operation: getBoth, changes: Scoped.changes(Scoped.all([scopes.plain, scopes.short])) }
]

/** All simulations of the campaign. */
export const simulations = {
  calls: Simulation.make<Operation, Answer, State>(options),
  watchers: Simulation.make<Operation, Answer, State>({ ...options, calls: 8, writers: 2, watch: watched }),
  forgetful: Simulation.make<Operation, Answer, State>({
    ...options,
    operation: onlyPlain,
    calls: 6,
    storage: { retention: "10 seconds" },
    faults: { network: 0.1, writers: 0.8 }
  }),
  crowds: Simulation.make<Operation, Answer, State>({
    ...options,
    calls: 40,
    writers: 8,
    faults: { network: 0.05, writers: 0.02, store: 0.01 }
  })
}
