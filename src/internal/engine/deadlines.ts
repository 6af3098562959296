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
  before: Deadline | undefined
  after: Deadline | undefined
}

/** Ends what takes too long. All may take equally long, so one timer is enough: for whoever began first. */
export class Deadlines {
  private readonly timeout: number
  private readonly now: () => number
  private readonly fork: Fork
  private readonly soon: (task: () => void) => void
  // Whoever has not ended, in the order in which they began: a list, so that one which hangs keeps nothing alive of the
  // many that begin and end behind it.
  private first: Deadline | undefined = undefined
  private last: Deadline | undefined = undefined
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
    const { last } = this
    const deadline: Deadline = { at: this.now() + this.timeout, onLate, ended: false, before: last, after: undefined }
    if (last === undefined) this.first = deadline
    else last.after = deadline
    this.last = deadline
    if (this.timer === undefined) this.timer = this.fork(this.watch)
    return deadline
  }

  end(deadline: Deadline): void {
    const { after, before } = deadline
    deadline.ended = true
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    deadline.before = deadline.after = undefined
    if (this.first === undefined) this.soon(this.rest)
  }

  // A timer of which nobody needs anything any more would keep the process alive. But the next call may begin at once.
  private readonly rest = (): void => {
    if (this.first !== undefined) return
    this.timer?.interruptUnsafe()
    this.timer = undefined
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() => {
    if (this.first === undefined) {
      this.timer = undefined
      return Effect.void
    }
    const { at } = this.first
    return Effect.andThen(Effect.sleep(Math.max(at - this.now(), 0)), () => {
      for (let late = this.first; late !== undefined && late.at <= at; late = this.first) {
        this.end(late)
        late.onLate()
      }
      return this.watch
    })
  })
}
