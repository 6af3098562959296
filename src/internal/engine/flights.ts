import type { Run } from "./run.ts"

/** The runs that have begun and whose callers have no answer yet. */
export class Flights {
  private readonly runs = new Set<Run>()
  private readonly onLanded: (run: Run) => void
  private onIdle: (() => void) | undefined = undefined

  /** `onLanded` gives back what a run held. */
  constructor(onLanded: (run: Run) => void) {
    this.onLanded = onLanded
  }

  get size(): number {
    return this.runs.size
  }

  has(run: Run): boolean {
    return this.runs.has(run)
  }

  start(run: Run): void {
    this.runs.add(run)
  }

  land(run: Run): void {
    this.runs.delete(run)
    this.onLanded(run)
    if (this.runs.size === 0) this.onIdle?.()
  }

  /** Whether nothing new may begin. */
  get closing(): boolean {
    return this.onIdle !== undefined
  }

  /** Lets nothing new begin, and says when nothing is in flight any more. */
  close(onIdle: () => void): void {
    this.onIdle = onIdle
    if (this.runs.size === 0) onIdle()
  }
}
