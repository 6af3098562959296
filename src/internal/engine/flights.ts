import type { Run } from "./run.ts"

/**
 * The runs that have begun and whose callers have no answer yet. They are counted, not collected: a set that things
 * enter and leave all the time keeps what has left alive for long, for its tables are chained to each other.
 */
export class Flights {
  private count = 0
  private readonly onLanded: (run: Run) => void
  private onIdle: (() => void) | undefined = undefined

  /** `onLanded` gives back what a run held. */
  constructor(onLanded: (run: Run) => void) {
    this.onLanded = onLanded
  }

  get size(): number {
    return this.count
  }

  start(run: Run): void {
    run.flying = true
    this.count++
  }

  land(run: Run): void {
    if (!run.flying) return
    run.flying = false
    this.count--
    this.onLanded(run)
    if (this.count === 0) this.onIdle?.()
  }

  /** Whether nothing new may begin. */
  get closing(): boolean {
    return this.onIdle !== undefined
  }

  /** Lets nothing new begin, and says when nothing is in flight any more. */
  close(onIdle: () => void): void {
    this.onIdle = onIdle
    if (this.count === 0) onIdle()
  }
}
