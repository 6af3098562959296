/**
 * Commits batches: appends a line for each transaction, sees what became of it while it is synced, and only then tells.
 */
import * as Effect from "effect/Effect"
import type { Transaction, Verdict, Write } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Answer from "./answer.ts"
import type { Claims } from "./claims.ts"
import * as Fault from "./fault.ts"
import { claim, namesOf } from "./giveWay.ts"
import * as Own from "./own.ts"
import type { Chain, Store } from "./store.ts"
import type { Time } from "./time.ts"

/** `true`: applied; `false`: refused; `undefined`: not known yet. */
type Outcome = boolean | Fault.Fault | undefined

type Answers = ReadonlyArray<Verdict | DriverError>

/**
 * What is given in a turn is the verdicts, but for the records that come with refusals: these are read after it.
 *
 * A commit that nobody waits for any more is not written. `instance` is an id that no other driver has, in this process or another.
 */
export const make = (options: {
  readonly store: Store
  readonly time: Time
  readonly claims: Claims
  readonly instance: string
}): (
  batch: ReadonlyArray<Transaction>,
  isAwaited: () => boolean
) => Effect.Effect<Effect.Effect<Answers>, Fault.Fault> => {
  const { claims, instance, store, time } = options
  let sequence = 0
  // Somebody else committed lately: to read on before appending costs less than lines that are refused.
  let contended = false
  // How often in a row others were first.
  let losses = 0

  const nextId = () => `${instance}:${(++sequence).toString(36)}`

  return (batch, isAwaited) => {
    const outcomes: Array<Outcome> = new Array(batch.length).fill(undefined)
    // The lines that were appended last, and whose they are.
    let own = Own.none
    let whose: ReadonlyArray<number> = []
    // Which of them is most likely the next to be seen: they come in their order.
    let next = 0
    let foreign = false
    // What was appended may be applied, and what was applied may be lost for as long as it is not on disk.
    let appended = false
    // How many of the lines that were appended have not been seen yet.
    let unknown = 0

    const seen = (id: string, applied: boolean): void => {
      const at = own.commits[next]?.id === id
        ? next
        : id.startsWith(instance)
        ? own.commits.findIndex((commit) => commit.id === id)
        : -1
      const index = whose[at]
      if (index === undefined) {
        foreign = true
        return
      }
      next = at + 1
      if (outcomes[index] !== undefined) return
      outcomes[index] = applied
      unknown--
    }

    // Refuses what is stale, but for what an earlier transaction of the batch may make current.
    const refuse = (waiting: ReadonlyArray<number>, { records }: Chain): Array<number> => {
      const now = time.now()
      const touched = new Set<string>()
      return waiting.filter((index) => {
        const transaction = batch[index]!
        if (!transaction.some((write) => touched.has(write.name)) && !records.accepts(transaction, now)) {
          outcomes[index] = false
          return false
        }
        for (const write of transaction) if (write.next !== undefined) touched.add(write.name)
        return true
      })
    }

    return Effect.gen(function*() {
      let waiting: Array<number> = []
      for (let index = 0; index < batch.length; index++) {
        if (textLength(batch[index]!) > longestText) outcomes[index] = tooLarge
        else if (batch[index]!.some(writes)) waiting.push(index)
      }
      let fresh = contended || waiting.length === 0
      let chain = yield* store.current(fresh, seen)
      const now = time.now()
      if (!fresh && !waiting.every((index) => chain.records.accepts(batch[index]!, now))) {
        // What looks stale may be newer than what was read so far.
        chain = yield* store.current(true, seen)
        fresh = true
      }
      let settled = false
      while (true) {
        if (fresh) waiting = refuse(waiting, chain)
        if (waiting.length === 0) break
        const { journal } = chain
        const { records } = chain
        own = yield* Own.encode(waiting.map((index) => batch[index]!), nextId, () => ({
          ...time.moment(records.moment.at),
          synced: journal.synced
        }))
        whose = waiting
        next = 0
        if (!isAwaited()) return yield* Effect.fail(abandoned)
        appended = true
        unknown = whose.length
        const { failure, unsynced, ...landing } = yield* store.land(chain, own, seen, () => unknown === 0)
        settled = landing.settled
        waiting = waiting.filter((index) => outcomes[index] === undefined)
        if (unsynced !== undefined) {
          appended = waiting.length > 0
          return yield* Effect.fail(unsynced)
        }
        if (waiting.length > 0 && journal.seal === undefined) {
          const { path } = journal.segment
          if (failure === undefined) return yield* Effect.fail(Fault.gone(path))
          const fault = Fault.fromPlatform(path)(failure)
          for (const [i, index] of whose.entries()) {
            outcomes[index] ??= { ...fault, inDoubt: journal.endsWith(own.commits[i]!.id) }
          }
          waiting = []
        }
        appended = false
        if (waiting.length === 0) break
        // The seal came first, so these lines are void: they are written again to the next journal.
        chain = yield* store.current(true, seen)
        fresh = true
      }
      contended = foreign
      if (settled && outcomes.every((outcome) => outcome === true)) {
        losses = 0
        return Effect.succeed(outcomes.map(() => committed))
      }
      const lost = [...batch.keys()].filter((index) => outcomes[index] === false && batch[index]!.some(writes))
      losses = outcomes.includes(true) ? 0 : lost.length > 0 ? losses + 1 : losses
      if (lost.length > 0 && losses % claimAt === 0) {
        yield* claim(chain.journal, claims, namesOf(lost.map((index) => batch[index]!)))
      }
      yield* store.settle(chain)
      const { records } = chain
      const told = time.now()
      for (const [index, transaction] of batch.entries()) outcomes[index] ??= records.accepts(transaction, told)
      const refused = [...batch.keys()].filter((index) => outcomes[index] === false)
      const current = Answer.take(
        refused.flatMap((index) => batch[index]!.map(({ name }) => records.view(name, told))),
        told
      )
      return Effect.map(current, (answers): Answers => {
        let at = 0
        return outcomes.map((outcome, index): Verdict | DriverError => {
          if (outcome === true) return committed
          if (typeof outcome === "object") return Fault.toDriverError(outcome, "commit")
          const current = Answer.all(answers.slice(at, at += batch[index]!.length))
          return "reason" in current ? Fault.toDriverError(current, "commit") : { committed: false, current }
        })
      })
    }).pipe(
      Effect.mapError((fault) => appended || outcomes.includes(true) ? { ...fault, inDoubt: true } : fault)
    )
  }
}

// Text may become six times as long in a line, and the line must fit into one string.
const longestText = 64 * 1024 * 1024

const tooLarge = Fault.make(
  "Unknown",
  "the states of one transaction are longer than 64 MiB together: spread them over several transactions"
)

/** Nobody hears of it: the caller was interrupted, and may send the same again. */
const abandoned = Fault.make("Timeout", "it was given up before it could be written")

const textLength = (transaction: Transaction): number =>
  transaction.reduce((length, { name, next }) => length + name.length + (next?.data?.length ?? 0), 0)

/** Every so many refusals in a row a claim is made. */
const claimAt = 2
const committed: Verdict = { committed: true }

const writes = (write: Write): boolean => write.next !== undefined
