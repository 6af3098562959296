import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { format } from "effect/Formatter"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ScopedError } from "../../ScopedError.ts"
import * as Storage from "../../Storage.ts"
import { answered, applied, type Call, type Outcome, unknown } from "../Linearizability.ts"
import type { Event } from "./lanes.ts"
import { type Fate, Network } from "./network.ts"
import type { Plan, Step } from "./plan.ts"
import { Seeded } from "./random.ts"
import { Store } from "./store.ts"
import { type Process, World } from "./world.ts"

/** What is run. */
export interface Spec<Operation, Output> {
  readonly run: (operation: Operation) => Effect.Effect<Output, ScopedError, Storage.Storage>
  readonly watch: ReadonlyArray<{
    readonly operation: Operation
    readonly changes: Stream.Stream<Output, ScopedError, Storage.Storage>
  }>
  readonly observe: ReadonlyArray<Operation>
  readonly expiry: ((name: string) => Operation | undefined) | undefined
  readonly storage: Storage.Options
  readonly skew: number
}

/** A call as it is being made. */
interface Made<Operation, Output> {
  readonly input: Operation
  readonly client: string
  readonly called: number
  readonly since: number
  returned: number
  outcome: Outcome<Output> | undefined
  error: ScopedError | undefined
  /** How long it took, in milliseconds. */
  millis: number
}

/** What a run came to. */
export interface Ran<Operation, Output> {
  readonly history: ReadonlyArray<Call<Operation, Output>>
  readonly errors: ReadonlyArray<
    { readonly operation: Operation; readonly error: ScopedError; readonly millis: number }
  >
  readonly events: ReadonlyArray<Event>
  /** The fates of the calls to the store that did not go well. */
  readonly fates: ReadonlyMap<string, Fate>
  readonly fault: { readonly kind: string; readonly message: string } | undefined
  readonly lost: boolean
}

/** For how long callers may wait after the last step, in milliseconds of the simulation. */
const patience = 15 * 60_000
/** Turns without time passing, after which a run is going round in circles. */
const circles = 100_000

interface Writer {
  readonly process: Process
  readonly scope: Scope.Closeable
  readonly storage: Effect.Effect<Context.Context<Storage.Storage>>
  readonly open: Map<Made<unknown, unknown>, Fiber.Fiber<unknown, unknown>>
  /** The last that each watcher saw. */
  readonly seen: Array<{ readonly state: unknown } | undefined>
  closing: boolean
}

export const execute = <Operation, Output>(
  spec: Spec<Operation, Output>,
  plan: Plan<Operation>,
  tracing: boolean
): Ran<Operation, Output> => {
  // Most of the errors here are thrown away, and their stacks cost more than all the rest.
  const limit = Error.stackTraceLimit
  if (!tracing) Error.stackTraceLimit = 0
  try {
    return simulate(spec, plan, tracing)
  } finally {
    Error.stackTraceLimit = limit
  }
}

const simulate = <Operation, Output>(
  spec: Spec<Operation, Output>,
  plan: Plan<Operation>,
  tracing: boolean
): Ran<Operation, Output> => {
  const world = new World(plan.seed)
  const random = new Seeded(plan.seed, 6)
  const made: Array<Made<Operation, Output>> = []
  const events: Array<Event> = []
  const fates = new Map<string, Fate>()
  let fault: { readonly kind: string; readonly message: string } | undefined
  let moment = 0
  let calm = false

  const note = (lane: string, text: () => string) => {
    if (tracing) events.push({ at: world.now, lane, text: text() })
  }
  const fail = (kind: string, message: string) => {
    fault ??= { kind, message }
  }

  // ---- The store and the way to it

  const skew = () => spec.skew === 0 ? 0 : random.below(2 * spec.skew) - spec.skew
  const store = new Store(world, skew(), {
    applied: (transaction) => network.applied(transaction.flatMap(({ name, next }) => next === undefined ? [] : name)),
    expired: (name) => {
      note("store", () => `${name} expired`)
      const operation = spec.expiry?.(name)
      if (operation === undefined) return
      const at = moment++
      made.push({
        input: operation,
        client: "store",
        called: at,
        since: world.now,
        returned: at,
        outcome: applied,
        error: undefined,
        millis: 0
      })
    }
  })
  const network = new Network(world, store, {
    fate: (process, n, choices) => {
      const name = `${process}:${n}`
      if (calm) return "fine"
      if (plan.fates !== undefined) return plan.fates.get(name) ?? "fine"
      const draw = new Seeded(plan.seed, 5, process, n)
      if (!draw.chance(plan.network)) return "fine"
      const fate = draw.choice(choices)
      fates.set(name, fate)
      return fate
    },
    retention: Duration.toMillis(Duration.fromInputUnsafe(spec.storage.retention ?? "1 minute")),
    trace: tracing ? (process, text) => note(laneOf(process), () => text) : undefined
  })

  // ---- The writers

  const laneOf = (process: number) =>
    process >= incarnations * plan.writers ? "end" : `w${Math.floor(process / incarnations) + 1}`
  const writers: Array<Writer | undefined> = Array.from({ length: plan.writers + 1 })
  const lives = Array.from({ length: plan.writers + 1 }, () => 0)

  const start = (index: number): Writer => {
    const process = world.process(incarnations * index + lives[index]!++, skew())
    const scope = Effect.runSync(Scope.make())
    const driver = network.driver(process, 1 + random.below(3))
    const building = process.fork(
      Scope.provide(Layer.build(Storage.layer(Effect.succeed(driver), spec.storage)), scope),
      Context.empty()
    )
    const writer: Writer = {
      process,
      scope,
      storage: Fiber.join(building),
      open: new Map(),
      seen: spec.watch.map(() => undefined),
      closing: false
    }
    if (index < plan.writers) {
      note(laneOf(process.id), () => lives[index] === 1 ? "starts" : "starts again")
      spec.watch.forEach((_, i) => watch(writer, i))
    }
    return writers[index] = writer
  }

  const watch = (writer: Writer, i: number) => {
    const { changes, operation } = spec.watch[i]!
    let since = moment++
    const follow = Effect.suspend(() => {
      since = moment++
      return Stream.runForEach(changes, (state) =>
        Effect.sync(() => {
          const returned = moment++
          note(laneOf(writer.process.id), () => `sees ${format(state)}`)
          writer.seen[i] = { state }
          made.push({
            input: operation,
            client: `${laneOf(writer.process.id)} (watching)`,
            called: since,
            since: world.now,
            returned,
            outcome: answered(state),
            error: undefined,
            millis: 0
          })
          since = returned
        }))
    })
    // Whoever watches looks again when the store was away for too long.
    const watching = Effect.flatMap(writer.storage, (storage) => Effect.provideContext(follow, storage)).pipe(
      Effect.exit,
      Effect.andThen(Effect.sleep("1 second")),
      Effect.forever
    )
    writer.process.fork(
      Effect.flatMap(Effect.forkIn(watching, writer.scope), Fiber.await),
      Context.empty()
    )
  }

  const call = (index: number, operation: Operation): void => {
    const writer = writers[index] ?? start(index)
    const lane = laneOf(writer.process.id)
    const one: Made<Operation, Output> = {
      input: operation,
      client: lane,
      called: moment++,
      since: world.now,
      returned: Infinity,
      outcome: unknown,
      error: undefined,
      millis: 0
    }
    made.push(one)
    note(lane, () => `> ${format(operation)}`)
    const fiber = writer.process.fork(
      Effect.flatMap(writer.storage, (storage) => Effect.provideContext(spec.run(operation), storage)),
      Context.empty()
    )
    writer.open.set(one, fiber)
    fiber.addObserver((exit) => {
      if (!writer.process.alive) return
      writer.open.delete(one)
      end(one, exit)
      note(lane, () => `< ${format(operation)}: ${shown(one, exit)}`)
    })
  }

  const end = (one: Made<Operation, Output>, exit: Exit.Exit<Output, ScopedError>): void => {
    const ended = moment++
    one.millis = world.now - one.since
    if (Exit.isSuccess(exit)) {
      one.returned = ended
      one.outcome = answered(exit.value)
      return
    }
    const reason = exit.cause.reasons.find((reason) => reason._tag !== "Interrupt")
    if (reason === undefined) {
      // Nothing of an interrupted call goes on in the background.
      one.returned = ended
      return
    }
    if (reason._tag === "Die") {
      return fail("defect", `${one.client}: ${format(one.input)} died: ${Cause.pretty(exit.cause)}`)
    }
    one.error = reason.error
    switch (reason.error._tag) {
      case "AmbiguousCommitError":
        return
      case "NotReplicatedError":
        one.returned = ended
        one.outcome = applied
        return
      default:
        // Nothing of it happened, and nothing ever will.
        one.outcome = undefined
    }
  }

  const stop = (index: number, how: "crash" | "close"): void => {
    const writer = writers[index]
    if (writer === undefined || writer.closing) return
    const lane = laneOf(writer.process.id)
    if (how === "crash") {
      note(lane, () => "crashes")
      world.end(writer.process)
      network.forget(writer.process)
      writers[index] = undefined
      return
    }
    note(lane, () => "closes")
    writer.closing = true
    // Whoever comes meanwhile comes to the next one.
    writers[index] = undefined
    closing.add(writer)
    const fiber = writer.process.fork(Scope.close(writer.scope, Exit.void), Context.empty())
    fiber.addObserver((exit) => {
      note(lane, () => "is closed")
      closing.delete(writer)
      closed.push(writer)
      if (Exit.isFailure(exit)) fail("close", `${lane} could not be closed: ${Cause.pretty(exit.cause)}`)
    })
  }
  const closing = new Set<Writer>()
  const closed: Array<Writer> = []

  const perform = (step: Step<Operation>): void => {
    switch (step._tag) {
      case "call":
        return call(step.writer, step.operation)
      case "interrupt": {
        const open = [...writers[step.writer]?.open ?? []].at(-1)
        if (open === undefined) return
        note(open[0].client, () => `interrupts ${format(open[0].input)}`)
        open[1].interruptUnsafe()
        return
      }
      case "crash":
      case "close":
        return stop(step.writer, step._tag)
      case "partition": {
        const writer = writers[step.writer]
        if (writer === undefined) return
        note(laneOf(writer.process.id), () => `is cut off for ${step.millis} ms`)
        return network.partition(writer.process, step.millis)
      }
      case "restart": {
        note("store", () => step.lost > 0 ? `fails over, and forgets ${step.lost} commits` : "restarts")
        network.restart(step.millis, step.lost)
      }
    }
  }

  // ---- The run

  const openCalls = () => [...writers, ...closing].flatMap((writer) => [...writer?.open.keys() ?? []])
  /** Lets things happen until `done`, or until nothing happens any more. */
  const until = (done: () => boolean, millis: number): boolean => {
    const deadline = world.now + millis
    while (!done()) {
      if (fault !== undefined || world.now > deadline || !world.turn()) return done()
      if (world.turns > circles) {
        fail("circles", `It went round in circles at ${world.now} ms: ${circles} turns without time passing`)
        return false
      }
    }
    return true
  }
  const pass = (millis: number) => {
    let over = false
    world.after(millis, () => over = true)
    until(() => over, Infinity)
  }

  let steps = 0
  for (const step of plan.steps) {
    world.after(step.at, () => {
      steps++
      perform(step)
    })
  }
  until(() => steps === plan.steps.length, Infinity)
  if (!until(() => openCalls().length === 0 && closing.size === 0, patience) && fault === undefined) {
    const open = openCalls().map(({ client, input }) => `${client}: ${format(input)}`)
    fail("hangs", open.length === 0 ? "A layer does not close" : `Never answered: ${open.join("; ")}`)
  }
  // From here on the network is fine. What is on its way arrives before the end, however late, and all that expires
  // expires.
  calm = true
  until(() => network.inFlight === 0, Infinity)
  pass(120_000)
  const before = made.length
  for (const operation of spec.observe) {
    if (fault !== undefined) break
    call(plan.writers, operation)
    if (!until(() => openCalls().length === 0, patience)) {
      fail("hangs", `Never answered at the end: ${format(operation)}`)
    }
  }
  if (fault === undefined) {
    for (const one of made.slice(before)) {
      if (one.error !== undefined) fail("unreadable", `At the end, ${format(one.input)} fails: ${one.error.message}`)
      const index = spec.watch.findIndex(({ operation }) => Equal.equals(operation, one.input))
      if (index === -1 || one.outcome?._tag !== "Answered" || one.client !== "end") continue
      for (const writer of writers.slice(0, plan.writers)) {
        if (writer === undefined || Equal.equals(writer.seen[index]?.state, one.outcome.output)) continue
        const saw = writer.seen[index]
        fail(
          "missed",
          `${laneOf(writer.process.id)} watches, and the last it saw is ${
            saw === undefined ? "nothing" : format(saw.state)
          }, not ${format(one.outcome.output)}`
        )
      }
    }
  }
  // Everything is put away.
  if (fault === undefined) {
    writers.forEach((_, index) => stop(index, "close"))
    if (!until(() => closing.size === 0, patience)) fail("close", "A layer does not close")
    pass(60_000)
    for (const { process } of closed) {
      if (world.waits(process)) fail("left", `${laneOf(process.id)} is closed, and something of it still goes on`)
    }
    if (network.subscriptions > 0) fail("left", "All is closed, and somebody still watches")
  }

  return {
    history: made.flatMap(({ called, client, input, outcome, returned }) =>
      outcome === undefined ? [] : { called, client, input, outcome, returned }
    ),
    errors: made.flatMap(({ error, input, millis }) => error === undefined ? [] : { operation: input, error, millis }),
    events,
    fates: plan.fates ?? fates,
    fault,
    lost: plan.steps.some((step) => step._tag === "restart" && step.lost > 0)
  }
}

/** Processes are numbered so that those of one writer are not those of another. */
const incarnations = 1000

const shown = (one: Made<unknown, unknown>, exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? format(exit.value)
    : one.error !== undefined
    ? one.error._tag
    : Cause.hasInterruptsOnly(exit.cause)
    ? "interrupted"
    : "died"
