/**
 * From a batch to its verdicts.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Transaction, Verdict, Write } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import type { Deadlines } from "../deadlines.ts"
import * as Name from "../name.ts"
import { type Connections, lockWait } from "./connections.ts"
import * as Fault from "./fault.ts"
import * as Lock from "./lock.ts"
import * as Look from "./look.ts"
import * as Many from "./many.ts"
import * as One from "./one.ts"
import { committed, isWrite, type Outcome } from "./part.ts"
import * as Plain from "./plain.ts"
import * as Plan from "./plan.ts"
import * as Retry from "./retry.ts"
import type { Server } from "./server.ts"
import { nameBytes, revisionBytes, type Tables } from "./tables.ts"
import * as Turns from "./turns.ts"

type Outcomes = ReadonlyArray<readonly [Plan.Item, Outcome]>

export const make = (options: {
  readonly deadlines: Deadlines
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly clock: Clock.Clock
  readonly connections: Connections
  readonly server: Server
  readonly tables: Tables
  /** Told the names that were written, or may have been. */
  readonly onChange: (names: ReadonlyArray<string>) => void
}) => {
  const { clock, connections, onChange, server, tables } = options
  const one = One.make({ ...options, table: tables.scopes })
  const many = Many.make({ ...options, table: tables.scopes })
  const turns = Turns.make({ ...options, table: tables.scopes })

  /** `before` is what has just been in its way. */
  const common = (batch: ReadonlyArray<Transaction>, deadline: number, before?: Fault.Fault): Answers =>
    Effect.gen(function*() {
      const answers: Array<Verdict | Fault.Fault> = batch.map(() => unsent)
      const left = () => deadline - clock.currentTimeMillisUnsafe()

      /** Sends something until there is an answer to it, but for a lock, or time is up. */
      const persist = Effect.fnUntraced(function*<A>(send: (sent: () => void) => Effect.Effect<A, Fault.Fault>) {
        // What was once in doubt stays so: a later attempt may fail before it could find out.
        let inDoubt = false
        for (let attempt = 1;; attempt++) {
          const millis = left()
          if (millis <= 0) return Result.fail({ ...unsent, inDoubt })
          let sent = false
          const result: Result.Result<A, Fault.Fault> = yield* send(() => {
            sent = true
          }).pipe(
            Effect.result,
            Effect.timeoutOrElse({
              duration: millis,
              orElse: () => Effect.succeed(Result.fail({ ...Retry.timeout, inDoubt: sent }))
            })
          )
          if (Result.isSuccess(result)) return result
          const fault = result.failure
          inDoubt ||= fault.inDoubt
          server.notice(fault)
          const delay = fault.remedy === "wait" || fault.remedy === "elsewhere" && fault.inDoubt
            ? undefined
            : Retry.pause(fault, attempt, left())
          if (delay === undefined) return Result.fail({ ...fault, inDoubt })
          yield* Effect.sleep(Duration.millis((0.5 + (yield* Random.next)) * delay))
        }
      })

      const settle = (outcomes: Outcomes): ReadonlyArray<Plan.Item> => {
        const again: Array<Plan.Item> = []
        for (const [item, outcome] of outcomes) {
          if (outcome === "again") again.push(item)
          answers[item.index] = outcome === "again" ? interrupted : outcome === "unknown" ? unknown : outcome
        }
        return again
      }

      const attempt = (items: ReadonlyArray<Plan.Item>, maxPacket: number) => {
        const packet = Plan.packet(tables, items)
        if (packet.bytes > maxPacket) return Effect.succeed(Result.fail(tooLarge(packet.bytes, maxPacket)))
        return persist((sent) => Effect.map(connections.commit(deadline, packet, sent), packet.outcomes))
      }

      const send: (items: ReadonlyArray<Plan.Item>, maxPacket: number, round?: number) => Effect.Effect<void> = Effect
        .fnUntraced(function*(items, maxPacket, round = 1) {
          const result = yield* attempt(items, maxPacket)
          if (Result.isSuccess(result)) {
            const again = settle(result.success)
            if (again.length > 0 && round < 5) yield* send(again, maxPacket, round + 1)
            return
          }
          const fault = result.failure
          for (const { index } of items) answers[index] = fault
          if (fault.inDoubt) return
          if (fault.remedy === "wait") return yield* standBy(items, maxPacket, fault)
          // One of them is at fault. The others need not share its fate.
          const isOneAtFault = fault.remedy === "alone" || fault.remedy === "again"
          if (isOneAtFault && items.length > 1) { for (const item of items) yield* send([item], maxPacket) }
        })

      /** Which of the names have a row, and of which of those nobody holds a lock; `undefined` where that takes a lock. */
      const look = (items: ReadonlyArray<Plan.Item>) => {
        const names = items.flatMap(({ transaction }) => transaction.map(({ name }) => name))
        const statements = [Lock.free(tables.scopes, names), Look.records(tables.scopes, names, "NULL")]
        return connections.transact(deadline, statements).pipe(
          Effect.map((answers) => answers.map(({ rows }) => new Set(rows.map(([name]) => name!.toString("utf8"))))),
          Effect.timeoutOrElse({ duration: Math.max(0, left() - 50), orElse: () => Effect.fail(Retry.timeout) }),
          Effect.orElseSucceed(() => undefined)
        )
      }

      /** Somebody holds a lock that some of them need. The others do not wait for it. */
      const standBy = Effect.fnUntraced(function*(
        items: ReadonlyArray<Plan.Item>,
        maxPacket: number,
        fault: Fault.Fault
      ): Effect.fn.Return<void> {
        const seen = yield* look(items)
        const [free, there] = seen ?? []
        const locked = ({ transaction }: Plan.Item) =>
          transaction.flatMap(({ name }) => there?.has(name) && !free?.has(name) ? [name] : [])
        let waiting = items
        if (seen !== undefined && items.length > 1) {
          const hindered = items.filter((item) => locked(item).length > 0)
          const others = items.filter((item) => locked(item).length === 0)
          // A name without a row cannot be looked at like that.
          const isCertain = ({ transaction }: Plan.Item) => transaction.every(({ name }) => there!.has(name))
          const certain = others.filter(isCertain)
          if (hindered.length > 0 && certain.length > 0) yield* send(certain, maxPacket)
          const uncertain = hindered.length > 0 ? others.filter((item) => !isCertain(item)) : others
          const still: Array<Plan.Item> = []
          for (const item of uncertain) {
            if (left() <= 0) break
            const result = yield* attempt([item], maxPacket)
            if (Result.isSuccess(result)) still.push(...settle(result.success))
            else if (result.failure.remedy === "wait" && !result.failure.inDoubt) still.push(item)
            else answers[item.index] = result.failure
          }
          waiting = [...hindered, ...still]
        }
        if (waiting.length === 0) return
        if (left() > Retry.patience) return yield* send(waiting, maxPacket)
        for (const item of waiting) {
          answers[item.index] = held(fault, seen === undefined ? `the table ${tables.scopes}` : rowsOf(locked(item)))
        }
      })

      /** Transactions that only ask take no lock, so they wait for none. */
      const ask = Effect.fnUntraced(function*(items: ReadonlyArray<Plan.Item>) {
        const transactions = items.map(({ transaction }) => transaction)
        const result = yield* Effect.result(
          Retry.harmless(
            clock,
            deadline,
            Effect.tapError(
              connections.read(deadline, Look.checks(tables.scopes, transactions)),
              (fault) => Effect.sync(() => server.notice(fault))
            )
          )
        )
        if (Result.isSuccess(result)) {
          const outcomes = Look.verdicts(transactions, { rows: result.success, changed: 0 })
          settle(items.map((item, i) => [item, outcomes[i]!]))
        } else {
          for (const { index } of items) answers[index] = { ...result.failure, inDoubt: false }
        }
      })

      const maxPacket = yield* server.ready(deadline)
      const questions: Array<Plan.Item> = []
      const items: Array<Plan.Item> = []
      for (const [index, transaction] of batch.entries()) {
        const fault = misfit(transaction)
        if (fault !== undefined) answers[index] = fault
        else if (transaction.length === 0) answers[index] = committed
        else (Look.isCheck(transaction) ? questions : items).push({ index, transaction })
      }
      for (const group of Plan.split(questions, maxPacket)) yield* ask(group)
      for (const group of Plan.split(items, maxPacket)) {
        yield* before?.remedy === "wait" ? standBy(group, maxPacket, before) : send(group, maxPacket)
      }

      onChange(
        batch.flatMap((transaction, i) =>
          mayHaveChanged(answers[i]) ? transaction.filter(isWrite).map(({ name }) => name) : []
        )
      )
      const first = answers[0]
      if (first !== undefined && "reason" in first && answers.every((answer) => answer === first)) {
        return yield* Effect.fail(first)
      }
      return answers.map((answer) => "reason" in answer ? toDriverError(answer) : answer)
    })

  const alone = (write: Write, deadline: number, maxPacket: number) => {
    const commit = (lender: Turns.Lender) => one(write, deadline, maxPacket, lender)
    const outcome = turns.wanted(write) ? turns.take(write, deadline, commit) : commit(connections)
    return Effect.map(outcome, (outcome) => outcome === undefined || "reason" in outcome ? outcome : [outcome])
  }

  /** What has no answer yet goes the common way. */
  const complete = Effect.fnUntraced(
    function*(batch: ReadonlyArray<Transaction>, answers: ReadonlyArray<Answer | undefined>, deadline: number) {
      const rest = batch.filter((_, i) => answers[i] === undefined)
      const others = yield* Effect.catch(
        common(rest, deadline),
        (fault) => Effect.succeed(rest.map(() => toDriverError(fault)))
      )
      let next = 0
      return answers.map((answer) => answer ?? others[next++]!)
    }
  )

  return (batch: ReadonlyArray<Transaction>, deadline: number): Answers => {
    if (!connections.owned || !server.isReady()) return common(batch, deadline)
    const plain = batch.map(Plain.of)
    const writes = plain.filter((write) => write !== undefined)
    const others = batch.length - writes.length
    if (writes.length === 0 || others > 0 && writes.length < few + 4 * others) return common(batch, deadline)
    const maxPacket = server.maxPacket()!
    const outcomes = writes.length === 1
      ? alone(writes[0]!, deadline, maxPacket)
      : many(writes, deadline, maxPacket, connections)
    return Effect.flatMap(outcomes, (outcomes) => {
      if (outcomes === undefined) return common(batch, deadline)
      const isFault = "reason" in outcomes
      if (isFault) {
        server.notice(outcomes)
        if (!outcomes.inDoubt) return common(batch, deadline, outcomes)
      }
      const answers = isFault ? writes.map(() => toDriverError(outcomes)) : outcomes.map(toAnswer)
      onChange(writes.flatMap(({ name }, i) => mayHaveChanged(answers[i]) ? [name] : []))
      if (others === 0 && answers.every((answer) => answer !== undefined)) {
        return isFault ? Effect.fail(outcomes) : Effect.succeed(answers)
      }
      let next = 0
      return complete(batch, plain.map((write) => write && answers[next++]), deadline)
    })
  }
}

/** So many plain writes are worth a statement of their own beside others, and of these no more than a fifth of the batch. */
const few = 16

/** What a transaction is told; nothing yet, where it has to be sent again. */
const toAnswer = (outcome: Outcome): Answer | undefined =>
  outcome === "again" ? undefined : outcome === "unknown" ? toDriverError(unknown) : outcome

const mayHaveChanged = (answer: Verdict | { readonly inDoubt: boolean } | undefined): boolean =>
  answer !== undefined && ("committed" in answer ? answer.committed : answer.inDoubt)

type Answer = Verdict | DriverError

type Answers = Effect.Effect<ReadonlyArray<Answer>, Fault.Fault>

const toDriverError = Fault.toDriverError("commit")

const unsent = Fault.make("Timeout", "there was no time left to send it: is the server overloaded?")

const interrupted = Fault.make(
  "Unavailable",
  "its statements were interrupted time and again. Does somebody kill them?"
)

const unknown: Fault.Fault = { ...interrupted, inDoubt: true }

const held = (fault: Fault.Fault, what: string): Fault.Fault => ({
  ...fault,
  description: `another session holds a lock on ${what}, and kept it for longer than ${lockWait} ms: end its ` +
    `transaction. SHOW FULL PROCESSLIST and information_schema.INNODB_TRX show who it is`
})

const rowsOf = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "what it writes" : `the row of ${names.map((name) => JSON.stringify(name)).join(", ")}`

const tooLarge = (bytes: number, maxPacket: number): Fault.Fault => ({
  ...Fault.make(
    "Full",
    `the transaction takes a packet of ${bytes} bytes, and the server takes ${maxPacket}: raise max_allowed_packet, or ` +
      `commit less at once`
  ),
  remedy: "alone"
})

/** What no server could store as it is. */
const misfit = (transaction: Transaction): Fault.Fault | undefined => {
  for (const { name, next } of transaction) {
    const bytes = Name.utf8Length(name)
    if (bytes > nameBytes) {
      return Fault.make("Unknown", `the name takes ${bytes} bytes, and there is room for ${nameBytes}`)
    }
    if (next !== undefined && Name.utf8Length(next.revision) > revisionBytes) {
      return Fault.make("Unknown", `the revision takes more than ${revisionBytes} bytes`)
    }
  }
  return undefined
}
