/**
 * Waits until replicas and disks have what was committed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fault from "./fault.ts"
import type { Line, Node, Reply } from "./node.ts"

export interface Options {
  readonly wait?: {
    readonly replicas: number
    readonly timeout?: Duration.Input | undefined
  } | undefined
  readonly waitAof?: {
    readonly local?: 0 | 1 | undefined
    readonly replicas?: number | undefined
    readonly timeout?: Duration.Input | undefined
  } | undefined
}

export interface Wait {
  /** What is sent after the commits, on their connection. */
  readonly lines: ReadonlyArray<Line>
  /** How long that may take, until there is an answer. */
  readonly millis: number
  /** Asks once per connection whether the server can wait like that at all: after the commit is too late. */
  readonly admit: ((node: Node, millis: number) => Effect.Effect<Fault.Fault | undefined>) | undefined
  /** What is missing, by the answers to `lines`. */
  readonly shortfall: (replies: ReadonlyArray<Reply>) => Fault.Fault | undefined
}

const millisOf = (timeout: Duration.Input | undefined): number =>
  Math.max(Math.ceil(Duration.toMillis(Duration.fromInputUnsafe(timeout ?? "1 second"))), 1)

/** How much later than it should a server may notice that it has waited for long enough. */
const slack = 500

export const make = ({ wait, waitAof }: Options): Wait => {
  const lines: Array<Line> = []
  const checks: Array<(value: unknown) => string | undefined> = []
  let millis = 0

  if (wait !== undefined) {
    const timeout = millisOf(wait.timeout)
    millis += timeout
    lines.push(["wait", String(wait.replicas), String(timeout)])
    checks.push((value) =>
      Number(value) >= wait.replicas
        ? undefined
        : `only ${Number(value)} of ${wait.replicas} replicas have confirmed it within ${timeout} ms (WAIT)`
    )
  }
  if (waitAof !== undefined) {
    const { local = 1, replicas = 0 } = waitAof
    const timeout = millisOf(waitAof.timeout)
    millis += timeout
    lines.push(["waitaof", String(local), String(replicas), String(timeout)])
    checks.push((value) => {
      const [disks, copies] = Array.isArray(value) ? value.map(Number) : []
      return disks !== undefined && copies !== undefined && disks >= local && copies >= replicas
        ? undefined
        : `only ${disks} of ${local} disks of the primary and ${copies} of ${replicas} of its replicas have it ` +
          `after ${timeout} ms (WAITAOF)`
    })
  }

  const admitted = new WeakSet<object>()
  return {
    lines,
    millis: lines.length === 0 ? 0 : millis + slack,
    admit: lines.length === 0 ? undefined : (node, millis) => {
      const connection = node.connection()
      if (connection === undefined || admitted.has(connection)) return Effect.undefined
      // As harmless questions: for no replica, with nothing written yet.
      const questions = lines.map(([name, first]): Line =>
        name === "wait" ? ["wait", "0", "1"] : ["waitaof", first!, "0", "1"]
      )
      return Effect.map(node.exec(questions, millis, connection), (replies) => {
        const i = replies.findIndex((reply) => reply._tag === "Fault")
        const reply = replies[i]
        if (reply?._tag !== "Fault") {
          admitted.add(connection)
          return undefined
        }
        if (reply.said === undefined || reply.remedy !== undefined) return { ...reply, inDoubt: false }
        if (/replica instance/.test(reply.said)) return Fault.fromText(node.address, "READONLY")
        const [option, needs] = lines[i]![0] === "wait"
          ? ["wait", "a user that may WAIT"]
          : ["waitAof", "Redis 7.2 or Valkey, \"appendonly\", and a user that may WAITAOF"]
        return Fault.make(
          "Forbidden",
          `${node.address} cannot do what "${option}" asks for (${reply.said}): it takes ${needs}`
        )
      })
    },
    shortfall: (replies) => {
      for (let i = 0; i < checks.length; i++) {
        const reply = replies[i]
        // Without an answer nothing is known. Sent once more, the commit is found applied, and waited for again.
        if (reply?._tag !== "Value") return reply && { ...reply, inDoubt: true }
        const missing = checks[i]!(reply.value)
        if (missing !== undefined) {
          return Fault.make(
            "NotReplicated",
            `it is committed on the primary, but ${missing}. It is lost if the primary is lost before they do. ` +
              `Do not run it again: read the scope`
          )
        }
      }
      return undefined
    }
  }
}
