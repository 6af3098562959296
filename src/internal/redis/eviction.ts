/**
 * Tells when a server may throw scopes away to make room.
 */
import * as Effect from "effect/Effect"
import type { Node } from "./node.ts"
import type { Router } from "./router.ts"

/** What a server does when its memory is full, if it tells. */
const policyOf = Effect.fnUntraced(function*(node: Node, millis: number) {
  const [config] = yield* node.exec([["config", "get", "maxmemory-policy"]], millis)
  if (config!._tag === "Value" && Array.isArray(config!.value)) return String(config!.value[1])
  // Managed services often forbid CONFIG.
  const [info] = yield* node.exec([["info", "memory"]], millis)
  return info!._tag === "Value" ? /^maxmemory_policy:(\S+)/m.exec(String(info!.value))?.[1] : undefined
})

/** Warns once, as soon as the servers can be asked. Says nothing where they do not tell. */
export const warn = Effect.fnUntraced(function*(router: Router, millis: number) {
  while (true) {
    const primaries = yield* Effect.option(router.primaries(millis))
    if (primaries._tag === "None") {
      yield* Effect.sleep(millis)
      continue
    }
    for (const { node } of primaries.value) {
      const policy = yield* policyOf(node, millis)
      if (policy === undefined || policy === "noeviction") continue
      return yield* Effect.logWarning(
        `${node.address} has the eviction policy "${policy}": when its memory is full it may drop scopes, which then ` +
          `begin anew from their initial states. Set "maxmemory-policy" to "noeviction"`
      )
    }
    return
  }
}, Effect.annotateLogs({ module: "effect-scoped/RedisDriver" }))
