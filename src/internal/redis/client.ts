/**
 * From options to a connected client. What is opened here is closed here.
 */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from "ioredis"
import * as Fault from "./fault.ts"

export interface Options {
  readonly client?: Redis | Cluster | undefined
  readonly url?: string | Redacted.Redacted<string> | undefined
  readonly cluster?: ReadonlyArray<ClusterNode> | undefined
  readonly sentinels?: ReadonlyArray<{ readonly host: string; readonly port: number }> | undefined
  readonly name?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted<string> | undefined
  readonly tls?: boolean | NonNullable<RedisOptions["tls"]> | undefined
  readonly redis?: RedisOptions | undefined
  readonly clusterOptions?: ClusterOptions | undefined
}

const reveal = (secret: string | Redacted.Redacted<string>): string =>
  Redacted.isRedacted(secret) ? Redacted.value(secret) : secret

/** How long to wait before connecting again: 50 ms at first, doubling up to a second. */
const retryStrategy = (times: number): number => Math.min(25 * 2 ** Math.min(times, 10), 1_000)

/**
 * Nothing is kept to be sent later, by a client that has no connection or has lost it: it might be sent when whoever
 * asked for it has long given up. Those who still want it send it again themselves.
 */
const connection = (millis: number): RedisOptions => ({
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  retryStrategy,
  connectTimeout: millis,
  // A connection on which an answer is overdue is given up: it may have been cut without a word.
  socketTimeout: millis,
  disconnectTimeout: 500,
  sentinelCommandTimeout: millis,
  // A primary that has become a replica: the address may by now be that of another.
  reconnectOnError: (error) => error.message.startsWith("READONLY")
})

/** What differs on a connection for subscriptions: these are made again by us, since hints follow from it. */
export const subscriber = (millis: number): RedisOptions => ({
  ...connection(millis),
  autoResubscribe: false,
  maxRetriesPerRequest: null,
  reconnectOnError: null,
  enableAutoPipelining: false,
  lazyConnect: false,
  readOnly: false,
  monitor: false
})

const credentials = ({ password, tls, username }: Options): RedisOptions => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password: reveal(password) }),
  ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls })
})

const construct = (options: Options, millis: number): Redis | Cluster => {
  if (options.cluster !== undefined) {
    return new Cluster([...options.cluster], {
      retryDelayOnFailover: 50,
      clusterRetryStrategy: retryStrategy,
      ...options.clusterOptions,
      redisOptions: {
        ...connection(millis),
        ...credentials(options),
        ...options.redis,
        ...options.clusterOptions?.redisOptions,
        replyMapping: "legacy"
      }
    })
  }
  const settings = {
    ...connection(millis),
    ...credentials(options),
    ...(options.sentinels === undefined ? {} : { sentinels: [...options.sentinels] }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...options.redis,
    replyMapping: "legacy" as const
  }
  return options.url === undefined ? new Redis(settings) : new Redis(reveal(options.url), settings)
}

/** Ends when the connections are closed, or should be. */
const close = (client: Redis | Cluster) =>
  Effect.callback<void>((resume) => {
    const connected = client.status === "ready" || client.status === "connect"
    client.once("end", () => resume(Effect.void))
    client.disconnect()
    if (!connected) resume(Effect.void)
  }).pipe(Effect.timeoutOption("1 second"))

/** Begins to connect, and does not wait for it. */
export const open = (options: Options, millis: number) =>
  options.client !== undefined
    ? Effect.succeed(options.client)
    : Effect.acquireRelease(
      Effect.try({
        try: () => {
          const client = construct(options, millis)
          // Without a listener ioredis prints every error. What matters of them is in the errors of the calls.
          client.on("error", () => {})
          return client
        },
        catch: (cause) =>
          Fault.toDriverError(
            Fault.make("Unknown", `the options are wrong: ${cause instanceof Error ? cause.message : String(cause)}`, {
              cause
            }),
            "open"
          )
      }),
      close
    )
