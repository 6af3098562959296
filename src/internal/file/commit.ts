/**
 * Commits batches: appends a line for each transaction, reads on to see what became of it, syncs, and only then tells.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { Transaction, Verdict, Write } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Fault from "./fault.ts"
import * as Line from "./line.ts"
import type { Records } from "./records.ts"
import type { Store } from "./store.ts"

/** `true`: applied; `false`: refused; `undefined`: not known yet. */
type Outcome = boolean | Fault.Fault | undefined

/**
 * `instance` is an id that no other driver has, in this process or another.
 */
export const make = (options: {
  readonly store: Store
  readonly clock: Clock.Clock
  readonly instance: string
}): (batch: ReadonlyArray<Transaction>) => Effect.Effect<ReadonlyArray<Verdict | DriverError>, Fault.Fault> => {
  const { clock, instance, store } = options
  let sequence = 0
  // Somebody else committed lately: to read on before appending costs less than lines that are refused.
  let contended = false

  return (batch) => {
    const outcomes: Array<Outcome> = batch.map(() => undefined)
    const indices = new Map<string, number>()
    let foreign = false
    // What was appended may be applied, and what was applied may be lost for as long as it is not on disk.
    let appended = false

    const seen = (id: string, applied: boolean): void => {
      const index = indices.get(id)
      if (index === undefined) foreign = true
      else outcomes[index] ??= applied
    }

    const encode = (index: number, records: Records, synced: number): Uint8Array => {
      const id = `${instance}:${(++sequence).toString(36)}`
      const at = Math.max(records.clock, clock.currentTimeMillisUnsafe())
      indices.set(id, index)
      return Line.encode({ id, at, synced, tx: batch[index]!.map((write) => toPart(write, at)) })
    }

    // Refuses what is stale, but for what an earlier transaction of the batch may make current.
    const refuse = (waiting: ReadonlyArray<number>, records: Records): ReadonlyArray<number> => {
      const now = clock.currentTimeMillisUnsafe()
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
      for (const [index, transaction] of batch.entries()) {
        if (textLength(transaction) > longestText) outcomes[index] = tooLarge
      }
      let waiting: ReadonlyArray<number> = [...batch.keys()].filter((index) =>
        outcomes[index] === undefined && batch[index]!.some(writes)
      )
      let fresh = contended || waiting.length === 0
      let journal = yield* store.current(fresh, seen)
      if (!fresh && !waiting.every((index) => journal.records.accepts(batch[index]!, 0))) {
        // What looks stale may be newer than what was read so far.
        journal = yield* store.current(true, seen)
        fresh = true
      }
      while (true) {
        if (fresh) waiting = refuse(waiting, journal.records)
        if (waiting.length === 0) break
        indices.clear()
        const { records, synced } = journal
        appended = true
        const failure = yield* journal.append(waiting.map((index) => encode(index, records, synced)))
        yield* journal.readOn(seen, () => waiting.every((index) => outcomes[index] !== undefined))
        waiting = waiting.filter((index) => outcomes[index] === undefined)
        if (waiting.length > 0 && !journal.sealed) {
          if (failure === undefined) return yield* Effect.fail(store.vanished(journal))
          const fault = Fault.fromPlatform(journal.path)(failure)
          for (const [id, index] of indices) outcomes[index] ??= { ...fault, inDoubt: journal.endsWith(id) }
          waiting = []
        }
        appended = false
        if (waiting.length === 0) break
        // The seal came first, so these lines are void: they are written again to the next generation. What was applied
        // before the seal must be on disk, or whoever writes that generation may not have found it.
        if (outcomes.includes(true)) yield* store.sync(journal)
        journal = yield* store.current(true, seen)
        fresh = true
      }
      contended = foreign
      const { records } = journal
      const now = clock.currentTimeMillisUnsafe()
      for (const [index, transaction] of batch.entries()) outcomes[index] ??= records.accepts(transaction, now)
      yield* store.sync(journal)
      return outcomes.map((outcome, index): Verdict | DriverError => {
        if (outcome === true) return committed
        if (typeof outcome === "object") return Fault.toDriverError(outcome, "commit")
        return { committed: false, current: batch[index]!.map((write) => records.current(write.name, now)) }
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

const textLength = (transaction: Transaction): number =>
  transaction.reduce((length, { name, next }) => length + name.length + (next?.data?.length ?? 0), 0)

const committed: Verdict = { committed: true }

const writes = (write: Write): boolean => write.next !== undefined

const toPart = ({ expected, expiresIn, name, next }: Write, at: number): Line.Part => {
  if (next === undefined) return [name, expected]
  return expiresIn === undefined || !Duration.isFinite(expiresIn)
    ? [name, expected, next.revision, next.data]
    : [name, expected, next.revision, next.data, at + Math.ceil(Duration.toMillis(expiresIn))]
}
