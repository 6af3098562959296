import * as Effect from "effect/Effect"
import type { Driver, Transaction, Verdict } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Batch from "./batch.ts"
import * as Fault from "./fault.ts"
import type { Router } from "./router.ts"
import type { Job, Outcome, Runner } from "./runner.ts"
import * as Script from "./script.ts"
import type { Wait } from "./wait.ts"

/** The largest transaction, in characters: more would not fit into one string, and the server's limit is near. */
const maxLength = 2 ** 27

type Answer = Verdict | Fault.Fault

export const make = (env: {
  readonly router: Router
  readonly runner: Runner
  readonly script: Script.Script
  readonly prefix: string
  readonly wait: Wait
  readonly millis: number
}): Driver["commit"] => {
  const { prefix, router, runner, script, wait } = env
  const waits = wait.lines.length > 0
  const setting = router.clustered
    ? waits ? Script.settings.shardedWaiting : Script.settings.sharded
    : waits
    ? Script.settings.plainWaiting
    : Script.settings.plain

  const jobOf = ({ args, keys, ops, places, slot }: Batch.Chunk): Job => ({
    slot,
    script,
    keys,
    args: [setting + ops, ...args],
    divisible: places.length > 1
  })

  /** Why a transaction cannot be sent, if it cannot. */
  const fault = (transaction: Transaction): Fault.Fault | undefined => {
    if (Batch.lengthOf(transaction) > maxLength) {
      return Fault.make("Full", "the states of this transaction are together too large for one request: split it")
    }
    if (!router.clustered) return undefined
    const first = router.slotOf(prefix + transaction[0]!.name)
    const other = transaction.find(({ name }) => router.slotOf(prefix + name) !== first)
    return other && Fault.make(
      "Forbidden",
      `the scopes ${JSON.stringify(transaction[0]!.name)} and ${JSON.stringify(other.name)} are in different slots ` +
        `of the cluster, and so cannot change together: give the names of scopes that do a hash tag in common, such ` +
        `as "{cart-1}:items" and "{cart-1}:total"`
    )
  }

  const settle = (answers: Array<Answer>, batch: ReadonlyArray<Transaction>, chunk: Batch.Chunk, outcome: Outcome) => {
    const { followers, reply } = outcome
    const shortfall = reply._tag === "Value" && followers.length > 0 ? wait.shortfall(followers) : undefined
    chunk.places.forEach((place, i) => {
      if (reply._tag === "Fault") {
        answers[place] = reply
        return
      }
      const answer = Batch.verdict((reply.value as ReadonlyArray<unknown>)[i], batch[place]!, prefix)
      answers[place] = shortfall !== undefined && isApplied(answer, batch[place]!) ? shortfall : answer
    })
  }

  return Effect.fnUntraced(function*(batch) {
    const answers: Array<Answer> = new Array(batch.length)
    const chunks = new Batch.Chunks(prefix)
    batch.forEach((transaction, place) => {
      if (transaction.length === 0) {
        answers[place] = { committed: true }
        return
      }
      const wrong = fault(transaction)
      if (wrong === undefined) chunks.add(place, router.slotOf(prefix + transaction[0]!.name), transaction)
      else answers[place] = wrong
    })
    const writes = waits && batch.some((transaction) => transaction.some(({ next }) => next !== undefined))
    const options = writes
      ? { millis: env.millis + wait.millis, repeatable: false, followers: wait.lines, admit: wait.admit }
      : { millis: env.millis, repeatable: false, followers: [] }
    const outcomes = yield* runner.run(chunks.all.map(jobOf), options)
    const alone: Array<Batch.Chunk> = []
    chunks.all.forEach((chunk, i) => {
      const { reply } = outcomes[i]!
      if (reply._tag === "Fault" && reply.remedy?._tag === "Alone" && chunk.places.length > 1) {
        for (const place of chunk.places) alone.push(chunks.alone(place, chunk.slot, batch[place]!))
      } else {
        settle(answers, batch, chunk, outcomes[i]!)
      }
    })
    if (alone.length > 0) {
      const outcomes = yield* runner.run(alone.map(jobOf), options)
      alone.forEach((chunk, i) => settle(answers, batch, chunk, outcomes[i]!))
    }
    // One fault of many transactions is one error.
    const errors = new Map<Fault.Fault, DriverError>()
    return answers.map((answer) => {
      if (!Fault.isFault(answer)) return answer
      let error = errors.get(answer)
      if (error === undefined) errors.set(answer, error = Fault.toDriverError(answer, "commit"))
      return error
    })
  })
}

/** Whether it is in the store: now, or since an earlier sending of the very same transaction. */
const isApplied = (answer: Answer, transaction: Transaction): boolean =>
  !Fault.isFault(answer) &&
  (answer.committed ||
    transaction.some(({ next }, i) => next !== undefined && answer.current[i]?.revision === next.revision))
