import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import type { ScopedError } from "../../ScopedError.ts"
import { answered, applied, type Call, type Outcome, unknown } from "../Linearizability.ts"

/** A call as it is being made. */
export interface Made<Operation, Output> {
  readonly input: Operation
  readonly client: string
  readonly called: number
  returned: number
  /** `undefined` when nothing of it happened. */
  outcome: Outcome<Output> | undefined
  error: ScopedError | undefined
  /** When it began and how long it took, in milliseconds. */
  readonly since: number
  millis: number
}

/** All calls of a run, and the moments at which they began and ended. */
export class History<Operation, Output> {
  readonly made: Array<Made<Operation, Output>> = []
  private moments = 0

  moment(): number {
    return this.moments++
  }

  /** A call begins at `now`. */
  begin(client: string, input: Operation, now: number): Made<Operation, Output> {
    const one: Made<Operation, Output> = {
      input,
      client,
      called: this.moment(),
      returned: Infinity,
      outcome: unknown,
      error: undefined,
      since: now,
      millis: 0
    }
    this.made.push(one)
    return one
  }

  /** Somebody saw something between a moment and now. */
  saw(client: string, input: Operation, since: number, output: Output): number {
    const returned = this.moment()
    this.add(client, input, since, returned, answered(output))
    return returned
  }

  /** Something happened at this moment. */
  happened(client: string, input: Operation): void {
    const at = this.moment()
    this.add(client, input, at, at, applied)
  }

  /** A call that goes on may have had an effect already that is lost from now on. */
  mayHaveHappened({ called, client, input }: Made<Operation, Output>): void {
    this.add(client, input, called, this.moment(), unknown)
  }

  /** Tells what became of a call. Gives back what is wrong with that. */
  end(one: Made<Operation, Output>, exit: Exit.Exit<Output, ScopedError>, now: number): string | undefined {
    const ended = this.moment()
    one.millis = now - one.since
    if (Exit.isSuccess(exit)) {
      one.returned = ended
      one.outcome = answered(exit.value)
      return undefined
    }
    const reason = exit.cause.reasons.find((reason) => reason._tag !== "Interrupt")
    if (reason === undefined) {
      // Nothing of an interrupted call goes on in the background.
      one.returned = ended
      return undefined
    }
    if (reason._tag === "Die") return `${one.client}: ${format(one.input)} died: ${Cause.pretty(exit.cause)}`
    one.error = reason.error
    switch (reason.error._tag) {
      case "AmbiguousCommitError":
        break
      case "NotReplicatedError":
        one.returned = ended
        one.outcome = applied
        break
      default:
        // Nothing of it happened, and nothing ever will.
        one.outcome = undefined
    }
    return undefined
  }

  get calls(): ReadonlyArray<Call<Operation, Output>> {
    const calls: Array<Call<Operation, Output>> = []
    for (const { called, client, input, outcome, returned } of this.made) {
      if (outcome !== undefined) calls.push({ called, client, input, outcome, returned })
    }
    return calls
  }

  get errors(): ReadonlyArray<{ readonly operation: Operation; readonly error: ScopedError; readonly millis: number }> {
    return this.made.flatMap(({ error, input, millis }) =>
      error === undefined ? [] : { operation: input, error, millis }
    )
  }

  private add(client: string, input: Operation, called: number, returned: number, outcome: Outcome<Output>): void {
    this.made.push({ input, client, called, returned, outcome, error: undefined, since: 0, millis: 0 })
  }
}

/** What became of a call, in a word. */
export const shown = (one: Made<unknown, unknown>, exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit)
    ? format(exit.value)
    : one.error !== undefined
    ? one.error._tag
    : Cause.hasInterruptsOnly(exit.cause)
    ? "interrupted"
    : "died"
