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

/** How connections are made, unless other options say otherwise. */
const connection = (millis: number): RedisOptions => ({
  retryStrategy,
  connectTimeout: millis,
  disconnectTimeout: 500,
  sentinelCommandTimeout: millis
})

/**
 * Where ioredis sends commands of its own also later. It is longer than any answer may take: who waits for one is the first
 * to know, and says what it means.
 */
const watched = (millis: number, silence = 0): RedisOptions => ({
  ...connection(millis),
  socketTimeout: millis + silence + 100
})

/**
 * Gives up a connection that was taken, and on which nothing is said then. Once it is ready we alone send commands, and
 * who does waits for the answer: a timer of ioredis for each, too, would be felt.
 */
const greet = (redis: Redis, millis: number): void => {
  redis.on("connect", () => {
    const { stream } = redis
    stream.setTimeout(millis, () => stream.destroy())
  })
  redis.on("ready", () => redis.stream.setTimeout(0))
}

/**
 * What must not be otherwise. Nothing is kept to be sent later, by a client that has no connection or has lost it: it
 * might be sent when whoever asked for it has long given up. Those who still want it send it again themselves.
 */
const fixed = {
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  // Keys are sent as they are.
  keyPrefix: "",
  readOnly: false,
  monitor: false,
  stringNumbers: false,
  // Deadlines are kept, and connections given up, by whoever sends.
  commandTimeout: undefined,
  reconnectOnError: null,
  // In ioredis 6 only.
  replyMapping: "legacy"
}

// Both ioredis 5, which has no such option, and 6 take these.
type Legacy<Options> = Options & { replyMapping?: "legacy" }

const fix = (options: RedisOptions) => ({ ...options, ...fixed }) as Legacy<RedisOptions>

/** What differs on a connection for subscriptions: these are made again by us, since hints follow from it. */
export const subscriber = (millis: number): RedisOptions =>
  fix({
    ...watched(millis),
    autoResubscribe: false,
    maxRetriesPerRequest: null,
    lazyConnect: false
  })

const credentials = ({ password, tls, username }: Options): RedisOptions => ({
  ...(username === undefined ? {} : { username }),
  ...(password === undefined ? {} : { password: reveal(password) }),
  ...(tls === undefined || tls === false ? {} : { tls: tls === true ? {} : tls })
})

/**
 * Whether it is what it seems to be. A `/`, `#`, `?` or `@` in a password that is not encoded ends it, and a part of it
 * would be taken for the address, and be in every message about it.
 */
const isUrl = (text: string): boolean => {
  if (/^\/(?!\/)/.test(text)) return true
  try {
    const { hash, password, pathname, search, username } = new URL(
      /^rediss?:\/\//i.test(text) ? text : text.startsWith("//") ? `redis:${text}` : `redis://${text}`
    )
    decodeURIComponent(username + password)
    return hash === "" && /^\/?\d*$/.test(pathname) && !search.includes("@")
  } catch {
    return false
  }
}

class UrlError extends Error {}

const checked = (url: string): string => {
  if (isUrl(url)) return url
  throw new UrlError(
    "\"url\" is no URL such as redis://user:password@host:6379/0: in the user and the password, encode what is neither " +
      "a letter nor a digit (encodeURIComponent)"
  )
}

type NodeOptions = Legacy<NonNullable<ClusterOptions["redisOptions"]>>

const construct = (options: Options, millis: number, silence: number): Redis | Cluster => {
  const { client } = options
  if (client !== undefined) {
    return client.isCluster
      ? (client as Cluster).duplicate([], {
        redisOptions: fix({ ...(client as Cluster).options.redisOptions, ...watched(millis, silence) }) as NodeOptions
      })
      : (client as Redis).duplicate({ ...fix(connection(millis)), socketTimeout: undefined })
  }
  if (options.cluster !== undefined) {
    return new Cluster(options.cluster.map((node) => typeof node === "string" ? checked(node) : node), {
      retryDelayOnFailover: 50,
      clusterRetryStrategy: retryStrategy,
      ...options.clusterOptions,
      redisOptions: fix({
        ...watched(millis, silence),
        ...credentials(options),
        ...options.redis,
        ...options.clusterOptions?.redisOptions
      }) as NodeOptions
    })
  }
  const settings = fix({
    ...connection(millis),
    ...credentials(options),
    ...(options.sentinels === undefined ? {} : { sentinels: [...options.sentinels] }),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...options.redis
  })
  const redis = options.url === undefined ? new Redis(settings) : new Redis(checked(reveal(options.url)), settings)
  // What a URL says in its query goes before all else.
  Object.assign(redis.options, fixed)
  const { db } = redis.options
  if (db !== undefined && !Number.isInteger(db)) {
    redis.disconnect()
    throw new TypeError("\"db\" is no number")
  }
  return redis
}

/** What the options of ioredis say that all keys begin with. */
export const keyPrefix = ({ client, clusterOptions, cluster, redis }: Options): string =>
  (client !== undefined
    ? client.options.keyPrefix
    : cluster !== undefined
    ? clusterOptions?.keyPrefix ?? clusterOptions?.redisOptions?.keyPrefix ?? redis?.keyPrefix
    : redis?.keyPrefix) ?? ""

/** Ends when the connections are closed, or should be. */
const close = (client: Redis | Cluster) =>
  Effect.callback<void>((resume) => {
    const connected = client.status === "ready" || client.status === "connect"
    client.once("end", () => resume(Effect.void))
    client.disconnect()
    if (!connected) resume(Effect.void)
  }).pipe(Effect.timeoutOption("1 second"))

/**
 * Begins to connect, and does not wait for it. Commands may take up to `millis`, and where they wait for replicas, up to
 * `silence` longer.
 */
export const open = (options: Options, millis: number, silence: number) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const client = construct(options, millis, silence)
        // Without a listener ioredis prints every error. What matters of them is in the errors of the calls.
        client.on("error", () => {})
        if (!client.isCluster) greet(client as Redis, millis)
        return client
      },
      catch: (cause) =>
        Fault.toDriverError(
          Fault.make(
            "Unknown",
            cause instanceof UrlError
              ? cause.message
              : `the options are wrong: ${cause instanceof Error ? cause.message : "ioredis does not take them"}`,
            { cause: Fault.bare(cause) }
          ),
          "open"
        )
    }),
    close
  )
