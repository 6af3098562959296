/** How long code may keep the event loop at a stretch, in milliseconds. */
const length = 5

/** How many steps are taken between two looks at the clock at the most, and how long they may last for that. */
const mostSteps = 4
const short = 0.1

/**
 * A stretch of work in steps. It looks at the clock after every step at first, and less often while steps are short: a
 * look costs as much as a small handler.
 */
export class Slice {
  /** The time of the last look, in milliseconds of a steady clock. */
  now: number
  /** Whether it is over. */
  over = false
  private readonly steady: () => number
  private readonly until: number
  private stride = 1
  private left = 1

  constructor(steady: () => number) {
    this.steady = steady
    this.now = steady()
    this.until = this.now + length
  }

  /** A step was done. Tells whether there was a look at the clock. */
  step(): boolean {
    if (--this.left > 0) return false
    const before = this.now
    this.now = this.steady()
    this.stride = this.now - before < short ? Math.min(this.stride * 2, mostSteps) : 1
    this.left = this.stride
    this.over = this.now >= this.until
    return true
  }
}
