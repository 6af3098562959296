/**
 * Turns at the scopes that others want as well: who was refused again and again asks for one on a channel beside the
 * scope. Where nobody does, nothing is sent, and no connection is opened.
 *
 * Who is never refused asks for nothing, and yet has to hear those whom he keeps out. So these listen to the hints of his
 * commits as well, and the answer to a commit tells that somebody does. It may be somebody who watches: so he has a look
 * now and then whether anybody listens on the channel for turns, and then listens there himself for a while. It may be
 * somebody who listens to everything: so there are turns only once one is asked for.
 */
import { WebCrypto } from "effect/crypto/WebCrypto"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as FiberSet from "effect/FiberSet"
import * as Scope from "effect/Scope"
import type { Driver, Transaction, Write } from "../../Driver.ts"
import * as Background from "../background.ts"
import { machine } from "../machine.ts"
import { steady } from "../steady.ts"
import { lengthOf } from "./batch.ts"
import type { Read } from "./read.ts"
import type { Router } from "./router.ts"
import * as Subscriptions from "./subscriptions.ts"
import { remembered, Turn } from "./turn.ts"
import { decode, encode } from "./turnMessage.ts"

/** At how many scopes there are turns; at any others commits compete. */
const most = 64

/** How long a channel is listened to on which nothing happens, in milliseconds. */
const idle = 5_000

/** How often it is looked whether those who listen to a scope's hints want turns, in milliseconds, and at how many scopes. */
const rest = 1_000
const mostLooks = 64

/**
 * From how many characters on a commit arrives noticeably later than what is sent before it: a server reads about as many
 * bytes at a time, and as many are on the way at once at first.
 */
const large = 2 ** 14

/** How often others in this process get to run before it is said that there is nothing more to commit. */
const hops = 10

interface Crowd {
  readonly turn: Turn
  readonly key: string
  /** Where all hear what is said, and where only this writer does. */
  readonly channels: ReadonlyArray<string>
  /** What its scope travels in, so that it keeps nobody waiting but those who want it, too. */
  readonly lane: string
}

export interface Crowds {
  /** The lane of its own of a scope that has turns. */
  readonly laneOf: (name: string) => string | undefined
  /**
   * Waits for the turns at those of some scopes that have turns, and reads what is little; `undefined` where there is
   * nothing to wait for.
   */
  readonly turn: NonNullable<Driver["turn"]>
  /** Somebody heard the hints of commits to these keys. */
  readonly heard: (keys: ReadonlyArray<string>) => void
  /** Runs a commit, and hands on where it is the last of a turn. */
  readonly during: <A, E>(batch: ReadonlyArray<Transaction>, commit: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

export const make = Effect.fnUntraced(function*(env: {
  readonly router: Router
  readonly read: Read
  readonly prefix: string
  readonly millis: number
  readonly database: number
}) {
  const { millis, prefix, read, router } = env
  // All databases of a server have their channels in common.
  const channelOf = (key: string): string => env.database === 0 ? `${key} turns` : `${key} turns of ${env.database}`
  const patience = millis / 4
  const scope = yield* Effect.scope
  const me = yield* newName
  const run = yield* FiberSet.makeRuntime<never>()
  const soon = yield* Background.soon
  // Turns are about processes and servers that are real, whatever clock the program goes by.
  const now = steady(machine)
  const crowds = new Map<string, Crowd>()
  const listeners = new Map<string, Turn>()
  /** Where we listen whether anybody asks for turns at a scope that has none, and since when. */
  const ears = new Map<string, { readonly name: string; readonly since: number }>()
  const lanes = Array.from({ length: most }, (_, i) => `turns ${i}`)
  let listening = false
  let subscriptions: Subscriptions.Subscriptions | undefined
  let sharded = router.clustered
  yield* Effect.addFinalizer(() => Effect.sync(() => crowds.forEach(({ turn }) => turn.forget())))

  /** `then` is told how many heard it, if that is known. */
  const publish = (channel: string, message: string, then: (listeners: number) => void): void => {
    const node = router.peek(router.slotOf(channel))
    node?.call([sharded ? "spublish" : "publish", channel, message], millis, node.connection(), (reply) => {
      // Redis 6 knows no channels of a shard.
      if (reply._tag === "Fault" && /unknown command/i.test(reply.said ?? "")) sharded = false
      else if (reply._tag === "Value") then(Number(reply.value))
    })
  }

  const sweep = () => {
    for (const [name, { channels, lane, turn }] of crowds) {
      if (turn.isAwaited || now() - turn.usedAt < idle) continue
      turn.forget()
      crowds.delete(name)
      for (const channel of channels) listeners.delete(channel)
      lanes.push(lane)
    }
    for (const [channel, { since }] of ears) if (now() - since >= idle) ears.delete(channel)
  }

  const listen = Subscriptions.make({
    router,
    now,
    heartbeat: millis,
    *wanted() {
      sweep()
      yield* listeners.keys()
      yield* ears.keys()
      for (const { key, turn } of crowds.values()) if (now() - turn.overtakenAt < remembered) yield key
    },
    began: () => {},
    heard: (channel, message) => {
      // A hint of a scope that is named like this channel.
      if (message === "") return
      const turn = listeners.get(channel) ?? openAt(channel)
      turn?.hear(decode(message))
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

  const attend = (): void => {
    if (listening) return subscriptions?.wake()
    listening = true
    run(listen)
  }

  const open = (name: string): Crowd | undefined => {
    const lane = lanes.pop()
    if (lane === undefined) return undefined
    const key = prefix + name
    const all = channelOf(key)
    const turn = new Turn({
      me,
      now,
      patience,
      say: (message, to) => {
        publish(to === undefined ? all : `${all} ${to}`, encode(message), (listeners) => {
          // Without shards, a server of a cluster does not know who listens at another.
          if (to !== undefined && listeners === 0 && sharded === router.clustered) turn.missed(to)
        })
      },
      onIdle: (idle, goesOn) => {
        let left = hops
        const hop = (): void => goesOn() ? undefined : left-- > 0 ? soon(hop) : idle()
        hop()
      }
    })
    const crowd: Crowd = { turn, key, channels: [all, `${all} ${me}`], lane }
    crowds.set(name, crowd)
    for (const channel of crowd.channels) listeners.set(channel, turn)
    ears.delete(all)
    attend()
    return crowd
  }

  const openAt = (channel: string): Turn | undefined => {
    const ear = ears.get(channel)
    return ear && open(ear.name)?.turn
  }

  /** The crowds that a batch concerns, and whether it claims a turn there; new ones where it does. */
  const crowdsOf = (batch: ReadonlyArray<Transaction>): ReadonlyMap<Turn, boolean> => {
    const found = new Map<Turn, boolean>()
    for (const transaction of batch) {
      // Who only looks is in nobody's way.
      if (transaction.every(({ next }) => next === undefined)) continue
      for (const { claim, name } of transaction.length > 1 ? transaction.toSorted(byName) : transaction) {
        const crowd = crowds.get(name) ?? (claim === undefined ? undefined : open(name))
        if (crowd !== undefined) found.set(crowd.turn, claim !== undefined || found.get(crowd.turn) === true)
      }
    }
    return found
  }

  /** When it was looked whether anybody wants turns at a scope, the oldest first. */
  const looks = new Map<string, number>()

  const look = (key: string): void => {
    for (const [key, at] of looks) {
      if (now() - at < rest) break
      looks.delete(key)
    }
    const name = key.slice(prefix.length)
    const channel = channelOf(key)
    if (looks.has(key) || looks.size === mostLooks || crowds.has(name) || ears.has(channel)) return
    looks.set(key, now())
    // Where somebody watches a scope that is named like the channel, this is a hint, and true enough.
    publish(channel, "", (listeners) => {
      if (listeners === 0 || crowds.has(name)) return
      ears.set(channel, { name, since: now() })
      attend()
    })
  }

  const comes = (turn: Turn, others?: number): Effect.Effect<void> =>
    Effect.callback((resume) => {
      const whenever = () => resume(Effect.void)
      turn.wait(whenever, others)
      return Effect.sync(() => turn.leave(whenever))
    })

  /** One after the other. The first are kept meanwhile, for as long as those who wait there put up with it. */
  const come = (turns: ReadonlyArray<Turn>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const since = now()
      const held: Array<Turn> = []
      const next = Effect.suspend(() => comes(turns[held.length]!, turns.length - 1 - held.length))
      return Effect.whileLoop({
        while: () => held.length < turns.length && now() - since < patience,
        body: () => next,
        step: () => {
          const turn = turns[held.length]!
          turn.hold()
          held.push(turn)
        }
      }).pipe(Effect.ensuring(Effect.sync(() => held.forEach((turn) => turn.letGo()))))
    })

  const result: Crowds = {
    laneOf: (name) => crowds.size === 0 ? undefined : crowds.get(name)?.lane,
    turn: (names) => {
      if (crowds.size === 0) return undefined
      // All wait in the same order, in whatever order they name them: so nobody waits for who waits for him.
      const turns = (names.length > 1 ? names.toSorted() : names).flatMap((name) => crowds.get(name)?.turn ?? [])
      if (turns.every((turn) => names.length > 1 ? turn.isFreeOfOthers : turn.isFree)) return undefined
      // Whoever has the turn has to read first: at once, before anybody else in this process gets to run.
      return Effect.andThen(
        names.length === 1 ? comes(turns[0]!) : come(turns),
        read.little(names.map((name) => prefix + name))
      )
    },
    heard: (keys) => keys.forEach(look),
    during: (batch, commit) => {
      if (crowds.size === 0 && batch.every((transaction) => transaction.every(({ claim }) => claim === undefined))) {
        return commit
      }
      return Effect.suspend(() => {
        const concerned = crowdsOf(batch)
        const [first] = concerned.keys()
        const isLarge = batch.reduce((sum, transaction) => sum + lengthOf(transaction), 0) >= large
        for (const [turn, claims] of concerned) {
          if (!turn.begin(claims)) continue
          // Whoever waits for several asks for the others once he has the first, and is not called there before.
          const handOn = () => turn.handOn(turn === first)
          // Right before the commit, so that whoever is next gets ready while it is written to a disk: what he sends
          // arrives after it. But right behind one that takes a while to arrive, or he would come before it.
          if (isLarge) queueMicrotask(handOn)
          else handOn()
        }
        const start = now()
        return Effect.ensuring(commit, Effect.sync(() => concerned.forEach((_, turn) => turn.end(now() - start))))
      })
    }
  }
  return result
})

const newName = Effect.map(WebCrypto, (crypto) => Base64Url.encode(crypto.getRandomValues(new Uint8Array(8))))

const byName = (one: Write, other: Write): number => one.name < other.name ? -1 : 1
