import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import type { Driver, Record, Transaction, Write } from "../../src/Driver.ts"
import * as RedisDriver from "../../src/RedisDriver.ts"
import * as Scoped from "../../src/Scoped.ts"
import { DriverError } from "../../src/ScopedError.ts"
import type * as Storage from "../../src/Storage.ts"
import { type RedisServer, version } from "../servers/redis.ts"

export const prefix = "effect-scoped:"

let revisions = 0

export const record = (data: string | null = "1"): Record => ({ revision: `t:${++revisions}`, data })

export const create = (name: string, next: Record = record()): Transaction => [{ name, expected: null, next }]

export const write = (
  name: string,
  expected: Record | null,
  next: Record,
  options: Pick<Write, "expiresIn" | "retention"> = {}
): Write => ({ name, expected: expected?.revision ?? null, next, ...options })

export const check = (name: string, expected: Record | null): Write => ({
  name,
  expected: expected?.revision ?? null,
  next: undefined
})

/** A state of so many bytes. */
export const large = (bytes: number): Record => record(JSON.stringify("x".repeat(bytes - 2)))

/** What became of one transaction. */
export const commit = Effect.fnUntraced(function*(driver: Driver, transaction: Transaction) {
  const [answer] = yield* driver.commit([transaction])
  if (answer instanceof DriverError) return yield* answer
  return answer!.committed
})

/** The error of a commit that must fail. */
export const refusal = (driver: Driver, transaction: Transaction) => Effect.flip(commit(driver, transaction))

/** An error of a kind, which says a word and whether the commit may have been applied. */
export const says = (
  error: DriverError,
  reason: DriverError["reason"],
  word: string | RegExp,
  inDoubt = false
): void => {
  assert.strictEqual(error.reason, reason, error.message)
  if (typeof word === "string") assert.include(error.message, word)
  else assert.match(error.message, word)
  assert.strictEqual(error.inDoubt, inDoubt, error.message)
}

export const driver = (server: RedisServer | number, options: RedisDriver.Options = {}) =>
  RedisDriver.make({ url: `redis://127.0.0.1:${typeof server === "number" ? server : server.port}`, ...options })

export const layer = (
  server: RedisServer | number,
  options: RedisDriver.Options = {},
  storage: Storage.Options = {}
) =>
  RedisDriver.layer(
    { url: `redis://127.0.0.1:${typeof server === "number" ? server : server.port}`, ...options },
    storage
  )

export const counter = (name: string) => Scoped.make(name, { schema: Schema.Int, initial: 0 })

export const increment = Scoped.update((count: number) => [count + 1, count + 1] as const)

/** What a user must be able to do who commits and tells nobody. */
export const commits = ["+evalsha", "+eval", "+getrange", "+strlen", "+exists", "+pttl", "+set", "+del"]

/** Makes the user "app", with the password "secret", and with those of the rules that the server knows. */
export const setUser = Effect.fnUntraced(function*(server: RedisServer, ...rules: ReadonlyArray<string>) {
  const known = yield* version(server)
  yield* server.call(
    "acl",
    "setuser",
    "app",
    "reset",
    "on",
    ">secret",
    ...rules.filter((rule) => !(known < 7 && /^\+(spublish|ssubscribe|sunsubscribe)$/.test(rule)))
      .filter((rule) => !(known < 6.2 && rule.startsWith("&")) && !(known < 7 && rule.startsWith("(")))
  )
})

/** What a server has in a scope, seen from outside. */
export const storedText = (server: RedisServer, name: string) =>
  Effect.map(server.call("get", prefix + name), (value) => /^\d+:\d*:[^=]*=([^]*)$/.exec(String(value))?.[1])

export const stored = (server: RedisServer, name: string) =>
  Effect.map(storedText(server, name), (data) => data === undefined ? undefined : Number(data))

export interface Tally {
  /** Updates that were acknowledged. */
  done: number
  /** Updates that failed, and so were not applied. */
  failed: number
  /** Updates that are applied, on fewer replicas than was asked for. */
  short: number
  /** Updates of which it is not known. */
  unknown: number
}

/** Counts on a scope in some fibers at once, while `condition` holds. */
export const countWhile = Effect.fnUntraced(function*(
  name: string | ((i: number) => string),
  fibers: number,
  condition: () => boolean
) {
  const nameOf = typeof name === "string" ? () => name : name
  let next = 0
  const tally: Tally = { done: 0, failed: 0, short: 0, unknown: 0 }
  const errors: Array<string> = []
  yield* Effect.forEach(
    Array.from({ length: fibers }),
    () =>
      Effect.gen(function*() {
        while (condition()) {
          const exit = yield* Effect.result(increment(counter(nameOf(next++))))
          if (exit._tag === "Success") tally.done++
          else if (exit.failure._tag === "NotReplicatedError") tally.short++
          else if (exit.failure._tag === "AmbiguousCommitError") tally.unknown++
          else {
            tally.failed++
            errors.push(exit.failure.message)
          }
        }
      }),
    { concurrency: "unbounded", discard: true }
  )
  return { ...tally, errors: [...new Set(errors)] }
})
