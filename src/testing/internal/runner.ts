import * as Duration from "effect/Duration"
import { format } from "effect/Formatter"
import { Course } from "./course.ts"
import { ahead, Crew } from "./crew.ts"
import { equal } from "./equal.ts"
import { History } from "./history.ts"
import { Log } from "./log.ts"
import { Lot } from "./lot.ts"
import { Network } from "./network.ts"
import { perform } from "./perform.ts"
import type { Plan } from "./plan.ts"
import { Seeded } from "./random.ts"
import type { Ran, Spec } from "./spec.ts"
import { Store } from "./store.ts"
import { World } from "./world.ts"

/** For how long callers may wait after the last step, in milliseconds of the simulation. */
const patience = 15 * 60_000

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
  private readonly world: World
  private readonly log: Log
  private readonly course: Course
  private readonly lot: Lot
  private readonly store: Store
  private readonly network: Network
  private readonly crew: Crew<Operation, Output>
  private readonly history = new History<Operation, Output>()
  /** Whether the store has lost commits, and nobody knows what the model would say to that. */
  private lost = false

  constructor(spec: Spec<Operation, Output>, plan: Plan<Operation>, tracing: boolean) {
    this.spec = spec
    this.plan = plan
    this.world = new World(plan.seed)
    this.log = new Log(this.world, tracing)
    this.course = new Course(this.world, this.log)
    this.lot = new Lot(plan)
    const random = new Seeded(plan.seed, 6)
    const options = spec.options(new Seeded(plan.seed, 7))
    this.store = new Store(this.world, ahead(random, spec.skew), {
      applied: (transaction) =>
        this.network.applied(transaction.flatMap(({ name, next }) => next === undefined ? [] : name)),
      expired: (name) => this.expired(name),
      fellBack: () => this.fellBack()
    }, options.store)
    this.network = new Network(this.world, this.store, {
      fate: (process, n, choices) => this.lot.of(process, n, choices),
      retention: Duration.toMillis(Duration.fromInputUnsafe(options.storage.retention ?? "1 minute")),
      trace: tracing ? (process, text) => this.log.note(this.crew.laneOf(process), () => text) : undefined
    })
    const { history, log, network } = this
    this.crew = new Crew({ planned: plan.writers, spec, storage: options.storage, random, network, history, log })
  }

  run(): Ran<Operation, Output> {
    const { history, log } = this
    this.follow()
    if (log.fault === undefined) this.observe()
    if (log.fault === undefined) this.putAway()
    this.forget()
    return {
      history: history.calls,
      errors: history.errors,
      events: log.events,
      fates: this.lot.fates,
      fault: log.fault,
      lost: this.lost
    }
  }

  /** Takes the planned steps, and waits for all that came of them. */
  private follow(): void {
    const { course, crew, log, network, plan, world } = this
    let left = plan.steps.length
    for (const step of plan.steps) {
      world.after(step.at, () => {
        left--
        perform(step, { crew, network, log })
      })
    }
    course.until(() => left === 0, Infinity)
    if (!course.until(() => crew.open === 0 && crew.closing.size === 0, patience)) {
      const open = crew.waiting.map(({ client, input }) => `${client}: ${format(input)}`)
      log.fail("hangs", open.length === 0 ? "A layer does not close" : `Never answered: ${open.join("; ")}`)
    }
  }

  /** Looks at what there is when the network is fine again, and all that was on its way has arrived or expired. */
  private observe(): void {
    const { course, crew, history, log, network, plan, spec } = this
    this.lot.calm = true
    course.until(() => network.inFlight === 0, Infinity)
    course.pass(Math.max(0, network.troubledUntil - this.world.now) + 120_000)
    const before = history.made.length
    for (const operation of spec.observe) {
      if (log.fault !== undefined) return
      crew.call(plan.writers, operation)
      if (!course.until(() => crew.open === 0, patience)) {
        log.fail("hangs", `Never answered at the end: ${format(operation)}`)
      }
    }
    for (const { client, error, input, outcome } of history.made.slice(before)) {
      if (error !== undefined) log.fail("unreadable", `At the end, ${format(input)} fails: ${error.message}`)
      if (outcome?._tag === "Answered" && client === "end") this.compare(input, outcome.output)
    }
  }

  /** Whoever watches has seen the last state. */
  private compare(operation: Operation, last: Output): void {
    const index = this.spec.watch.findIndex((watched) => equal(watched.operation, operation))
    if (index === -1) return
    for (const writer of this.crew.writers.slice(0, this.plan.writers)) {
      const saw = writer?.seen[index]
      if (writer === undefined || equal(saw?.state, last)) continue
      this.log.fail(
        "missed",
        `${writer.lane} watches, and the last it saw is ${saw === undefined ? "nothing" : format(saw.state)}, not ${
          format(last)
        }`
      )
    }
  }

  /** Closes all layers: nothing of them may be left. */
  private putAway(): void {
    const { course, crew, log } = this
    crew.writers.forEach((_, index) => crew.stop(index, "close"))
    if (!course.until(() => crew.closing.size === 0, patience)) log.fail("close", "A layer does not close")
    course.pass(60_000)
    for (const { lane, process } of crew.closed) {
      if (this.world.waits(process)) log.fail("left", `${lane} is closed, and something of it still goes on`)
    }
    if (this.network.subscriptions.size > 0) log.fail("left", "All is closed, and somebody still watches")
  }

  // What streams refer to stays until the next full collection: let that be little.
  private forget(): void {
    this.world.stop()
    this.network.open.clear()
    this.crew.closed.length = 0
  }

  private expired(name: string): void {
    this.log.note("store", () => `${name} expired`)
    const operation = this.spec.expiry?.(name)
    if (operation !== undefined) this.history.happened("store", operation)
  }

  private fellBack(): void {
    const operation = this.spec.failover?.((name) => this.store.read([name])[0]?.data ?? null)
    if (operation === undefined) {
      this.lost = true
      return
    }
    // What is sent again after a failover may have been applied, and seen, before it.
    for (const call of this.crew.waiting) this.history.mayHaveHappened(call)
    this.history.happened("store", operation)
  }
}
