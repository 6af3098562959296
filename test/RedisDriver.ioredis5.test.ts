/**
 * The driver over clients of ioredis 5; `IOREDIS=5 vitest run test/RedisDriver` runs all of its tests with that.
 */
import { Effect } from "effect"
import { suite } from "effect-scoped/testing/DriverSuite"
import type { Cluster, Redis } from "ioredis"
import * as IORedis5 from "ioredis5"
import * as RedisDriver from "../src/RedisDriver.ts"
import { place } from "./redis/store.ts"
import { redisLoneCluster } from "./servers/redis.ts"

const open = (make: () => IORedis5.Redis | IORedis5.Cluster, prefix: string) =>
  Effect.acquireRelease(Effect.sync(make), (client) => Effect.sync(() => client.disconnect())).pipe(
    Effect.map((client) => client as unknown as Redis | Cluster),
    Effect.flatMap((client) => RedisDriver.make({ client, prefix }))
  )

suite("redis by ioredis 5", {
  store: Effect.map(place, ({ prefix, url }) => open(() => new IORedis5.Redis(url), prefix))
})

suite("redis cluster by ioredis 5", {
  store: Effect.map(
    redisLoneCluster,
    ({ port }) => open(() => new IORedis5.Cluster([{ host: "127.0.0.1", port }]), "{suite}:")
  )
})
