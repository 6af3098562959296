import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import * as Stream from "effect/Stream"
import type * as MemoryDriver from "../../MemoryDriver.ts"
import type * as Storage from "../../Storage.ts"
import { connect } from "./connection.ts"
import { equal } from "./equal.ts"
import type { Fate } from "./fates.ts"
import { History, shown } from "./history.ts"
import type { Event } from "./lanes.ts"
import { Network } from "./network.ts"
import type { Plan, Step } from "./plan.ts"
import { Seeded } from "./random.ts"
import type { Ran, Spec } from "./spec.ts"
import { Store } from "./store.ts"
import { World } from "./world.ts"
import { Writer } from "./writer.ts"

/** For how long callers may wait after the last step, in milliseconds of the simulation. */
const patience = 15 * 60_000
/** Turns without time passing, after which a run is going round in circles. */
const circles = 100_000
/** Processes are numbered so that those of one writer are not those of another. */
const incarnations = 1000

/** Does what a plan says, and looks at what came of it. */
export const execute = <Operation, Output>(
  spec: Spec<Operation, Output>,
  plan: Plan<Operation>,
  tracing: boolean
): Ran<Operation, Output> => {
  // Most of the errors here are thrown away, and their stacks cost more than all the rest.
  const limit = Error.stackTraceLimit
  if (!tracing) Error.stackTraceLimit = 0
  try {
    return new Runner(spec, plan, tracing).run()
  } finally {
    Error.stackTraceLimit = limit
  }
}

class Runner<Operation, Output> {
  private readonly spec: Spec<Operation, Output>
  private readonly plan: Plan<Operation>
  private readonly tracing: boolean
  private readonly world: World
  private readonly random: Seeded
  private readonly store: Store
  private readonly network: Network
  private readonly history = new History<Operation, Output>()
  private readonly events: Array<Event> = []
  private readonly fates = new Map<string, Fate>()
  private readonly options: { readonly storage: Storage.Options; readonly store: MemoryDriver.Options }
  /** Whether the store has lost commits, and nobody knows what the model would say to that. */
  private lost = false
  private fault: { readonly kind: string; readonly message: string } | undefined = undefined
  /** From here on nothing goes wrong any more. */
  private calm = false

  /** Each planned writer, and the one that looks at the end. */
  private readonly writers: Array<Writer<Operation, Output> | undefined>
  private readonly lives: Array<number>
  private readonly closing = new Set<Writer<Operation, Output>>()
  private readonly closed: Array<Writer<Operation, Output>> = []
  /** How many calls wait for their answer. */
  private open = 0

  constructor(spec: Spec<Operation, Output>, plan: Plan<Operation>, tracing: boolean) {
    this.spec = spec
    this.plan = plan
    this.tracing = tracing
    this.world = new World(plan.seed)
    this.random = new Seeded(plan.seed, 6)
    this.options = spec.options(new Seeded(plan.seed, 7))
    this.writers = Array.from({ length: plan.writers + 1 })
    this.lives = Array.from({ length: plan.writers + 1 }, () => 0)
    this.store = new Store(this.world, this.skew(), {
      applied: (transaction) =>
        this.network.applied(transaction.flatMap(({ name, next }) => next === undefined ? [] : name)),
      expired: (name) => {
        this.note("store", () => `${name} expired`)
        const operation = spec.expiry?.(name)
        if (operation !== undefined) this.history.happened("store", operation)
      },
      fellBack: () => {
        const operation = spec.failover?.((name) => this.store.read([name])[0]?.data ?? null)
        if (operation === undefined) this.lost = true
        else {
          // What is sent again after a failover may have been applied, and seen, before it.
          for (const writer of [...this.writers, ...this.closing]) {
            for (const call of writer?.open.keys() ?? []) this.history.mayHaveHappened(call)
          }
          this.history.happened("store", operation)
        }
      }
    }, this.options.store)
    this.network = new Network(this.world, this.store, {
      fate: (process, n, choices) => this.fate(process, n, choices),
      retention: Duration.toMillis(Duration.fromInputUnsafe(this.options.storage.retention ?? "1 minute")),
      trace: tracing ? (process, text) => this.note(this.laneOf(process), () => text) : undefined
    })
  }

  run(): Ran<Operation, Output> {
    this.follow()
    if (this.fault === undefined) this.observe()
    if (this.fault === undefined) this.putAway()
    return {
      history: this.history.calls,
      errors: this.history.errors,
      events: this.events,
      fates: this.plan.fates ?? this.fates,
      fault: this.fault,
      lost: this.lost
    }
  }

  // ---- What is done

  /** Takes the planned steps, and waits for all that came of them. */
  private follow(): void {
    const { plan, world } = this
    let left = plan.steps.length
    for (const step of plan.steps) {
      world.after(step.at, () => {
        left--
        this.perform(step)
      })
    }
    this.until(() => left === 0, Infinity)
    if (!this.until(() => this.open === 0 && this.closing.size === 0, patience)) {
      const open = [...this.writers, ...this.closing].flatMap((writer) => [...writer?.open.keys() ?? []])
        .map(({ client, input }) => `${client}: ${format(input)}`)
      this.fail("hangs", open.length === 0 ? "A layer does not close" : `Never answered: ${open.join("; ")}`)
    }
  }

  /** Looks at what there is when the network is fine again, and all that was on its way has arrived or expired. */
  private observe(): void {
    const { history, network, plan, spec } = this
    this.calm = true
    this.until(() => network.inFlight === 0, Infinity)
    this.pass(Math.max(0, network.troubledUntil - this.world.now) + 120_000)
    const before = history.made.length
    for (const operation of spec.observe) {
      if (this.fault !== undefined) return
      this.call(plan.writers, operation)
      if (!this.until(() => this.open === 0, patience)) {
        this.fail("hangs", `Never answered at the end: ${format(operation)}`)
      }
    }
    for (const { client, error, input, outcome } of history.made.slice(before)) {
      if (error !== undefined) this.fail("unreadable", `At the end, ${format(input)} fails: ${error.message}`)
      if (outcome?._tag === "Answered" && client === "end") this.compare(input, outcome.output)
    }
  }

  /** Whoever watches has seen the last state. */
  private compare(operation: Operation, last: Output): void {
    const index = this.spec.watch.findIndex((watched) => equal(watched.operation, operation))
    if (index === -1) return
    for (const writer of this.writers.slice(0, this.plan.writers)) {
      const saw = writer?.seen[index]
      if (writer === undefined || equal(saw?.state, last)) continue
      this.fail(
        "missed",
        `${writer.lane} watches, and the last it saw is ${saw === undefined ? "nothing" : format(saw.state)}, not ${
          format(last)
        }`
      )
    }
  }

  /** Closes all layers: nothing of them may be left. */
  private putAway(): void {
    this.writers.forEach((_, index) => this.stop(index, "close"))
    if (!this.until(() => this.closing.size === 0, patience)) this.fail("close", "A layer does not close")
    this.pass(60_000)
    for (const { lane, process } of this.closed) {
      if (this.world.waits(process)) this.fail("left", `${lane} is closed, and something of it still goes on`)
    }
    if (this.network.subscriptions.size > 0) this.fail("left", "All is closed, and somebody still watches")
  }

  private perform(step: Step<Operation>): void {
    const { network } = this
    switch (step._tag) {
      case "call":
        return this.call(step.writer, step.operation)
      case "interrupt": {
        const open = [...this.writers[step.writer]?.open ?? []].at(-1)
        if (open === undefined) return
        this.note(open[0].client, () => `interrupts ${format(open[0].input)}`)
        open[1].interruptUnsafe()
        return
      }
      case "crash":
      case "close":
        return this.stop(step.writer, step._tag)
      case "partition": {
        const writer = this.writers[step.writer]
        if (writer === undefined) return
        this.note(writer.lane, () => `is cut off for ${step.millis} ms`)
        return network.partition(writer.process, step.millis)
      }
      case "silence": {
        const writer = step.writer === undefined ? undefined : this.writers[step.writer]
        if (step.writer !== undefined && writer === undefined) return
        this.note(writer?.lane ?? "store", () => `gives no answers for ${step.millis} ms`)
        return network.quieten(step.millis, writer?.process)
      }
      case "jump": {
        const writer = this.writers[step.writer]
        if (writer === undefined) return
        this.note(writer.lane, () => `has its clock set by ${Math.round(step.millis)} ms`)
        writer.process.skew += step.millis
        return
      }
      case "restart": {
        this.note("store", () => step.lost > 0 ? `fails over, and forgets ${step.lost} commits` : "restarts")
        network.restart(step.millis, step.lost)
      }
    }
  }

  // ---- The writers

  private start(index: number): Writer<Operation, Output> {
    const process = this.world.process(incarnations * index + this.lives[index]!++, this.skew())
    const driver = connect(this.network, process, 1 + this.random.below(3))
    const writer = new Writer<Operation, Output>(process, this.laneOf(process.id), driver, this.options.storage)
    if (index < this.plan.writers) {
      this.note(writer.lane, () => this.lives[index] === 1 ? "starts" : "starts again")
      this.spec.watch.forEach((_, i) => this.watch(writer, i))
    }
    return this.writers[index] = writer
  }

  private watch(writer: Writer<Operation, Output>, i: number): void {
    const { changes, operation } = this.spec.watch[i]!
    // What is seen is told of by the moments since the last was seen.
    let since = this.history.moment()
    writer.follow(Effect.suspend(() => {
      since = this.history.moment()
      return Stream.runForEach(changes, (state) =>
        Effect.sync(() => {
          since = this.history.saw(`${writer.lane} (watching)`, operation, since, state)
          this.note(writer.lane, () => `sees ${format(state)}`)
          writer.seen[i] = { state }
        }))
    }))
  }

  private call(index: number, operation: Operation): void {
    const writer = this.writers[index] ?? this.start(index)
    const { lane } = writer
    const one = this.history.begin(lane, operation, this.world.now)
    this.note(lane, () => `> ${format(operation)}`)
    this.open++
    writer.call(one, this.spec.run(operation)).addObserver((exit) => {
      if (!writer.process.alive) return
      this.open--
      writer.open.delete(one)
      const wrong = this.history.end(one, exit, this.world.now)
      if (wrong !== undefined) this.fail("defect", wrong)
      this.note(lane, () => `< ${format(operation)}: ${shown(one, exit)}`)
    })
  }

  private stop(index: number, how: "crash" | "close"): void {
    const writer = this.writers[index]
    if (writer === undefined) return
    // Whoever comes meanwhile comes to the next one.
    this.writers[index] = undefined
    if (how === "crash") {
      this.note(writer.lane, () => "crashes")
      this.world.end(writer.process)
      this.network.subscriptions.forget(writer.process)
      this.open -= writer.open.size
      return
    }
    this.note(writer.lane, () => "closes")
    this.closing.add(writer)
    writer.close().addObserver((exit) => {
      this.note(writer.lane, () => "is closed")
      this.closing.delete(writer)
      this.closed.push(writer)
      if (Exit.isFailure(exit)) this.fail("close", `${writer.lane} could not be closed: ${Cause.pretty(exit.cause)}`)
    })
  }

  // ---- What happens

  /** Lets things happen until `done`, or until nothing happens any more. */
  private until(done: () => boolean, millis: number): boolean {
    const { world } = this
    const deadline = world.now + millis
    while (!done()) {
      if (this.fault !== undefined || world.now > deadline || !world.turn()) return done()
      if (world.turns > circles) {
        this.fail("circles", `It went round in circles at ${world.now} ms: ${circles} turns without time passing`)
        return false
      }
    }
    return true
  }

  private pass(millis: number): void {
    let over = false
    this.world.after(millis, () => over = true)
    this.until(() => over, Infinity)
  }

  /** The fate of a call to the store: that of the plan, or one that is drawn. */
  private fate(process: number, n: number, choices: ReadonlyArray<Fate>): Fate {
    const { plan } = this
    if (this.calm) return "fine"
    if (plan.fates !== undefined) return plan.fates.get(`${process}:${n}`) ?? "fine"
    const draw = new Seeded(plan.seed, 5, process, n)
    if (!draw.chance(plan.network)) return "fine"
    const fate = draw.choice(choices)
    this.fates.set(`${process}:${n}`, fate)
    return fate
  }

  /** How far a clock is ahead. */
  private skew(): number {
    const { skew } = this.spec
    return skew === 0 ? 0 : this.random.below(2 * skew) - skew
  }

  private laneOf(process: number): string {
    return process >= incarnations * this.plan.writers ? "end" : `w${Math.floor(process / incarnations) + 1}`
  }

  private note(lane: string, text: () => string): void {
    if (this.tracing) this.events.push({ at: this.world.now, lane, text: text() })
  }

  private fail(kind: string, message: string): void {
    this.fault ??= { kind, message }
  }
}
