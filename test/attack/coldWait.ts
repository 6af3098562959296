/**
 * Where `wait` may take longer than `timeout`, and the replicas lag, the first updates of a storage over a cluster should
 * take no longer than one wait, as later ones do.
 */
import { Effect, Logger } from "effect"
import * as RedisDriver from "../../src/RedisDriver.ts"
import { counter, increment } from "../redis/helpers.ts"
import { redisCluster } from "../servers/redis.ts"

const program = Effect.gen(function*() {
  const cluster = yield* redisCluster()
  for (const replica of cluster.replicas) yield* replica.signal("SIGSTOP")
  yield* Effect.gen(function*() {
    for (const round of ["first", "later"]) {
      const start = performance.now()
      const names = Array.from({ length: 60 }, (_, i) => `n${i}`)
      const errors = yield* Effect.forEach(names, (name) => Effect.flip(increment(counter(name))), {
        concurrency: "unbounded"
      })
      console.log(round, Math.round(performance.now() - start), [...new Set(errors.map(({ _tag }) => _tag))])
    }
  }).pipe(Effect.provide(RedisDriver.layer({
    cluster: cluster.nodes,
    timeout: "2 seconds",
    wait: { replicas: 1, timeout: "3 seconds" }
  })))
  for (const replica of cluster.replicas) yield* replica.signal("SIGCONT")
})

await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
process.exit(0)
