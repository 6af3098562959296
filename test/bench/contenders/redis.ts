import { Context, Effect } from "effect"
import * as RedisDriver from "effect-scoped/RedisDriver"
import { Redis } from "ioredis"
import type { Contender } from "../harness.ts"
import type { Contenders } from "./contenders.ts"
import * as Ours from "./ours.ts"

const context = Context.empty() as never

const client = (url: string, enableAutoPipelining: boolean) =>
  Effect.acquireRelease(
    Effect.sync(() => new Redis(url, { enableAutoPipelining })),
    (client) => Effect.sync(() => client.disconnect())
  )

const compareAndSet = `
if (redis.call("GET", KEYS[1]) or "") ~= ARGV[1] then return 0 end
redis.call("SET", KEYS[1], ARGV[2])
return 1`

const next = (text: string): string => JSON.stringify({ count: (text === "" ? 0 : JSON.parse(text).count) + 1 })

const call = (redis: Redis, name: string, ...args: ReadonlyArray<string>): Promise<unknown> =>
  (redis as unknown as { readonly [name: string]: (...args: ReadonlyArray<string>) => Promise<unknown> })[name]!(
    ...args
  )

/** One command that the server does by itself, no state and no function. */
const incr = (redis: Redis): Contender => ({
  name: "INCR, auto-pipelined",
  add: (key) => Effect.promise(() => redis.incr(`incr:${key}`)),
  context
})

/** One caller that always knows what is stored: the least that a commit of a state can be. */
const bare = (redis: Redis): Contender => {
  const known = new Map<number, string>()
  const mine = `bare-${process.pid}`
  return {
    name: "bare EVALSHA",
    add: (key) =>
      Effect.promise(async () => {
        const before = known.get(key) ?? ""
        const after = next(before)
        if (await call(redis, "compareAndSet", `${mine}:${key}`, before, after) !== 1) throw new Error("somebody else")
        known.set(key, after)
      }),
    atMost: 1,
    context
  }
}

/** What most would write: read, compute, compare and set in a script, and again where somebody else was first. */
const loop = (redis: Redis): Contender => {
  let attempts = 0
  return {
    name: "GET + compare-and-set",
    add: (key) =>
      Effect.promise(async () => {
        for (;;) {
          attempts++
          const before = await redis.get(`cas:${key}`) ?? ""
          if (await call(redis, "compareAndSet", `cas:${key}`, before, next(before)) === 1) return
        }
      }),
    atMostOnOneKey: 64,
    context,
    attempts: Effect.sync(() => attempts)
  }
}

/** A watch belongs to a connection, so everyone who is at it needs one. */
const watch = (url: string) =>
  Effect.gen(function*() {
    const free: Array<Redis> = []
    let attempts = 0
    yield* Effect.addFinalizer(() => Effect.sync(() => free.forEach((redis) => redis.disconnect())))
    const contender: Contender = {
      name: "WATCH / MULTI",
      add: (key) =>
        Effect.promise(async () => {
          const redis = free.pop() ?? new Redis(url)
          const name = `watch:${key}`
          for (;;) {
            attempts++
            await redis.watch(name)
            const before = await redis.get(name) ?? ""
            if (await redis.multi().set(name, next(before)).exec() !== null) break
          }
          free.push(redis)
        }),
      atMost: 64,
      context,
      attempts: Effect.sync(() => attempts)
    }
    return contender
  })

const release = `
if redis.call("GET", KEYS[1]) == ARGV[1] then return redis.call("DEL", KEYS[1]) end
return 0`

/** The algorithm of Redlock on one server, by hand: `SET NX PX`, work, and a release that asks whose lock it is. */
const redlock = (redis: Redis): Contender => {
  let attempts = 0
  return {
    name: "redlock + GET / SET",
    add: (key) =>
      Effect.promise(async () => {
        const token = `${process.pid}:${Math.random()}`
        for (;;) {
          attempts++
          if (await redis.set(`lock:${key}`, token, "PX", 10_000, "NX") === "OK") break
          await new Promise((resume) => setTimeout(resume, 1 + Math.random() * 4))
        }
        await redis.set(`locked:${key}`, next(await redis.get(`locked:${key}`) ?? ""))
        await call(redis, "release", `lock:${key}`, token)
      }),
    atMostOnOneKey: 64,
    context,
    attempts: Effect.sync(() => attempts)
  }
}

export const redis: Contenders = (url) =>
  Effect.gen(function*() {
    const pipelined = yield* client(url, true)
    const plain = yield* client(url, false)
    for (const redis of [pipelined, plain]) {
      redis.defineCommand("compareAndSet", { numberOfKeys: 1, lua: compareAndSet })
      redis.defineCommand("release", { numberOfKeys: 1, lua: release })
    }
    return [
      yield* Ours.make(RedisDriver.layer({ url })),
      incr(pipelined),
      loop(pipelined),
      yield* watch(url),
      redlock(pipelined),
      bare(plain)
    ]
  })
