/**
 * Hints: from the commits of all writers, by pub/sub, and from a look at the revisions now and then, since a hint may be
 * lost where nobody can see it.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as RcRef from "effect/RcRef"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"
import { Watchers } from "../watchers.ts"
import * as Fault from "./fault.ts"
import type { Read } from "./read.ts"
import type { Router } from "./router.ts"
import * as Subscriptions from "./subscriptions.ts"

/** How often the revisions of what is watched are looked at, at the most. */
const interval = 2_000

/** How many are looked at, and how long nobody is after that: a small part of a server's time, however many there are. */
const maxLooks = 500
const rest = 100

export interface Changes {
  readonly watch: (names: ReadonlyArray<string>) => Stream.Stream<string, DriverError>
  /** Hints of a commit from here got lost, for a reason; `undefined` when they do not any more. */
  readonly deaf: (fault: Fault.Fault | undefined) => void
}

export const make = Effect.fnUntraced(function*(env: {
  readonly router: Router
  readonly read: Read
  readonly now: () => number
  readonly prefix: string
  readonly millis: number
}) {
  const { now, prefix, read } = env
  const watchers = new Watchers()
  let closed = false
  let lost: { readonly fault: Fault.Fault; readonly at: number } | undefined

  /** The revisions that were seen last of what is watched. */
  const seen = new Map<string, string | null>()

  /** Which of some names have changed since they were seen last. */
  const look = (names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<string>> =>
    Effect.map(read.outlines(names.map((name) => prefix + name)), (outlines) =>
      names.filter((name, i) => {
        const outline = outlines[i]!
        if (Fault.isFault(outline) || !watchers.has(name)) return false
        const revision = outline?.[0] ?? null
        const changed = seen.get(name) !== revision
        seen.set(name, revision)
        return changed
      }))

  const looks = Effect.gen(function*() {
    for (;;) {
      const start = now()
      const names = [...watchers.names()]
      for (let i = 0; i < names.length; i += maxLooks) {
        for (const name of yield* look(names.slice(i, i + maxLooks))) watchers.hint(name)
        yield* Effect.sleep(rest)
      }
      for (const name of seen.keys()) {
        if (!watchers.has(name)) seen.delete(name)
      }
      yield* Effect.sleep(Math.max(interval - (now() - start), rest))
    }
  })

  const feed = yield* RcRef.make({
    acquire: Effect.gen(function*() {
      // Once a subscription stands, all that is watched is seen, and then hinted at.
      yield* Effect.forkScoped(Effect.andThen(Effect.sleep(interval), looks))
      const run = yield* FiberSet.makeRuntime<never>()
      return yield* Subscriptions.make({
        router: env.router,
        now,
        heartbeat: env.millis,
        *wanted() {
          for (const name of watchers.names()) yield prefix + name
        },
        began: (channels) => {
          const names = channels.map((channel) => channel.slice(prefix.length))
          run(Effect.map(look(names), () => {
            for (const name of names) watchers.hint(name)
          }))
        },
        heard: (channel, message) => {
          // What is not empty is said about turns, at the scope that this channel is beside.
          if (message === "") watchers.hint(channel.slice(prefix.length))
        },
        fail: (fault) => watchers.fail(Fault.toDriverError(fault, "changes")),
        refused: (channel, fault) => watchers.fail(Fault.toDriverError(fault, "changes"), channel.slice(prefix.length))
      })
    })
  })

  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      closed = true
      watchers.fail(Fault.toDriverError(Fault.closed, "changes"))
    })
  )

  const changes: Changes = {
    watch: (names) =>
      Stream.suspend(() => {
        // For a while: who commits nothing does not find out when they get through again.
        const fault = closed ? Fault.closed : lost !== undefined && now() - lost.at < interval ? lost.fault : undefined
        return fault === undefined
          ? Stream.unwrap(Effect.map(RcRef.get(feed), ({ wake }) => watchers.watch(names, wake)))
          : Stream.fail(Fault.toDriverError(fault, "changes"))
      }),
    deaf: (fault) => {
      lost = fault && { fault, at: now() }
      if (fault !== undefined) watchers.fail(Fault.toDriverError(fault, "changes"))
    }
  }
  return changes
})
