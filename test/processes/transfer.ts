/** Transfers money at random until it is told to stop, and prints the id of each transfer once it is acknowledged. */
import { Effect, Random, Result } from "effect"
import { Scoped } from "effect-scoped"
import { writeSync } from "node:fs"
import * as Storage from "../../examples/storage.ts"
import { Accounts, names } from "./accounts.ts"

const worker = process.argv[2]!
let next = 0
let stopped = false
process.on("SIGTERM", () => stopped = true)

const transfer = Effect.gen(function*() {
  const [from, to] = (yield* Random.shuffle(names)) as [string, string]
  const amount = yield* Random.nextIntBetween(1, 60)
  const id = `${worker}-${next++}`
  yield* Scoped.updateResult(
    Scoped.all([Accounts(from), Accounts(to)]),
    ([from, to]) =>
      from.balance < amount ? Result.fail("insufficient" as const) : Result.succeed([undefined, [
        { balance: from.balance - amount, transfers: [...from.transfers, id] },
        { balance: to.balance + amount, transfers: [...to.transfers, id] }
      ]])
  ).pipe(
    Effect.andThen(Effect.sync(() => writeSync(1, `${id}\n`))),
    Effect.catch((error) => error === "insufficient" ? Effect.void : Effect.fail(error))
  )
})

await Effect.runPromise(
  Effect.forEach(
    Array.from({ length: 4 }),
    () => Effect.repeat(transfer, { until: () => stopped }),
    { concurrency: "unbounded" }
  ).pipe(Effect.provide(Storage.layer))
)
