import type * as Clock from "effect/Clock"
import { Clock as ClockService } from "effect/Clock"
import * as Context from "effect/Context"
import { WebCrypto } from "effect/crypto/WebCrypto"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as References from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { Seeded } from "./random.ts"

/** Something that happens at a time, unless it is cancelled, or its process is dead by then. */
interface Timer {
  readonly at: number
  readonly order: number
  readonly process: Process | undefined
  run: (() => void) | undefined
}

/** The time at which every simulation begins, in milliseconds: 2026-01-01. */
const epoch = Date.UTC(2026, 0, 1)

/**
 * Time that passes when nobody has anything left to do, and processes that take turns.
 *
 * Everything that happens, happens inside {@link turn}: no timer, promise or thread of the machine has a part in it.
 */
export class World {
  /** Milliseconds since the beginning. */
  now = 0
  /** Turns that were taken since time last passed. */
  turns = 0
  private order = 0
  private readonly timers: Array<Timer> = []
  private readonly processes = new Set<Process>()
  private readonly random: Seeded
  readonly seed: number

  constructor(seed: number) {
    this.seed = seed
    this.random = new Seeded(seed, 1)
  }

  /** Starts a process whose clock is `skew` milliseconds ahead. */
  process(id: number, skew: number): Process {
    const process = new Process(this, id, skew)
    this.processes.add(process)
    return process
  }

  end(process: Process): void {
    process.alive = false
    this.processes.delete(process)
  }

  /** Calls `run` after so many milliseconds. Calling what this returns takes it back. */
  after(millis: number, run: () => void, process?: Process): () => void {
    const timer: Timer = { at: onGrid(this.now + Math.max(0, millis)), order: this.order++, process, run }
    push(this.timers, timer)
    return () => {
      timer.run = undefined
    }
  }

  /** Lets one of those who have something to do go on, or time pass. `false` when nothing will ever happen again. */
  turn(): boolean {
    let ready = 0
    let chosen: Process | undefined
    for (const process of this.processes) {
      // Each of them with the same probability, without a list of them.
      if (process.ready && (ready++ === 0 || this.random.below(ready) === 0)) chosen = process
    }
    if (chosen !== undefined) {
      this.turns++
      chosen.turn()
      return true
    }
    for (let timer = pop(this.timers); timer !== undefined; timer = pop(this.timers)) {
      if (timer.run === undefined || timer.process?.alive === false) continue
      if (timer.at > this.now) {
        this.now = timer.at
        this.turns = 0
      } else {
        this.turns++
      }
      timer.run()
      return true
    }
    return false
  }

  /** Whether something of a process that lives is still to come. */
  waits(process: Process): boolean {
    return process.ready || this.timers.some((timer) => timer.run !== undefined && timer.process === process)
  }

  /** A clock that is so many milliseconds ahead. What sleeps on it belongs to `process`. */
  clock(skew: number, process?: Process): Clock.Clock {
    const millis = () => epoch + this.now + skew
    const nanos = () => BigInt(Math.floor(millis() * 1_000_000))
    const monotonic = () => BigInt(Math.floor(this.now * 1_000_000))
    return {
      currentTimeMillisUnsafe: millis,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: monotonic,
      monotonicTimeNanos: Effect.sync(monotonic),
      sleep: (duration) => {
        const left = Duration.toMillis(duration)
        if (left <= 0) return Effect.yieldNow
        if (left === Infinity) return Effect.never
        return Effect.callback((resume) => {
          const cancel = this.after(left, () => resume(Effect.void), process)
          return Effect.sync(cancel)
        })
      }
    }
  }
}

/** A process: what runs in it runs in its turns only, and never again once it is dead. */
export class Process implements Scheduler.Scheduler, Scheduler.SchedulerDispatcher {
  readonly executionMode = "async"
  readonly world: World
  readonly id: number
  /** The services that programs find. */
  readonly context: Context.Context<never>
  alive = true
  private tasks: Array<readonly [priority: number, task: () => void]> = []

  constructor(world: World, id: number, skew: number) {
    this.world = world
    this.id = id
    const random = new Seeded(world.seed, 2, id)
    const bytes = new Seeded(world.seed, 3, id)
    this.context = Context.empty().pipe(
      Context.add(ClockService, world.clock(skew, this)),
      Context.add(Random.Random, random.service),
      Context.add(WebCrypto, cryptoOf(bytes)),
      Context.add(Scheduler.Scheduler, this),
      Context.add(References.CurrentLoggers, new Set()),
      Context.add(References.TracerEnabled, false)
    )
  }

  get ready(): boolean {
    return this.tasks.length > 0
  }

  /** Runs what was scheduled before now. */
  turn(): void {
    const tasks = this.tasks
    this.tasks = []
    // Almost always all of one priority.
    if (tasks.some(([priority]) => priority !== tasks[0]![0])) tasks.sort(([one], [other]) => one - other)
    for (const [, task] of tasks) {
      if (!this.alive) return
      task()
    }
  }

  fork<A, E, R>(effect: Effect.Effect<A, E, R>, services: Context.Context<R>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(Context.merge(services, this.context) as Context.Context<R>)(effect)
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= 2048
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this
  }

  scheduleTask(task: () => void, priority: number): void {
    if (this.alive) this.tasks.push([priority, task])
  }

  flush(): void {
    while (this.ready) this.turn()
  }
}

/** Random bytes from a seed: the ids of writers are the same in every run, and so is whatever else is drawn. */
const cryptoOf = (random: Seeded): Crypto => {
  const getRandomValues = <T extends ArrayBufferView>(array: T): T => {
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
    for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
    return array
  }
  return { getRandomValues, subtle: globalThis.crypto.subtle } as Crypto
}

/** Times are whole 1024ths of a millisecond, so that sums of them are exact, whatever is added first. */
const onGrid = (millis: number): number => Math.ceil(millis * 1024) / 1024

const before = (one: Timer, other: Timer): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)

/** A binary heap, the earliest first. */
const push = (heap: Array<Timer>, timer: Timer): void => {
  let at = heap.length
  heap.push(timer)
  while (at > 0) {
    const parent = (at - 1) >> 1
    if (!before(timer, heap[parent]!)) break
    heap[at] = heap[parent]!
    at = parent
  }
  heap[at] = timer
}

const pop = (heap: Array<Timer>): Timer | undefined => {
  const first = heap[0]
  const last = heap.pop()
  if (first === undefined || last === undefined || first === last) return first
  let at = 0
  for (;;) {
    let child = 2 * at + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
    if (!before(heap[child]!, last)) break
    heap[at] = heap[child]!
    at = child
  }
  heap[at] = last
  return first
}
