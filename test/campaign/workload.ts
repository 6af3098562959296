/**
 * Random programs over a few scopes, whose states are the list of the operations that made them: nothing can be lost,
 * be done twice or be seen too early without an answer that tells.
 */
import { Effect, Random, Schedule, Schema, Stream } from "effect"
import { type MemoryDriver, Scoped, type Storage } from "effect-scoped"
import { ConflictError, type ScopedError } from "effect-scoped/ScopedError"
import { type Linearizability, Simulation } from "effect-scoped/testing"
import * as Logs from "./logs.ts"

type Name = "plain" | "other" | "short" | typeof many[number]

export type Operation =
  | Logs.Operation<Name>
  | { readonly do: "list" }
  /** What the store holds after it has lost its last commits. */
  | { readonly do: "failover"; readonly left: State }

const schema = Schema.Array(Schema.Int)

const many = ["many0", "many1", "many2", "many3", "many4", "many5", "many6", "many7"] as const

const named = (name: Name) => Scoped.make(name, { schema, initial: [] })

const scopes = {
  plain: Scoped.make("plain", { schema, initial: [] }),
  other: Scoped.make("other", { schema, initial: [] }),
  short: Scoped.make("short", { schema, initial: [], idleTimeToLive: "7 seconds" }),
  ...Object.fromEntries(many.map((name) => [name, named(name)])) as Record<
    typeof many[number],
    ReturnType<typeof named>
  >
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

/** Many scopes, of which few are touched together. */
const scattered = Effect.gen(function*(): Effect.fn.Return<Operation> {
  const kind = yield* Random.choice(
    ["append", "append", "append", "get", "remove", "abort", "both", "getBoth"] as const
  )
  const id = yield* Random.nextIntBetween(0, 100_000)
  const at = yield* Random.nextIntBetween(0, many.length - 1)
  const to = many[at]!
  const from = at % 3 === 0 ? "short" as const : many[(at + 1) % many.length]!
  return kind === "both" || kind === "getBoth" ? { do: kind, from, to, id } : { do: kind, to, id }
})

const retries = [undefined, undefined, Schedule.recurs(2), Schedule.spaced("70 millis")]

const recoveries: ReadonlyArray<Schedule.Schedule<unknown>> = [
  Schedule.recurs(2),
  Schedule.spaced("3 seconds"),
  Schedule.exponential("10 millis").pipe(Schedule.upTo({ duration: "30 seconds" })),
  Schedule.exponential("1 second")
]

/** Storages as nobody would set them, so that every bound is met. */
const strange = Effect.gen(function*(): Effect.fn.Return<Storage.Options> {
  const timeout = yield* Random.choice([300, 2_000, 5_000] as const)
  const times = yield* Random.choice([2, 3, 12] as const)
  return {
    timeout,
    retention: timeout * times,
    batchSize: yield* Random.choice([1, 1, 2, 3, 256] as const),
    knownScopes: yield* Random.choice([0, 1, 3, 10_000] as const),
    knownBytes: yield* Random.choice([0, 1_200, 1_000_000] as const),
    retry: retries[yield* Random.nextIntBetween(0, retries.length - 1)],
    recovery: recoveries[yield* Random.nextIntBetween(0, recoveries.length - 1)]!
  }
})

/** Stores that soon have had enough. */
const small = Effect.map(
  Random.choice([20, 40, 1_000_000, 1_000_000] as const),
  (dataBytes): MemoryDriver.Options => ({ limits: { dataBytes } })
)

export type Answer = Logs.Answer | ReadonlyArray<string>

/** The answer to an operation is what it found. */
const run = (operation: Operation): Effect.Effect<Answer, ScopedError, Storage.Storage> => {
  if (operation.do === "failover") return Effect.succeed(null)
  if (operation.do === "list") return Effect.map(Stream.runCollect(Scoped.names()), (names) => names.toSorted())
  return Logs.run(operation, (name) => scopes[name])
}

type State = Logs.State<Name>

const model: Linearizability.Model<State, Operation, Answer> = {
  initial: {},
  reads: (operation) => operation.do === "list" || Logs.isRead(operation),
  step: (state, operation) => {
    if (operation.do === "failover") return [null, operation.left]
    if (operation.do === "list") return [Object.keys(state).toSorted(), state]
    return Logs.step(state, operation)
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

/** What a scope is of no concern to others. */
const touched = (operation: Operation): ReadonlyArray<string> =>
  "from" in operation ? [operation.from, operation.to] : "to" in operation ? [operation.to] : []

const left = (stored: (name: string) => string | null): State => {
  const state: { [name in Name]?: Logs.Log } = {}
  for (const name of names) {
    const text = stored(name)
    if (text !== null) state[name] = JSON.parse(text) as Logs.Log
  }
  return state
}

/** Whatever the store forgets, nothing is there twice. */
const twice = ({ history }: Simulation.Run<Operation, Answer>): string | undefined => {
  const made = new Map<number, number>()
  for (const input of new Set(history.map(({ input }) => input))) {
    if ("id" in input && !Logs.isRead(input)) made.set(input.id, (made.get(input.id) ?? 0) + 1)
  }
  for (const { input, outcome } of history) {
    if (input.do !== "get" || outcome._tag !== "Answered") continue
    const log = outcome.output as Logs.Log
    const again = log.find((id, i) => log.indexOf(id) !== i && made.get(id) === 1)
    if (again !== undefined) return `${again} is twice in ${input.to}: ${JSON.stringify(log)}`
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
  }),
  corners: Simulation.make<Operation, Answer, State>({
    ...options,
    operation: scattered,
    model: { ...model, keys: touched },
    calls: 30,
    storage: strange,
    store: small,
    observe: [...many, "short" as const].map(get),
    check: undefined,
    faults: { network: 0.1, writers: 0.2, store: 0.1, clocks: 0.1 }
  }),
  failovers: Simulation.make<Operation, Answer, State>({
    ...options,
    failover: (stored) => ({ do: "failover", left: left(stored) }),
    check: twice,
    faults: { store: 0.3, failover: true }
  })
}
