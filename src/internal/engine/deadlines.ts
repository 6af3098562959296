import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { steady } from "../steady.ts"
import type { Fork } from "./background.ts"

/** Something that has to end in time. */
export interface Deadline {
  readonly at: number
  readonly onLate: () => void
  ended: boolean
}

/** Ends what takes too long. All may take equally long, so one timer is enough: for whoever began first. */
export class Deadlines {
  private readonly timeout: number
  private readonly now: () => number
  private readonly fork: Fork
  private readonly soon: (task: () => void) => void
  /** Whoever has not ended, and some who have, in the order in which they began. */
  private readonly waiting: Array<Deadline> = []
  private timer: Fiber.Fiber<void> | undefined = undefined

  /** `soon` runs a task when what runs now is done. */
  constructor(options: {
    readonly timeout: Duration.Duration
    readonly clock: Clock.Clock
    readonly fork: Fork
    readonly soon: (task: () => void) => void
  }) {
    this.timeout = Duration.toMillis(options.timeout)
    this.now = steady(options.clock)
    this.fork = options.fork
    this.soon = options.soon
  }

  begin(onLate: () => void): Deadline {
    const deadline = { at: this.now() + this.timeout, onLate, ended: false }
    this.waiting.push(deadline)
    if (this.timer === undefined) this.timer = this.fork(this.watch)
    return deadline
  }

  end(deadline: Deadline): void {
    deadline.ended = true
    while (this.waiting[0]?.ended === true) this.waiting.shift()
    if (this.waiting.length === 0) this.soon(this.rest)
  }

  // A timer of which nobody needs anything any more would keep the process alive. But the next call may begin at once.
  private readonly rest = (): void => {
    if (this.waiting.length > 0) return
    this.timer?.interruptUnsafe()
    this.timer = undefined
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    const first = this.waiting[0]
    if (first === undefined) {
      this.timer = undefined
      return Effect.void
    }
    return Effect.andThen(Effect.sleep(Math.max(first.at - this.now(), 0)), () => {
      for (const deadline of this.waiting.filter(({ at }) => at <= first.at)) {
        if (deadline.ended) continue
        this.end(deadline)
        deadline.onLate()
      }
      return this.watch
    })
  })
}
