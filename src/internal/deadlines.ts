import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type { Fork, Soon } from "./background.ts"
import { List, type Node } from "./list.ts"

/** Something that has to end in time. */
export interface Deadline extends Node<Deadline> {
  readonly at: number
  readonly onLate: () => void
}

/** Ends what takes too long. One timer does for all: for whoever has to end first. */
export class Deadlines {
  private readonly now: () => number
  private readonly fork: Fork
  private readonly soon: Soon
  /** Whoever has not ended, in the order in which they have to. */
  private readonly waiting = new List<Deadline>()
  private timer: Fiber.Fiber<void> | undefined = undefined
  private wakesAt = Infinity

  /** `now`: milliseconds of whatever clock deadlines are told by. */
  constructor(options: { readonly now: () => number; readonly fork: Fork; readonly soon: Soon }) {
    this.now = options.now
    this.fork = options.fork
    this.soon = options.soon
  }

  /** The time in so many milliseconds. */
  in(millis: number): number {
    return this.now() + millis
  }

  /** `onLate` is called at the time `at`, but never before this returns, unless it has ended by then. */
  begin(at: number, onLate: () => void): Deadline {
    const deadline: Deadline = { at, onLate, list: undefined, before: undefined, after: undefined }
    // Nearly all have equally long, so whoever begins last has to end last.
    let before = this.waiting.last
    while (before !== undefined && before.at > at) before = before.before
    this.waiting.insert(deadline, before)
    if (at < this.wakesAt) {
      this.timer?.interruptUnsafe()
      this.wakesAt = at
      this.timer = this.fork(this.watch)
    }
    return deadline
  }

  end(deadline: Deadline): void {
    this.waiting.remove(deadline)
    if (this.waiting.first === undefined) this.soon(this.rest, 1)
  }

  // A timer of which nobody needs anything any more would keep the process alive. But the next call may begin at once:
  // what is on its way to that comes first.
  private readonly rest = (): void => {
    if (this.waiting.first !== undefined) return
    this.timer?.interruptUnsafe()
    this.timer = undefined
    this.wakesAt = Infinity
  }

  private get pause(): Effect.Effect<void> {
    const left = this.wakesAt - this.now()
    return left > 0 ? Effect.sleep(left) : Effect.yieldNow
  }

  private readonly watch: Effect.Effect<void> = Effect.suspend(() =>
    Effect.andThen(this.pause, () => {
      for (let late = this.waiting.first; late !== undefined && late.at <= this.wakesAt; late = this.waiting.first) {
        this.end(late)
        late.onLate()
      }
      this.wakesAt = this.waiting.first?.at ?? Infinity
      if (this.wakesAt < Infinity) return this.watch
      this.timer = undefined
      return Effect.void
    })
  )
}
