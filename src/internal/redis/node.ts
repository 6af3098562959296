/**
 * One connection to one server: waits until it can be used, sends, and gives every command an outcome.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Command, type Redis } from "ioredis"
import type { Deadlines } from "../deadlines.ts"
import * as Fault from "./fault.ts"

export interface Value {
  readonly _tag: "Value"
  readonly value: unknown
}

export type Reply = Value | Fault.Fault

/** A command and its arguments. */
export type Line = readonly [command: string, ...args: ReadonlyArray<string>]

/** Ends a call that nobody waits for any more. */
export type GiveUp = () => void

export interface Node {
  readonly address: string
  readonly isReady: () => boolean
  /** The connection as it is now; another one after it was lost. */
  readonly connection: () => Connection | undefined
  /** Waits until it can be used. What stands in the way is given at once where waiting would not help. */
  readonly ready: (millis: number) => Effect.Effect<Fault.Fault | undefined>
  /**
   * Sends a command, on a connection that it has, and tells once what came of it.
   *
   * After its end nothing of it is sent any more: with a command that got no answer in time goes its connection, and all
   * that waits to be written to it.
   */
  readonly call: (
    line: Line,
    millis: number,
    connection: Connection | undefined,
    tell: (reply: Reply) => void
  ) => GiveUp
  /**
   * Sends commands one right after the other, and waits for all of the answers. Never fails. Given a connection, on no
   * other.
   */
  readonly exec: (
    lines: ReadonlyArray<Line>,
    millis: number,
    connection?: Connection
  ) => Effect.Effect<ReadonlyArray<Reply>>
  /** Gives up a connection, to connect anew. */
  readonly drop: (connection: Connection | undefined) => void
  /** Takes our listeners off the client again, and gives up what is not answered. */
  readonly release: () => void
}

export type Connection = Redis["stream"]

export const addressOf = (redis: Redis): string => {
  const { host, name, path, port, sentinels } = redis.options
  if (sentinels != null) return `the Redis server ${JSON.stringify(name)}`
  return `the Redis server at ${path ?? `${host}:${port}`}`
}

export const send = (redis: Redis, [name, ...args]: Line): Promise<unknown> =>
  // Not `call`, which copies arguments again and again.
  redis.sendCommand(new Command(name, args, utf8)) as Promise<unknown>

const utf8 = { replyEncoding: "utf8" } as const

const refusesDatabase = (error: Error): boolean =>
  (error as { readonly command?: { readonly name?: unknown } }).command?.name === "select"

const nothing = () => {}

export const make = (redis: Redis, options: {
  readonly now: () => number
  readonly patience: number
  readonly deadlines: Deadlines
}): Node => {
  const { deadlines, now } = options
  const address = addressOf(redis)
  const pending = new Set<(fault: Fault.Fault) => void>()
  const waiting = new Set<(fault: Fault.Fault | undefined) => void>()
  let lastError: Error | undefined
  let wasReady = redis.status === "ready"
  let downSince = now()

  const wake = (fault: Fault.Fault | undefined) => {
    for (const resume of waiting) resume(fault)
    waiting.clear()
  }

  const listeners: { readonly [event: string]: (error: Error) => void } = {
    ready: () => {
      lastError = undefined
      wasReady = true
      wake(undefined)
    },
    error: (error) => {
      lastError = error
      let fault = Fault.fromError(address, error)
      // The client would go on without its database, in another one, and so with the scopes of somebody else.
      if (refusesDatabase(error)) {
        drop(redis.stream)
        if (fault.reason === "Unknown") fault = Fault.database(address, fault)
      }
      // Credentials do not become right by waiting.
      if (fault.reason === "Forbidden" && fault.remedy === undefined) wake(fault)
    },
    // A command that was on the way may be resent by ioredis or forgotten, depending on its options. Neither is waited
    // for: whoever sent it decides what to do.
    close: () => {
      if (wasReady) downSince = now()
      wasReady = false
      for (const lose of pending) lose(Fault.lost(address, lastError))
      pending.clear()
    },
    end: () => wake(Fault.unreachable(address, lastError ?? new Error("Connection is closed.")))
  }
  for (const [event, listener] of Object.entries(listeners)) redis.on(event, listener)

  // A connection that was given up is "ready" until it has closed.
  const isReady = () => redis.status === "ready" && redis.stream.writable

  // Not `disconnect`: that still writes what waits.
  const drop = (connection: Connection | undefined) => {
    if (connection !== undefined && connection === redis.stream) connection.destroy()
  }

  const call = (
    line: Line,
    millis: number,
    connection: Connection | undefined,
    tell: (reply: Reply) => void,
    at = deadlines.in(millis)
  ): GiveUp => {
    // A client that is not ready would keep it, to send it when nobody waits for it any more.
    if (connection === undefined || redis.stream !== connection || !isReady()) {
      tell(Fault.gone(address))
      return nothing
    }
    let open = true
    const forget = () => {
      open = false
      deadlines.end(deadline)
      pending.delete(settle)
    }
    const settle = (reply: Reply) => {
      if (!open) return
      open = false
      pending.delete(settle)
      // First: the next call may follow from it, and goes on with the same timer.
      tell(reply)
      deadlines.end(deadline)
    }
    const deadline = deadlines.begin(at, () => {
      drop(connection)
      settle(Fault.late(address, Math.round(millis)))
    })
    pending.add(settle)
    send(redis, line).then(
      (value) => settle({ _tag: "Value", value }),
      (error) => settle(Fault.fromError(address, error))
    )
    return () => {
      if (!open) return
      forget()
      if (connection.writableLength !== 0) drop(connection)
    }
  }

  return {
    address,
    isReady,
    connection: () => isReady() ? redis.stream : undefined,
    drop,
    ready: (millis) =>
      Effect.suspend(() => {
        if (isReady()) return Effect.undefined
        if (redis.status === "end") {
          return Effect.succeed(Fault.unreachable(address, new Error("Connection is closed.")))
        }
        if (redis.status === "wait") {
          downSince = now()
          redis.connect().catch(() => {})
        }
        // Short outages are waited out. During a long one each call would wait for nothing.
        if (lastError !== undefined && now() - downSince > options.patience) {
          return Effect.succeed(Fault.unreachable(address, lastError))
        }
        return Effect.map(
          Effect.timeoutOption(
            Effect.callback<Fault.Fault | undefined>((resume) => {
              const listener = (fault: Fault.Fault | undefined) => resume(Effect.succeed(fault))
              waiting.add(listener)
              return Effect.sync(() => waiting.delete(listener))
            }),
            millis
          ),
          Option.getOrElse(() => Fault.unreachable(address, lastError))
        )
      }),
    call,
    exec: (lines, millis, given) =>
      Effect.callback((resume) => {
        const connection: Connection | undefined = given ?? redis.stream
        const at = deadlines.in(millis)
        const replies: Array<Reply> = []
        let open = lines.length
        // All of them leave in one packet, as far as they fit.
        if (lines.length > 1) connection?.cork()
        const calls = lines.map((line, i) =>
          call(line, millis, connection, (reply) => {
            replies[i] = reply
            if (--open === 0) resume(Effect.succeed(replies))
          }, at)
        )
        if (lines.length > 1) connection?.uncork()
        return Effect.sync(() => calls.forEach((giveUp) => giveUp()))
      }),
    release: () => {
      for (const [event, listener] of Object.entries(listeners)) redis.off(event, listener)
      if (pending.size > 0) drop(redis.stream)
      for (const lose of pending) lose(Fault.lost(address))
      wake(Fault.closed)
    }
  }
}
