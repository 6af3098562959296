/**
 * Hints: from the commits of all writers, by pub/sub, and from records that expire, by the clock.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as RcRef from "effect/RcRef"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"
import { Watchers } from "../watchers.ts"
import * as Fault from "./fault.ts"
import type { Router } from "./router.ts"
import * as Subscriptions from "./subscriptions.ts"

/** How much later than a record is due to expire it is looked at, in milliseconds. */
const slack = 5

/** Far more than a timer can wait for is waited for in parts. */
const maxWait = 2 ** 31 - 1

export const make = Effect.fnUntraced(function*(env: {
  readonly router: Router
  readonly clock: Clock.Clock
  readonly prefix: string
  readonly millis: number
  readonly lifetimes: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<number | undefined>>
}) {
  const { prefix } = env
  const watchers = new Watchers()
  let closed = false

  const feed = yield* RcRef.make({
    acquire: Effect.gen(function*() {
      const expiring = yield* FiberMap.make<string>()
      const run = yield* FiberMap.runtime(expiring)<never>()
      const looks = yield* FiberMap.make<string>()
      const look = yield* FiberMap.runtime(looks)<never>()

      const expires = (name: string, millis: number): void => {
        run(
          name,
          Effect.andThen(
            Effect.sleep(Math.min(millis + slack, maxWait)),
            Effect.suspend(() => {
              watchers.hint(name)
              return schedule([name])
            })
          )
        )
      }
      const schedule = (names: ReadonlyArray<string>): Effect.Effect<void> =>
        Effect.map(env.lifetimes(names), (millis) =>
          names.forEach((name, i) => {
            const left = millis[i]
            if (left !== undefined && watchers.has(name)) expires(name, left)
          }))

      let batches = 0
      return yield* Subscriptions.make({
        router: env.router,
        now: () => env.clock.currentTimeMillisUnsafe(),
        heartbeat: env.millis,
        *wanted() {
          for (const name of watchers.names()) yield prefix + name
        },
        began: (channels) => {
          const names = channels.map((channel) => channel.slice(prefix.length))
          for (const name of names) watchers.hint(name)
          look(`began ${batches++}`, schedule(names))
        },
        heard: (channel, message) => {
          const name = channel.slice(prefix.length)
          if (!watchers.has(name)) return
          watchers.hint(name)
          if (message === "") run(name, Effect.void)
          else expires(name, Number(message))
        },
        fail: (fault) => watchers.fail(Fault.toDriverError(fault, "changes"))
      })
    })
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      watchers.fail(Fault.toDriverError(Fault.closed, "changes"))
    })
  )

  return (names: ReadonlyArray<string>): Stream.Stream<string, DriverError> =>
    Stream.suspend(() =>
      closed
        ? Stream.fail(Fault.toDriverError(Fault.closed, "changes"))
        : Stream.unwrap(Effect.map(RcRef.get(feed), ({ wake }) => watchers.watch(names, wake)))
    )
})
