import type { Fate } from "./fates.ts"
import type { Process } from "./process.ts"
import type { Store } from "./store.ts"
import { Subscriptions } from "./subscriptions.ts"
import type { World } from "./world.ts"

/** What the network draws and tells. */
export interface Weather {
  /** The fate of the `n`th call of a process. */
  readonly fate: (process: number, n: number, choices: ReadonlyArray<Fate>) => Fate
  /** What was first sent longer ago, and was held back since, cannot create a scope any more. */
  readonly retention: number
  readonly trace: ((lane: number, text: string) => void) | undefined
}

/** A call that has no answer yet. */
interface Open {
  readonly process: Process
  /** Its connection breaks. */
  readonly fail: () => void
}

/** What lies between the writers and the store: who can reach it, and what breaks when that changes. */
export class Network {
  /** Requests on their way to the store. */
  inFlight = 0
  readonly world: World
  readonly store: Store
  readonly weather: Weather
  readonly subscriptions: Subscriptions
  readonly open = new Set<Open>()
  /** When a transaction was sent for the first time, by the revision that it writes. */
  readonly firstSent = new Map<string, number>()
  /** When the last trouble is over that has begun. */
  troubledUntil = 0
  /** How often the store has lost commits: what was sent before does not arrive after. */
  terms = 0
  private up = true
  /** Until when nobody is answered, or a process is not. */
  private silence = 0
  private readonly deaf = new Map<Process, number>()
  /** How often all connections broke. */
  private era = 0
  /** Until when a process cannot reach the store, and how often that has happened to it. */
  private readonly cuts = new Map<Process, { readonly until: number; readonly times: number }>()

  constructor(world: World, store: Store, weather: Weather) {
    this.world = world
    this.store = store
    this.weather = weather
    this.subscriptions = new Subscriptions(world, (process) => this.reachable(process) && this.hears(process))
  }

  /** The store goes down and comes back after so many milliseconds, perhaps without its last commits. */
  restart(millis: number, lost: number): void {
    this.up = false
    this.era++
    this.store.stop()
    this.trouble(millis)
    for (const call of this.open) call.fail()
    this.world.after(millis, () => {
      this.up = true
      if (lost > 0) {
        this.terms++
        this.store.fallBack(lost)
      }
      this.subscriptions.hintAll()
    })
  }

  /** A process is cut off from the store for so many milliseconds. */
  partition(process: Process, millis: number): void {
    this.trouble(millis)
    this.cuts.set(process, { until: this.world.now + millis, times: (this.cuts.get(process)?.times ?? 0) + 1 })
    for (const call of this.open) {
      if (call.process === process) call.fail()
    }
    this.world.after(millis, () => this.subscriptions.hintAll(process), process)
  }

  /** What anybody, or a process, sends arrives, but no answer comes back for so many milliseconds. */
  quieten(millis: number, process?: Process): void {
    this.trouble(millis)
    if (process === undefined) this.silence = this.world.now + millis
    else this.deaf.set(process, this.world.now + millis)
    this.world.after(millis, () => this.subscriptions.hintAll(process), process)
  }

  hears(process: Process): boolean {
    return this.silence <= this.world.now && (this.deaf.get(process) ?? 0) <= this.world.now
  }

  get running(): boolean {
    return this.up
  }

  reachable(process: Process): boolean {
    return this.up && (this.cuts.get(process)?.until ?? 0) <= this.world.now
  }

  /** Grows when the connection of a process breaks. What was sent before does not arrive after. */
  eraOf(process: Process): number {
    return this.era + (this.cuts.get(process)?.times ?? 0)
  }

  private trouble(millis: number): void {
    this.troubledUntil = Math.max(this.troubledUntil, this.world.now + millis)
  }

  applied(names: Iterable<string>): void {
    if (this.up) this.subscriptions.changed(names)
  }
}
