import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { type Driver, expired, type Record, type Transaction, type Verdict } from "../../Driver.ts"
import * as MemoryDriver from "../../MemoryDriver.ts"
import type { World } from "./world.ts"

/** What the store tells those who look on. */
export interface Listener {
  readonly applied: (transaction: Transaction) => void
  readonly expired: (name: string) => void
}

/**
 * The store of a simulation: the memory driver, on a clock of its own, which remembers what it has applied, so that it
 * can fall back to a state that is a little older.
 */
export class Store {
  private readonly world: World
  private readonly skew: number
  private readonly listener: Listener
  private readonly log: Array<{ readonly at: number; readonly transaction: Transaction }> = []
  private readonly expiring = new Map<string, { readonly at: number; readonly revision: string }>()
  /** The time at which the store believes to be: the world's, but when it does again what it has done. */
  private at: number | undefined
  private readonly fork: <A>(effect: Effect.Effect<A, unknown>) => Fiber.Fiber<A, unknown>
  private driver: Driver

  constructor(world: World, skew: number, listener: Listener) {
    this.world = world
    this.skew = skew
    this.listener = listener
    const clock = { ...world.clock(() => 0), currentTimeMillisUnsafe: () => this.now }
    this.fork = Effect.runForkWith(Context.make(Clock.Clock, clock))
    this.driver = this.run(MemoryDriver.make())
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

  commit(transaction: Transaction): Verdict {
    this.expire()
    const verdict = this.apply(transaction)
    if (verdict.committed) {
      this.log.push({ at: this.now, transaction })
      this.listener.applied(transaction)
    }
    return verdict
  }

  /** Forgets the last commits, as a replica does that takes over before it has all of them. */
  fallBack(commits: number): void {
    const lost = this.log.splice(Math.max(0, this.log.length - commits))
    this.driver = this.run(MemoryDriver.make())
    this.expiring.clear()
    for (const { at, transaction } of this.log) {
      this.at = at
      this.apply(transaction)
    }
    this.at = undefined
    for (const { transaction } of lost) this.listener.applied(transaction)
  }

  private get now(): number {
    return this.at ?? this.world.now + this.skew
  }

  /** What the memory driver does, it does at once. */
  private run<A>(effect: Effect.Effect<A, unknown>): A {
    const exit = this.fork(effect).pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) throw new Error("the store of the simulation failed")
    return exit.value
  }

  private apply(transaction: Transaction): Verdict {
    // Turns are advice, and the memory driver gives them by the machine's clock, too: here nobody waits for one.
    const plain = transaction.map(({ claim: _, ...write }) => write)
    const [verdict] = this.run(this.driver.commit([plain])) as ReadonlyArray<Verdict>
    if (!verdict!.committed) return verdict!
    for (const { expiresIn, name, next } of transaction) {
      if (next === undefined) continue
      this.expiring.delete(name)
      const left = expiresIn === undefined ? Infinity : Duration.toMillis(expiresIn)
      if (left === Infinity || next.data === null) continue
      this.expiring.set(name, { at: this.now + left, revision: next.revision })
      this.world.after(left, () => this.expire())
    }
    return verdict!
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
