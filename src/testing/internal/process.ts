import { Clock } from "effect/Clock"
import * as Context from "effect/Context"
import { WebCrypto } from "effect/crypto/WebCrypto"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { WorldClock } from "./clock.ts"
import { Seeded, serviceOf } from "./random.ts"
import type { World } from "./world.ts"

/** A process: what runs in it runs in its turns only, and never again once it is dead. */
export class Process implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "async"
  readonly world: World
  readonly id: number
  /** The services that programs find. */
  readonly context: Context.Context<never>
  /** Starts an effect. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
  alive = true
  /** How far its clock is ahead, in milliseconds. */
  skew: number
  private tasks: Array<() => void> = []
  private priorities: Array<number> | undefined = undefined

  constructor(world: World, id: number, skew: number) {
    this.world = world
    this.id = id
    this.skew = skew
    const services = new Map<string, unknown>()
    services.set(Clock.key, new WorldClock(world, this))
    services.set(Random.Random.key, serviceOf(new Seeded(world.seed, 2, id)))
    services.set(WebCrypto.key, cryptoOf(new Seeded(world.seed, 3, id)))
    services.set(Scheduler.Scheduler.key, this)
    services.set(References.CurrentLoggers.key, noLoggers)
    services.set(References.TracerEnabled.key, false)
    this.context = Context.makeUnsafe(services)
    this.fork = Effect.runForkWith(this.context)
  }

  get ready(): boolean {
    return this.tasks.length > 0
  }

  end(): void {
    this.alive = false
    this.tasks = []
  }

  /** Runs what was scheduled before now. */
  turn(): void {
    const { priorities } = this
    let { tasks } = this
    this.tasks = []
    this.priorities = undefined
    if (priorities !== undefined) {
      const order = tasks.map((_, i) => i).sort((one, other) => (priorities[one] ?? 0) - (priorities[other] ?? 0))
      tasks = order.map((i) => tasks[i]!)
    }
    for (let i = 0; i < tasks.length; i++) {
      if (!this.alive) return
      tasks[i]!()
    }
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= 2048
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: () => void, priority: number): void {
    if (!this.alive) return
    // Almost always all are of one priority.
    if (priority !== 0) (this.priorities ??= [])[this.tasks.length] = priority
    this.tasks.push(task)
  }

  flush(): void {
    while (this.ready) this.turn()
  }
}

const noLoggers: ReadonlySet<never> = new Set()

/** Random bytes from a seed: the ids of writers are the same in every run, and so is whatever else is drawn. */
const cryptoOf = (random: Seeded): Crypto => {
  const getRandomValues = <T extends ArrayBufferView>(array: T): T => {
    const bytes = array instanceof Uint8Array ? array : new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
    return array
  }
  return { getRandomValues, subtle: globalThis.crypto.subtle } as Crypto
}
