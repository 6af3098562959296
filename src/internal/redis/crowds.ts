/**
 * Turns at the scopes that others want as well: who was refused again and again asks for one on a channel beside the
 * scope. Where nobody does, nothing is sent, and no connection is opened.
 */
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Scope from "effect/Scope"
import type { Transaction } from "../../Driver.ts"
import { machine } from "../machine.ts"
import { steady } from "../steady.ts"
import type { Router } from "./router.ts"
import * as Subscriptions from "./subscriptions.ts"
import * as Turn from "./turn.ts"

/** At how many scopes there are turns; at any others commits compete. */
const most = 64

/** How long a channel is listened to on which nothing happens, in milliseconds. */
const idle = 5_000

/** How often others in this process get to run before it is said that there is nothing more to commit. */
const hops = 10

interface Crowd {
  readonly turn: Turn.Turn
  readonly channel: string
  /** What its scope travels in, so that it keeps nobody waiting but those who want it, too. */
  readonly lane: string
}

export interface Crowds {
  /** The lane of its own of a scope that has turns. */
  readonly laneOf: (name: string) => string | undefined
  /** Runs a commit when nobody else has the turn, or none of its scopes has turns. It is told how long that took. */
  readonly take: <A, E>(
    batch: ReadonlyArray<Transaction>,
    commit: (waited: number) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
}

export const make = Effect.fnUntraced(function*(env: {
  readonly router: Router
  readonly prefix: string
  readonly millis: number
}) {
  const { millis, prefix, router } = env
  const scope = yield* Effect.scope
  const run = yield* FiberSet.makeRuntime<never>()
  // Turns are about processes and servers that are real, whatever clock the program goes by.
  const now = steady(machine)
  const crowds = new Map<string, Crowd>()
  const lanes = Array.from({ length: most }, (_, i) => `turns ${i}`)
  let subscriptions: Subscriptions.Subscriptions | undefined
  let sharded = router.clustered
  yield* Effect.addFinalizer(() => Effect.sync(() => crowds.forEach(({ turn }) => turn.forget())))

  const publish = (channel: string, message: Turn.Message): void => {
    const node = router.peek(router.slotOf(channel))
    if (node === undefined) return
    const line = [sharded ? "spublish" : "publish", channel, Turn.encode(message)] as const
    run(Effect.map(node.exec([line], millis), ([reply]) => {
      // Redis 6 knows no channels of a shard.
      if (reply!._tag === "Fault" && /unknown command/i.test(reply!.said ?? "")) sharded = false
    }))
  }

  const sweep = () => {
    for (const [name, { lane, turn }] of crowds) {
      if (turn.isBusy || now() - turn.usedAt < idle) continue
      turn.forget()
      crowds.delete(name)
      lanes.push(lane)
    }
  }

  const listen = Subscriptions.make({
    router,
    now,
    heartbeat: millis,
    *wanted() {
      sweep()
      for (const { channel } of crowds.values()) yield channel
    },
    began: () => {},
    heard: (channel, message) => {
      // A hint of a scope that is named like this channel.
      if (message !== "") crowds.get(nameOf(channel))?.turn.hear(Turn.decode(message))
    },
    // Then there are no turns.
    fail: () => {},
    refused: () => {}
  }).pipe(
    Scope.provide(scope),
    Effect.map((made) => {
      subscriptions = made
    })
  )

  const channelOf = (name: string): string => `${prefix}${name} turns`
  const nameOf = (channel: string): string => channel.slice(prefix.length, -" turns".length)

  const open = (name: string, me: string): Crowd | undefined => {
    const lane = lanes.pop()
    if (lane === undefined) return undefined
    const channel = channelOf(name)
    const turn = new Turn.Turn({
      me,
      now,
      patience: millis / 4,
      say: (message) => publish(channel, message),
      onIdle: (idle) => {
        run(Effect.map(Effect.repeat(Effect.yieldNow, { times: hops }), idle))
      }
    })
    const crowd: Crowd = { turn, channel, lane }
    crowds.set(name, crowd)
    if (crowds.size > 1 || subscriptions !== undefined) subscriptions?.wake()
    else run(listen)
    return crowd
  }

  /** The first of the scopes of a transaction that has turns; from now on, where its writer asks for one. */
  const crowdOf = (batch: ReadonlyArray<Transaction>): Crowd | undefined => {
    let found: Crowd | undefined
    for (const transaction of batch) {
      for (const { claim, name } of transaction) {
        if (crowds.size === 0 && claim === undefined) continue
        const crowd = crowds.get(name) ?? (claim === undefined ? undefined : open(name, claim))
        found ??= crowd
      }
    }
    // Whoever travels with others does not keep them waiting.
    return batch.length === 1 ? found : undefined
  }

  const result: Crowds = {
    laneOf: (name) => crowds.size === 0 ? undefined : crowds.get(name)?.lane,
    take: (batch, commit) =>
      Effect.suspend(() => {
        const crowd = crowdOf(batch)
        if (crowd === undefined) return commit(0)
        const { turn } = crowd
        const claims = batch[0]!.some(({ claim }) => claim !== undefined)
        const start = now()
        let proceed = () => {}
        // It is in the queue from the moment on that it can be woken, and not before: a message may come any time.
        const wait = Effect.callback<void>((resume) => {
          proceed = () => resume(Effect.void)
          if (turn.begin(claims, proceed)) proceed()
        })
        return wait.pipe(
          Effect.flatMap(() => commit(now() - start)),
          Effect.ensuring(Effect.sync(() => turn.end(proceed)))
        )
      })
  }
  return result
})
