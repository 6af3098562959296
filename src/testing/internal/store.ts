import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type Driver, expired, type Record, type Transaction, type Verdict } from "../../Driver.ts"
import { Machine } from "../../internal/machine.ts"
import * as MemoryDriver from "../../MemoryDriver.ts"
import { WorldClock } from "./clock.ts"
import type { World } from "./world.ts"

/** What the store tells those who look on. */
export interface Listener {
  readonly applied: (transaction: Transaction) => void
  readonly expired: (name: string) => void
  /** It has forgotten its last commits. */
  readonly fellBack: () => void
}

/** The store is a process, too, of a number that no writer has. */
const id = -1

/**
 * The store of a simulation: the memory driver, on a clock of its own, which remembers what it has applied, so that it
 * can fall back to a state that is a little older.
 */
export class Store {
  private readonly world: World
  private readonly skew: number
  private readonly listener: Listener
  private readonly options: MemoryDriver.Options
  private readonly fork: <A>(effect: Effect.Effect<A, unknown>) => Fiber.Fiber<A, unknown>
  private readonly log: Array<{ readonly at: number; readonly transaction: Transaction }> = []
  private readonly expiring = new Map<string, { readonly at: number; readonly revision: string }>()
  /** Commits that wait for somebody else's turn. */
  private readonly waiting = new Set<Fiber.Fiber<unknown, unknown>>()
  /** The time at which the store believes to be: the world's, but when it does again what it has done. */
  private at: number | undefined
  private driver: Driver

  constructor(world: World, skew: number, listener: Listener, options: MemoryDriver.Options) {
    this.world = world
    this.skew = skew
    this.listener = listener
    this.options = options
    const clock = new StoreClock(world, this)
    this.fork = Effect.runForkWith(
      world.process(id, skew).context.pipe(
        Context.add(Clock.Clock, clock),
        Context.add(Machine, clock)
      )
    )
    this.driver = this.run(MemoryDriver.make(options))
  }

  get limits(): Driver["limits"] {
    return this.driver.limits
  }

  read(names: ReadonlyArray<string>): ReadonlyArray<Record | null> {
    this.expire()
    return this.run(this.driver.read(names))
  }

  names(prefix: string): ReadonlyArray<string> {
    this.expire()
    return this.run(Stream.runCollect(this.driver.names(prefix)))
  }

  /** Commits a transaction, perhaps after others whose turn it is. */
  commit(transaction: Transaction, answer: (verdict: Verdict) => void): void {
    this.expire()
    const fiber = this.fork(this.driver.commit([transaction]))
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return answer(this.decided(transaction, exit))
    this.waiting.add(fiber)
    fiber.addObserver((exit) => {
      if (this.waiting.delete(fiber)) answer(this.decided(transaction, exit))
    })
  }

  /** What waits for its turn is lost. */
  stop(): void {
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const fiber of waiting) fiber.interruptUnsafe()
  }

  /** Forgets the last commits, as a replica does that takes over before it has all of them. */
  fallBack(commits: number): void {
    const lost = this.log.splice(Math.max(0, this.log.length - commits))
    this.driver = this.run(MemoryDriver.make(this.options))
    this.expiring.clear()
    for (const { at, transaction } of this.log) {
      this.at = at
      this.run(this.driver.commit([transaction]))
      this.applied(transaction)
    }
    this.at = undefined
    this.listener.fellBack()
    for (const { transaction } of lost) this.listener.applied(transaction)
  }

  get now(): number {
    return this.at ?? this.world.now + this.skew
  }

  /** What does not wait for anything. */
  private run<A>(effect: Effect.Effect<A, unknown>): A {
    return valueOf(this.fork(effect).pollUnsafe())
  }

  private decided(
    transaction: Transaction,
    exit: Exit.Exit<ReadonlyArray<Verdict | unknown>, unknown>
  ): Verdict {
    const verdict = valueOf(exit)[0] as Verdict
    if (!verdict.committed) return verdict
    this.log.push({ at: this.now, transaction })
    this.applied(transaction)
    this.listener.applied(transaction)
    return verdict
  }

  /** Notes what will expire, and what turns out to have expired at this very moment. */
  private applied(transaction: Transaction): void {
    for (const { expected, expiresIn, name, next } of transaction) {
      const before = this.expiring.get(name)
      if (before !== undefined && before.revision !== expected) {
        this.expiring.delete(name)
        this.listener.expired(name)
      }
      if (next === undefined) continue
      this.expiring.delete(name)
      const left = expiresIn === undefined ? Infinity : Duration.toMillis(expiresIn)
      if (left === Infinity || next.data === null) continue
      this.expiring.set(name, { at: this.now + left, revision: next.revision })
      this.world.after(left, () => this.expire())
    }
  }

  /** Tells of what has expired, before anybody can see it. */
  private expire(): void {
    if (this.expiring.size === 0) return
    for (const [name, { at, revision }] of this.expiring) {
      if (at > this.now) continue
      this.expiring.delete(name)
      const [record] = this.run(this.driver.read([name]))
      if (record == null || record.revision === expired(revision)) this.listener.expired(name)
    }
  }
}

const valueOf = <A>(exit: Exit.Exit<A, unknown> | undefined): A => {
  if (exit === undefined || Exit.isFailure(exit)) throw new Error("The store of the simulation failed")
  return exit.value
}

/** A clock that shows the time at which a store believes to be. */
class StoreClock extends WorldClock {
  private readonly store: Store

  constructor(world: World, store: Store) {
    super(world)
    this.store = store
  }

  override currentTimeMillisUnsafe(): number {
    return this.store.now
  }
}
