/**
 * One primary has all of the keys; a Sentinel may say which one that is.
 */
import * as Effect from "effect/Effect"
import type { Redis } from "ioredis"
import * as Node from "./node.ts"
import type { Connections, Router } from "./router.ts"

export const make = Effect.fnUntraced(function*(client: Redis, connections: Connections) {
  const node = yield* Effect.acquireRelease(
    Effect.sync(() => Node.make(client, connections)),
    (node) => Effect.sync(node.release)
  )
  // The address may lead to another server after each time that the connection was lost.
  let generation = 0
  const onReady = () => {
    generation++
  }
  client.on("ready", onReady)
  yield* Effect.addFinalizer(() => Effect.sync(() => client.off("ready", onReady)))
  const find = (millis: number) =>
    Effect.flatMap(node.ready(millis), (fault) => fault === undefined ? Effect.succeed(node) : Effect.fail(fault))
  const router: Router = {
    clustered: false,
    slotOf: () => 0,
    peek: () => node.isReady() ? node : undefined,
    find: (_slot, millis) => find(millis),
    at: (_address, millis) => find(millis),
    refresh: Effect.void,
    primaries: (millis) => Effect.map(find(millis), (node) => [{ node, has: () => true }]),
    placeOf: () => String(generation),
    subscriber: () => client.duplicate(connections.subscriber)
  }
  return router
})
