/**
 * The connections that hints come on: one to each place that has keys which somebody watches, and to no other.
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type { Redis } from "ioredis"
import * as Fault from "./fault.ts"
import { addressOf, send } from "./node.ts"
import type { Router } from "./router.ts"

export interface Subscriptions {
  /** Looks soon at what is watched. */
  readonly wake: () => void
}

interface Subscriber {
  readonly redis: Redis
  /** The channels that are subscribed to, or that the server was asked for. */
  readonly channels: Set<string>
  /** Redis 6 knows no channels of a shard. There, all of the servers of a cluster tell each other everything. */
  sharded: boolean
  lastPing: number
  /** Whether the last ping has no answer yet. */
  silent: boolean
}

/** How often the subscriptions are compared with what is watched and with where the slots are. */
const interval = 1_000

/** How long a change of who has what is given to settle. */
const pause = 25

/** How many channels one command subscribes to. */
const maxChannels = 500

export const make = Effect.fnUntraced(function*(env: {
  readonly router: Router
  readonly now: () => number
  /** How often a connection is checked that says nothing. */
  readonly heartbeat: number
  /** The channels of what is watched. */
  readonly wanted: () => Iterable<string>
  /** A subscription stands from here on. What came before it is unknown. */
  readonly began: (channels: ReadonlyArray<string>) => void
  readonly heard: (channel: string, message: string) => void
  readonly fail: (fault: Fault.Fault) => void
  /** There will be no subscription to this channel. */
  readonly refused: (channel: string, fault: Fault.Fault) => void
}) {
  const subscribers = new Map<string, Subscriber>()
  const latch = yield* Latch.make()
  const wake = () => latch.openUnsafe()
  let stale = false
  let open = true

  const close = (place: string, { redis }: Subscriber) => {
    subscribers.delete(place)
    redis.removeAllListeners()
    redis.on("error", () => {})
    redis.disconnect()
  }

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      open = false
      for (const [place, subscriber] of subscribers) close(place, subscriber)
    })
  )

  const connect = (place: string): Subscriber | undefined => {
    const redis = env.router.subscriber(place)
    if (redis === undefined) return undefined
    const subscriber: Subscriber = {
      redis,
      channels: new Set(),
      sharded: env.router.clustered,
      lastPing: env.now(),
      silent: false
    }
    const forget = () => {
      subscriber.channels.clear()
      // It may come back as a newer one.
      subscriber.sharded = env.router.clustered
      subscriber.silent = false
      stale = true
      wake()
    }
    redis.on("ready", wake)
    redis.on("close", forget)
    // The server ended the subscription, or would not begin it, because the slot is moving.
    redis.on("moved", forget)
    redis.on("error", (error) => {
      const fault = Fault.fromError(addressOf(redis), error)
      if (fault.reason === "Forbidden") env.fail(fault)
    })
    redis.on("message", env.heard)
    redis.on("smessage", env.heard)
    subscribers.set(place, subscriber)
    return subscriber
  }

  const subscribe = (subscriber: Subscriber, wanted: ReadonlyArray<string>) => {
    const { channels, redis } = subscriber
    for (const channel of wanted) channels.add(channel)
    const how = subscriber.sharded ? "ssubscribe" : "subscribe"
    send(redis, [how, ...wanted]).then(
      () => {
        if (open) env.began(wanted.filter((channel) => channels.has(channel)))
      },
      (error) => {
        for (const channel of wanted) channels.delete(channel)
        if (!open) return
        const fault = Fault.fromError(addressOf(redis), error)
        if (how === "ssubscribe" && error instanceof Error && /unknown command/i.test(error.message)) {
          subscriber.sharded = false
          wake()
        } else if (fault.reason === "Forbidden" && fault.remedy === undefined) {
          // Of several channels some may be permitted.
          if (wanted.length > 1) { for (const channel of wanted) subscribe(subscriber, [channel]) }
          else env.refused(wanted[0]!, fault)
        } else {
          stale = true
          wake()
        }
      }
    )
  }

  const update = (subscriber: Subscriber, wanted: ReadonlySet<string>) => {
    const { channels, redis, sharded } = subscriber
    const gone = [...channels].filter((channel) => !wanted.has(channel))
    const missing = [...wanted].filter((channel) => !channels.has(channel))
    // A command takes channels of one slot only, where they are a shard's.
    const size = sharded ? 1 : maxChannels
    for (let i = 0; i < gone.length; i += size) {
      const some = gone.slice(i, i + size)
      for (const channel of some) channels.delete(channel)
      send(redis, [sharded ? "sunsubscribe" : "unsubscribe", ...some]).catch(() => {})
    }
    for (let i = 0; i < missing.length; i += size) subscribe(subscriber, missing.slice(i, i + size))
  }

  const reconcile = Effect.sync(() => {
    const places = new Map<string, Set<string>>()
    for (const channel of env.wanted()) {
      const place = env.router.placeOf(channel)
      if (place === undefined) {
        stale = true
        continue
      }
      const channels = places.get(place)
      if (channels === undefined) places.set(place, new Set([channel]))
      else channels.add(channel)
    }
    for (const [place, subscriber] of subscribers) {
      if (!places.has(place) || subscriber.redis.status === "end") close(place, subscriber)
    }
    for (const [place, channels] of places) {
      const subscriber = subscribers.get(place) ?? connect(place)
      if (subscriber?.redis.status !== "ready") continue
      update(subscriber, channels)
      // A connection that was cut without a word is noticed when this gets no answer.
      if (env.now() - subscriber.lastPing >= env.heartbeat) {
        if (subscriber.silent) {
          subscriber.redis.stream.destroy()
          continue
        }
        subscriber.lastPing = env.now()
        subscriber.silent = true
        const pong = () => {
          subscriber.silent = false
        }
        send(subscriber.redis, ["ping"]).then(pong, pong)
      }
    }
  })

  yield* Effect.forkScoped(
    Effect.forever(
      Effect.gen(function*() {
        latch.closeUnsafe()
        if (stale) {
          stale = false
          yield* Effect.timeoutOption(env.router.refresh, interval)
          yield* Effect.sleep(pause)
        }
        yield* reconcile
        yield* Effect.timeoutOption(latch.await, stale ? pause : Math.min(interval, env.heartbeat))
      })
    )
  )

  const subscriptions: Subscriptions = { wake }
  return subscriptions
})
