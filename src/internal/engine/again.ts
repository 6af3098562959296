import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Schedule from "effect/Schedule"
import type { Record } from "../../Driver.ts"
import { ConflictError, type DriverError } from "../../ScopedError.ts"
import type { Fork } from "../background.ts"
import type { Lines } from "./lines.ts"
import type { Run } from "./run.ts"
import * as Schedules from "./schedules.ts"
import { type Attempts, failAll, type Update } from "./update.ts"

/** Once more: the handlers after a refusal, the very same commit after a lost answer. */
export class Again {
  private readonly clock: Clock.Clock
  private readonly elapsed: () => number
  private readonly lines: Lines
  private readonly fork: Fork
  private readonly recovery: Schedule.Schedule<unknown>
  private readonly resendFor: number
  /** Updates whose schedule lets them wait. */
  private readonly asleep = new Set<ReadonlyArray<Update>>()
  private closed: DriverError | undefined = undefined

  constructor(options: {
    readonly clock: Clock.Clock
    readonly elapsed: () => number
    readonly lines: Lines
    readonly fork: Fork
    readonly recovery: Schedule.Schedule<unknown>
    /** For how long after it was first sent a commit may be sent again, in milliseconds. */
    readonly resendFor: number
  }) {
    this.clock = options.clock
    this.elapsed = options.elapsed
    this.lines = options.lines
    this.fork = options.fork
    this.recovery = options.recovery
    this.resendFor = options.resendFor
  }

  // ---- After a refusal

  /** Lets the updates of a refused run try again. Its cells must be free. */
  refused(run: Run, current: ReadonlyArray<Record | null>): void {
    const changed = run.slots.filter((_, i) => (current[i]?.revision ?? null) !== run.transaction[i]!.expected)
    const groups = new Map<Attempts, Array<Update>>()
    let first: Attempts | undefined
    for (const update of run.updates) {
      if (update.abandoned !== undefined) {
        update.settle(update.outcome)
        continue
      }
      update.phase = "waiting"
      update.attempts ??= first ??= {
        count: 0,
        size: 0,
        since: this.elapsed(),
        changed: new Set(),
        step: undefined,
        behind: 0
      }
      const group = groups.get(update.attempts)
      if (group === undefined) groups.set(update.attempts, [update])
      else group.push(update)
    }
    for (const [together, updates] of groups) {
      const attempts = this.parted(together, updates)
      attempts.count++
      for (const { part } of changed) attempts.changed.add(part.scope)
      this.tryAgain(attempts, updates)
    }
  }

  /** Who is refused without those that it was refused with before goes on by itself, from where they were. */
  private parted(attempts: Attempts, updates: ReadonlyArray<Update>): Attempts {
    if (attempts.count === 0 || attempts.size === updates.length) {
      attempts.size = updates.length
      return attempts
    }
    attempts.size -= updates.length
    const { changed, count, since } = attempts
    const own = { count, size: updates.length, since, changed: new Set(changed), step: undefined, behind: count }
    for (const update of updates) update.attempts = own
    return own
  }

  private tryAgain(attempts: Attempts, updates: ReadonlyArray<Update>): void {
    const { retry, target: { scope } } = updates[0]!
    if (this.closed !== undefined) return failAll(updates, this.closed)
    if (retry === undefined) {
      return this.elapsed() - attempts.since < Schedules.patience
        ? this.lines.rejoin(updates, true)
        : this.exhausted(attempts, updates)
    }
    const wait = Effect.gen({ self: this }, function*() {
      const behind = Array.from({ length: attempts.behind }, (_, i) => ({ scope, attempts: i + 1 }))
      attempts.step ??= yield* Schedules.stepper(retry, this.clock, behind)
      return yield* attempts.step({ scope, attempts: attempts.count })
    })
    this.asleep.add(updates)
    this.fork(wait).addObserver((exit) => {
      if (!this.asleep.delete(updates)) return
      if (Exit.isFailure(exit)) {
        for (const update of updates) update.settle(exit)
        return
      }
      if (exit.value === undefined) return this.exhausted(attempts, updates)
      // What the refusal told is only good for trying again at once.
      this.lines.rejoin(updates, Duration.isZero(exit.value))
    })
  }

  private exhausted({ changed, count }: Attempts, updates: ReadonlyArray<Update>): void {
    const { target: { scope } } = updates[0]!
    this.fork(Effect.logDebug(
      `Gave up updates of ${JSON.stringify(scope)} after ${count} refusals`,
      { updates: updates.length, changed: [...changed] }
    ))
    for (const update of updates) {
      if (update.phase !== "waiting") continue
      const own = update.target.parts.map((part) => part.scope).filter((scope) => changed.has(scope))
      update.settle(
        Exit.fail(new ConflictError({ scope: update.target.scope, attempts: count, changed: own }))
      )
    }
  }

  // ---- After a lost answer

  /**
   * Sends the same transaction, the same bytes, once more: whatever became of the first sending, it is applied at most
   * once. `giveUp` is told why that cannot be any more.
   */
  lost(run: Run, error: DriverError, giveUp: (reason: string, cause?: unknown) => void): void {
    const { lane } = run.slots[0]!.cell
    const tooLate = () => {
      const late = this.elapsed() - run.sentAt! > this.resendFor
      if (late) giveUp(`${error.description}, and it was first sent too long ago to be sent again`)
      return late
    }
    const wait = Effect.gen({ self: this }, function*() {
      run.recovery ??= yield* Schedules.stepper(this.recovery, this.clock)
      return yield* run.recovery(undefined)
    })
    this.fork(wait).addObserver((exit) => {
      if (Exit.isFailure(exit)) {
        giveUp(`${error.description}, and the storage's "recovery" schedule failed`, exit.cause)
      } else if (exit.value === undefined) {
        giveUp(`${error.description}, also when it was sent again`)
      } else if (!tooLate()) {
        lane.outbox.push({ run, tooLate })
        this.lines.wake(lane)
      }
    })
  }

  close(error: DriverError): void {
    this.closed = error
    for (const updates of this.asleep) failAll(updates, error)
    this.asleep.clear()
  }
}
