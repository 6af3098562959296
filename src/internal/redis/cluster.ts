/**
 * Many primaries have the keys, by their slots. ioredis's `Cluster` keeps the connections and the list of who has which
 * slot; what is sent, where, and what becomes of it when a server fails is decided here, since only so can it be known
 * whether a transaction that failed was sent.
 */
import * as Effect from "effect/Effect"
import type { Cluster, Redis } from "ioredis"
import * as Fault from "./fault.ts"
import * as Node from "./node.ts"
import type { Connections, Router } from "./router.ts"
import * as Slot from "./slot.ts"

/** How long to wait before looking again whether the cluster has healed. */
const pause = 25

export const make = Effect.fnUntraced(function*(cluster: Cluster, options: Connections) {
  const nodes = new Map<Redis, Node.Node>()
  /** Servers that get slots but have none yet are not in the list of the cluster. */
  const strangers = new Map<string, Redis>()
  /** Servers that were away for as long as anybody was ready to wait, and that nobody has replaced since. */
  const lost = new Set<string>()
  const { now } = options
  let lastError: Error | undefined
  let closed = false

  const onError = (error: Error) => {
    lastError = error
  }
  const onLeave = (redis: Redis) => {
    nodes.get(redis)?.release()
    nodes.delete(redis)
  }
  cluster.on("error", onError)
  cluster.on("node error", onError)
  cluster.on("-node", onLeave)
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      cluster.off("error", onError)
      cluster.off("node error", onError)
      cluster.off("-node", onLeave)
      for (const node of nodes.values()) node.release()
      for (const redis of strangers.values()) redis.disconnect()
    })
  )

  const nodeOf = (redis: Redis): Node.Node => {
    let node = nodes.get(redis)
    if (node === undefined) {
      node = Node.make(redis, options)
      nodes.set(redis, node)
    }
    return node
  }

  const addressOf = (redis: Redis) => `${redis.options.host}:${redis.options.port}`
  const known = (address: string) => cluster.nodes("all").find((redis) => addressOf(redis) === address)
  const owner = (slot: number): Redis | undefined => {
    const address = cluster.slots[slot]?.[0]
    return address === undefined ? undefined : known(address)
  }

  const unreachable = () =>
    Fault.unreachable("the Redis cluster", lastError ?? new Error("none of its servers has the slot"))

  const refresh = Effect.callback<void>((resume) => {
    if (cluster.status !== "ready") return resume(Effect.void)
    cluster.refreshSlotsCache(() => resume(Effect.void))
  })

  /** Looks again and again, until there is a server that can be used. */
  const find = Effect.fnUntraced(function*(slot: number, millis: number) {
    const deadline = now() + millis
    let looks = 0
    while (true) {
      if (closed) return yield* Effect.fail(Fault.closed)
      if (cluster.status === "wait") cluster.connect().catch(() => {})
      if (cluster.status === "end") return yield* Effect.fail(unreachable())
      const redis = cluster.status === "ready" ? owner(slot) : undefined
      if (redis !== undefined && nodeOf(redis).isReady()) {
        lost.delete(addressOf(redis))
        return nodeOf(redis)
      }
      const left = deadline - now()
      // Who waits for a server keeps others waiting that travel with him. So that is done once per outage.
      const address = cluster.slots[slot]?.[0] ?? ""
      if (left <= 0 || (looks > 1 && lost.has(address))) {
        lost.add(address)
        return yield* Effect.fail(unreachable())
      }
      if (redis === undefined || redis.status === "end") {
        // Its server was lost. Somebody else may have the slot by now.
        if (looks % 4 === 0) yield* Effect.timeoutOption(refresh, left)
        yield* Effect.sleep(Math.min(pause, left))
      } else {
        // A connection that hangs must not hide that somebody else has the slot now.
        const fault = yield* nodeOf(redis).ready(Math.min(left, 500))
        if (fault?.reason === "Forbidden") return yield* Effect.fail(fault)
        if (fault !== undefined) yield* Effect.sleep(Math.min(pause, left))
      }
      looks++
    }
  })

  const natted = (address: string): string => {
    const { natMap } = cluster.options
    const mapped = typeof natMap === "function" ? natMap(address) : natMap?.[address]
    return mapped == null ? address : `${mapped.host}:${mapped.port}`
  }

  const at = (named: string, millis: number): Effect.Effect<Node.Node, Fault.Fault> =>
    Effect.suspend(() => {
      const address = natted(named)
      let redis = known(address)
      const stranger = strangers.get(address)
      if (redis === undefined) {
        redis = stranger
      } else {
        stranger?.disconnect()
        strangers.delete(address)
      }
      const template = cluster.nodes("master")[0]
      if ((redis === undefined || redis.status === "end") && template !== undefined) {
        const colon = address.lastIndexOf(":")
        redis = template.duplicate({ host: address.slice(0, colon), port: Number(address.slice(colon + 1)) })
        strangers.set(address, redis)
      }
      if (redis === undefined) return Effect.fail(unreachable())
      const node = nodeOf(redis)
      return Effect.flatMap(
        node.ready(millis),
        (fault) => fault === undefined ? Effect.succeed(node) : Effect.fail(fault)
      )
    })

  const owners = (): ReadonlyMap<string, ReadonlySet<number>> => {
    const slots = new Map<string, Set<number>>()
    cluster.slots.forEach((addresses, slot) => {
      const address = addresses?.[0]
      if (address === undefined) return
      const owned = slots.get(address)
      if (owned === undefined) slots.set(address, new Set([slot]))
      else owned.add(slot)
    })
    return slots
  }

  const router: Router = {
    clustered: true,
    slotOf: Slot.ofKey,
    peek: (slot) => {
      const redis = cluster.status === "ready" ? owner(slot) : undefined
      if (redis === undefined) return undefined
      const node = nodeOf(redis)
      return node.isReady() ? node : undefined
    },
    find,
    at,
    refresh,
    primaries: Effect.fnUntraced(function*(millis) {
      const deadline = now() + millis
      yield* find(0, millis)
      return yield* Effect.forEach(owners().values(), (slots) => {
        const [first] = slots
        return Effect.map(find(first!, Math.max(deadline - now(), 0)), (node) => ({
          node,
          has: (slot: number) => slots.has(slot)
        }))
      })
    }),
    placeOf: (key) => cluster.status === "ready" ? cluster.slots[Slot.ofKey(key)]?.[0] : undefined,
    subscriber: (place) => known(place)?.duplicate(options.subscriber)
  }
  return router
})
