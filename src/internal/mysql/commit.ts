/**
 * From a batch to its verdicts.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import type { Transaction, Verdict } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import * as Name from "../name.ts"
import type { Connections } from "./connections.ts"
import * as Fault from "./fault.ts"
import { type Answer, committed } from "./part.ts"
import * as Plan from "./plan.ts"
import * as Retry from "./retry.ts"
import { isMissing, type Server } from "./server.ts"
import * as Sql from "./sql.ts"

export const make = (options: {
  readonly clock: Clock.Clock
  readonly connections: Connections
  readonly server: Server
  readonly table: string
}) => {
  const { clock, connections, server, table } = options

  return (batch: ReadonlyArray<Transaction>, deadline: number): Effect.Effect<
    ReadonlyArray<Verdict | DriverError>,
    Fault.Fault
  > =>
    Effect.gen(function*() {
      const answers: Array<Verdict | Fault.Fault> = batch.map(() => unsent)

      /**
       * Sends the packet until there is an answer to it, or time is up. Who is not patient does not wait again where a
       * lock was waited for.
       */
      const transact = Effect.fnUntraced(function*(packet: Plan.Packet, maxPacket: number, patient: boolean) {
        if (packet.bytes > maxPacket) return Result.fail(tooLarge(packet.bytes, maxPacket))
        for (let attempt = 1;; attempt++) {
          const left = deadline - clock.currentTimeMillisUnsafe()
          if (left <= 0) return Result.fail(unsent)
          let sent = false
          const result: Result.Result<ReadonlyArray<Answer>, Fault.Fault> = yield* connections.transact(
            packet.statements,
            () => {
              sent = true
            }
          ).pipe(
            Effect.result,
            Effect.timeoutOrElse({
              duration: left,
              orElse: () => Effect.succeed(Result.fail(timeout(sent)))
            })
          )
          if (Result.isSuccess(result) || !Retry.helps(result.failure, attempt, patient)) return result
          const delay = Duration.millis((yield* Random.next) * 5 * attempt)
          if (clock.currentTimeMillisUnsafe() + Duration.toMillis(delay) >= deadline) return result
          yield* Effect.sleep(delay)
        }
      })

      /** The names of the rows that nobody holds a lock of. */
      const unlocked = (items: ReadonlyArray<Plan.Item>): Effect.Effect<ReadonlySet<string>> => {
        const names = items.flatMap(({ transaction }) => transaction.map(({ name }) => name))
        const probe = `SELECT s.name FROM ${table} AS s FORCE INDEX (PRIMARY) WHERE s.name IN ${Sql.list(names)} ` +
          `FOR UPDATE SKIP LOCKED`
        return Retry.within(clock, deadline, connections.transact([probe], () => {})).pipe(
          Effect.map(([answer]) => new Set(answer!.rows.map(([name]) => name!.toString("utf8")))),
          Effect.orElseSucceed(() => none)
        )
      }

      const send = Effect.fnUntraced(function*(
        items: ReadonlyArray<Plan.Item>,
        maxPacket: number,
        patient: boolean,
        round = 1
      ): Effect.fn.Return<void> {
        const packet = Plan.packet(table, items)
        const result = yield* transact(packet, maxPacket, patient)
        if (Result.isSuccess(result)) {
          const again: Array<Plan.Item> = []
          let from = 0
          for (const { items, part } of packet.parts) {
            const to = from + part.statements.length
            part.verdicts(result.success.slice(from, to)).forEach((outcome, i) => {
              const item = items[i]!
              if (outcome === "again") again.push(item)
              answers[item.index] = outcome === "again" ? interrupted : outcome === "unknown" ? unknown : outcome
            })
            from = to
          }
          if (again.length > 0 && round < 5) yield* send(again, maxPacket, patient, round + 1)
          return
        }
        const fault = result.failure
        if (isMissing(fault) || fault.reason === "Full" || fault.remedy === "elsewhere") server.forget()
        for (const { index } of items) answers[index] = fault
        if (items.length === 1 || fault.inDoubt || fault.remedy === "none" || fault.remedy === "elsewhere") return
        // One of them is at fault. The others need not wait for it, nor share its fate.
        const free = fault.remedy === "wait" ? yield* unlocked(items) : none
        const isFree = ({ transaction }: Plan.Item) => transaction.every(({ name }) => free.has(name))
        const unhindered = items.filter(isFree)
        const others = unhindered.length === items.length ? items : items.filter((item) => !isFree(item))
        if (others !== items && unhindered.length > 0) yield* send(unhindered, maxPacket, false)
        for (const item of others) yield* send([item], maxPacket, false)
        for (const item of others) {
          const answer = answers[item.index]!
          if ("remedy" in answer && answer.remedy === "wait") yield* send([item], maxPacket, true)
        }
      })

      const maxPacket = yield* Retry.within(clock, deadline, server.ready)
      const items: Array<Plan.Item> = []
      for (const [index, transaction] of batch.entries()) {
        const fault = misfit(transaction)
        if (fault !== undefined) answers[index] = fault
        else if (transaction.length === 0) answers[index] = committed
        else items.push({ index, transaction })
      }
      for (const group of Plan.split(items, maxPacket)) yield* send(group, maxPacket, group.length === 1)

      const first = answers[0]
      if (first !== undefined && "reason" in first && answers.every((answer) => answer === first)) {
        return yield* Effect.fail(first)
      }
      return answers.map((answer) => "reason" in answer ? toDriverError(answer) : answer)
    })
}

const toDriverError = Fault.toDriverError("commit")

const none: ReadonlySet<string> = new Set()

const timeout = (inDoubt: boolean): Fault.Fault => ({ ...Retry.timeout, inDoubt })

const unsent = Fault.make("Timeout", "there was no time left to send it: is the server overloaded?")

const interrupted = Fault.make(
  "Unavailable",
  "its statements were interrupted time and again. Does somebody kill them?"
)

const unknown: Fault.Fault = { ...interrupted, inDoubt: true }

const tooLarge = (bytes: number, maxPacket: number): Fault.Fault =>
  Fault.make(
    "Full",
    `the transaction takes a packet of ${bytes} bytes, and the server takes ${maxPacket}: raise max_allowed_packet, or ` +
      `commit less at once`
  )

/** What no server could store as it is. */
const misfit = (transaction: Transaction): Fault.Fault | undefined => {
  for (const { name, next } of transaction) {
    const bytes = Name.utf8Length(name)
    if (bytes > Sql.nameBytes) {
      return Fault.make("Unknown", `the name takes ${bytes} bytes, and there is room for ${Sql.nameBytes}`)
    }
    if (next !== undefined && Name.utf8Length(next.revision) > Sql.revisionBytes) {
      return Fault.make("Unknown", `the revision takes more than ${Sql.revisionBytes} bytes`)
    }
  }
  return undefined
}
