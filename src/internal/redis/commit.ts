import * as Effect from "effect/Effect"
import type { Driver, Record, Transaction, Verdict } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Batch from "./batch.ts"
import type { Crowds } from "./crowds.ts"
import * as Fault from "./fault.ts"
import type { Hints } from "./hints.ts"
import type { Read } from "./read.ts"
import type { Router } from "./router.ts"
import type { Job, Outcome, Runner } from "./runner.ts"
import * as Script from "./script.ts"
import { decode, omitted, type Told } from "./value.ts"
import type { Wait } from "./wait.ts"

/** The largest transaction, in characters: its writes are one script, during which the server does nothing else. */
const maxLength = 2 ** 26

type Answer = Verdict | Fault.Fault | DriverError

type Answers = ReadonlyArray<Verdict | DriverError>

/** The requests of a batch, and the answers to what makes none. */
interface Sorted {
  readonly chunks: Batch.Chunks
  readonly answers: Array<Answer>
}

/** A refused transaction, and what was told of its records. */
interface Refusal {
  readonly place: number
  readonly told: ReadonlyArray<Told>
  readonly shortfall: DriverError | undefined
}

// Whether it was applied when it was sent before is for those to find out who know what their revisions hold.
const refused = (current: ReadonlyArray<Record | null>, shortfall: DriverError | undefined): Verdict =>
  shortfall === undefined ? { committed: false, current } : { committed: false, current, shortfall }

const committed: Verdict = { committed: true }

export const make = (env: {
  readonly router: Router
  readonly runner: Runner
  readonly script: Script.Script
  readonly prefix: string
  readonly read: Read
  readonly wait: Wait
  readonly crowds: Crowds
  readonly millis: number
  readonly now: () => number
  readonly hints: Hints
}): Driver["commit"] => {
  const { prefix, router, runner, script, wait } = env
  const waits = wait.lines.length > 0
  const setting = router.clustered
    ? waits ? Script.settings.shardedWaiting : Script.settings.sharded
    : waits
    ? Script.settings.plainWaiting
    : Script.settings.plain
  const checking = { millis: env.millis, repeatable: false }
  const writing = waits
    ? {
      ...checking,
      admit: wait.admit,
      followers: { lines: wait.lines, millis: wait.millis }
    }
    : checking

  const jobOf = ({ args, keys, places, slot }: Batch.Chunk): Job => ({
    slot,
    script,
    keys,
    args,
    divisible: places.length > 1
  })

  const sort = (batch: ReadonlyArray<Transaction>): Sorted => {
    const answers: Array<Answer> = new Array(batch.length)
    const chunks = new Batch.Chunks(prefix, setting)
    for (let place = 0; place < batch.length; place++) {
      const transaction = batch[place]!
      const answer = transaction.length === 0 ? committed : fault(transaction)
      if (answer !== undefined) answers[place] = answer
      else chunks.add(place, router.slotOf(prefix + transaction[0]!.name), transaction)
    }
    return { answers, chunks }
  }

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

  /** The records that a transaction was refused for, where they are too large to come along with the refusal. */
  const complete = (
    { place, shortfall, told }: Refusal,
    answers: Array<Answer>,
    batch: ReadonlyArray<Transaction>,
    deadline: number
  ) =>
    Effect.match(env.read.snapshot(batch[place]!.map(({ name }) => prefix + name), told, deadline), {
      onFailure: (fault) => {
        answers[place] = { ...fault, inDoubt: false }
      },
      onSuccess: (current) => {
        answers[place] = refused(current, shortfall)
      }
    })

  const settle = Effect.fnUntraced(function*(
    answers: Array<Answer>,
    refusals: Array<Refusal>,
    batch: ReadonlyArray<Transaction>,
    chunk: Batch.Chunk,
    { address, followers, reply }: Outcome
  ) {
    if (reply._tag === "Fault") {
      for (const place of chunk.places) answers[place] = reply
      return
    }
    const missing = followers.length > 0 ? wait.shortfall(followers) : undefined
    const lacking = missing && Fault.toDriverError(missing, "commit")
    const told = Batch.answers(reply.value, chunk, address, batch)
    if (Batch.isPlain(reply.value)) env.crowds.heard(Batch.heard(reply.value, chunk))
    const wrote = chunk.places.some((place, i) => told.answers[i] === "Committed" && writesOf(batch[place]!))
    if (wrote) {
      if (told.lost === null) env.hints.sent(address)
      else yield* env.hints.lost(told.lost, address)
    }
    chunk.places.forEach((place, i) => {
      const one = told.answers[i]!
      const shortfall = writesOf(batch[place]!) ? lacking : undefined
      if (Fault.isFault(one)) answers[place] = one
      else if (one === "Committed") answers[place] = shortfall ?? committed
      else if (one.some((record) => omitted(record) !== undefined)) refusals.push({ place, told: one, shortfall })
      else answers[place] = refused(one.map(decode), shortfall)
    })
  })

  const commit = Effect.fnUntraced(function*(
    batch: ReadonlyArray<Transaction>,
    { answers, chunks }: Sorted,
    started?: { readonly outcomes: Effect.Effect<ReadonlyArray<Outcome>>; readonly deadline: number }
  ) {
    const refusals: Array<Refusal> = []
    const writes = waits && batch.some(writesOf)
    const options = writes ? writing : checking
    const deadline = started?.deadline ?? env.now() + env.millis + (writes ? wait.millis : 0)
    const outcomes = yield* started?.outcomes ?? runner.run(chunks.all.map(jobOf), options)
    const alone: Array<Batch.Chunk> = []
    for (const [i, chunk] of chunks.all.entries()) {
      const { reply } = outcomes[i]!
      if (reply._tag === "Fault" && Fault.isPartial(reply) && chunk.places.length > 1) {
        for (const place of chunk.places) alone.push(chunks.alone(place, chunk.slot, batch[place]!))
      } else {
        yield* settle(answers, refusals, batch, chunk, outcomes[i]!)
      }
    }
    if (alone.length > 0) {
      const left = Math.min(Math.max(deadline - env.now(), 1), options.millis)
      const outcomes = yield* runner.run(alone.map(jobOf), { ...options, millis: left })
      for (const [i, chunk] of alone.entries()) yield* settle(answers, refusals, batch, chunk, outcomes[i]!)
    }
    if (refusals.length > 0) {
      yield* Effect.forEach(refusals, (refusal) => complete(refusal, answers, batch, deadline), {
        concurrency: "unbounded",
        discard: true
      })
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

  /**
   * What makes one request. Most are such, and all goes well: then there is but a callback from the request to the
   * answer. Where it does not, the common way goes on from there.
   */
  const one = (batch: ReadonlyArray<Transaction>, sorted: Sorted) =>
    Effect.callback<Answers>((resume) => {
      const deadline = env.now() + env.millis
      const job = jobOf(sorted.chunks.all[0]!)
      const giveUp = runner.start(job, checking, (outcome) => {
        const { address, reply } = outcome
        if (reply._tag === "Value" && Batch.isPlain(reply.value)) {
          env.crowds.heard(Batch.heard(reply.value, sorted.chunks.all[0]!))
          if (batch.some(writesOf)) env.hints.sent(address)
          return resume(Effect.succeed(batch.map(() => committed)))
        }
        resume(commit(batch, sorted, { outcomes: runner.finish(job, checking, outcome, deadline), deadline }))
      })
      if (giveUp === undefined) return resume(commit(batch, sorted))
      return Effect.sync(giveUp)
    })

  return (batch) => {
    const sorted = sort(batch)
    const { all } = sorted.chunks
    const isOne = !waits && all.length === 1 && all[0]!.places.length === batch.length
    return env.crowds.during(batch, isOne ? one(batch, sorted) : commit(batch, sorted))
  }
}

const writesOf = (transaction: Transaction): boolean => transaction.some(({ next }) => next !== undefined)
