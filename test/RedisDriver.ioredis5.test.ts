/**
 * The driver over clients of ioredis 5; `IOREDIS=5 vitest run test/RedisDriver` runs all of its tests with that.
 */
import { Effect } from "effect"
import type { Cluster, Redis } from "ioredis"
import * as IORedis5 from "ioredis5"
import * as RedisDriver from "../src/RedisDriver.ts"
import { place } from "./redis/store.ts"
import { redisLoneCluster } from "./servers/redis.ts"
import { driverSuite } from "./suites/driver.ts"

const open = (make: () => IORedis5.Redis | IORedis5.Cluster, prefix: string) =>
  Effect.acquireRelease(Effect.sync(make), (client) => Effect.sync(() => client.disconnect())).pipe(
    Effect.map((client) => client as unknown as Redis | Cluster),
    Effect.flatMap((client) => RedisDriver.make({ client, prefix }))
  )

driverSuite(
  "redis by ioredis 5",
  Effect.map(place, ({ prefix, url }) => open(() => new IORedis5.Redis(url), prefix))
)

driverSuite(
  "redis cluster by ioredis 5",
  Effect.map(
    redisLoneCluster,
    ({ port }) => open(() => new IORedis5.Cluster([{ host: "127.0.0.1", port }]), "{suite}:")
  )
)
