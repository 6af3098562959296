import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Transaction } from "../../Driver.ts"
import { steady } from "../steady.ts"

/**
 * How long a turn lasts that is not taken, in milliseconds: of the store's clock, or more of the machine's, for the clock
 * of a test may stand still, and any wall clock may be set back.
 */
const lapse = 25
const machineLapse = 250

interface Claim {
  readonly writer: string
  /** The order in which transactions came and claims were made, at whatever names. */
  readonly ticket: number
  /** When its turn began, by both clocks. */
  since: number
  machineSince: number
}

/**
 * Turns at names that several writers want at once: who was refused goes before the others.
 *
 * Turns are advice. They never change what a commit is worth, only when it is looked at; and who does not take his turn
 * in time loses it. So a writer that is near the store cannot keep out one that is far, whose guess is always stale.
 */
export class Claims {
  private readonly queues = new Map<string, Array<Claim>>()
  private readonly waiting = new Set<() => void>()
  private tickets = 0
  private readonly clock: Clock.Clock
  private readonly machine: Clock.Clock
  private readonly machineMillis: () => number

  constructor(clock: Clock.Clock, machine: Clock.Clock) {
    this.clock = clock
    this.machine = machine
    this.machineMillis = steady(machine)
  }

  get none(): boolean {
    return this.queues.size === 0
  }

  /**
   * Waits until it is nobody else's turn: nobody's who claimed a name before this transaction came, or before its writer
   * claimed one of its names. So whoever waits is not overtaken for ever, and no two wait for each other.
   */
  turn(transaction: Transaction): Effect.Effect<void> {
    return Effect.suspend(() => this.after(transaction, this.tickets++))
  }

  private after(transaction: Transaction, arrival: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const head = this.ahead(transaction, arrival)
      if (head === undefined) return Effect.void
      const left = head.since + lapse - this.clock.currentTimeMillisUnsafe()
      const machineLeft = head.machineSince + machineLapse - this.machineMillis()
      const sleep = (clock: Clock.Clock, millis: number) =>
        Effect.provideService(Effect.sleep(Math.max(millis, 0)), Clock.Clock, clock)
      return Effect.raceFirst(
        this.moved,
        this.clock === this.machine
          ? sleep(this.machine, Math.min(left, machineLeft))
          : Effect.raceFirst(sleep(this.clock, left), sleep(this.machine, machineLeft))
      ).pipe(
        // Whoever is woken is woken in the middle of somebody else's step.
        Effect.andThen(Effect.yieldNow),
        Effect.andThen(this.after(transaction, arrival))
      )
    })
  }

  /** Notes the outcome of a transaction: whoever claims a name in vain has a turn coming, and who commits has had it. */
  note(transaction: Transaction, committed: boolean): void {
    if (committed && this.none) return
    for (const { claim, name } of transaction) {
      const queue = this.queues.get(name)
      const place = queue?.findIndex(({ writer }) => writer === claim) ?? -1
      if (committed) {
        if (place !== -1) this.drop(name, place)
      } else if (claim !== undefined && place === -1) {
        const added = { writer: claim, ticket: this.tickets++, since: 0, machineSince: 0 }
        this.begin(added)
        if (queue === undefined) this.queues.set(name, [added])
        else queue.push(added)
      }
    }
  }

  /** Somebody else whose turn it is. */
  private ahead(transaction: Transaction, arrival: number): Claim | undefined {
    let own = arrival
    for (const { claim, name } of transaction) {
      for (const { ticket, writer } of this.queues.get(name) ?? []) if (writer === claim) own = Math.min(own, ticket)
    }
    for (const { claim, name } of transaction) {
      for (let head = this.queues.get(name)?.[0]; head !== undefined; head = this.queues.get(name)?.[0]) {
        if (head.writer === claim || head.ticket > own) break
        if (!this.lapsed(head)) return head
        this.drop(name, 0)
      }
    }
    return undefined
  }

  private lapsed({ machineSince, since }: Claim): boolean {
    return this.clock.currentTimeMillisUnsafe() >= since + lapse ||
      this.machineMillis() >= machineSince + machineLapse
  }

  private begin(claim: Claim): void {
    claim.since = this.clock.currentTimeMillisUnsafe()
    claim.machineSince = this.machineMillis()
  }

  private drop(name: string, place: number): void {
    const queue = this.queues.get(name)!
    queue.splice(place, 1)
    if (queue.length === 0) this.queues.delete(name)
    else if (place === 0) this.begin(queue[0]!)
    for (const wake of this.waiting) wake()
    this.waiting.clear()
  }

  private readonly moved: Effect.Effect<void> = Effect.callback((resume) => {
    const wake = () => resume(Effect.void)
    this.waiting.add(wake)
    return Effect.sync(() => {
      this.waiting.delete(wake)
    })
  })
}
