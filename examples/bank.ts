/**
 * Moves money between accounts, from many fibers at once: no transfer is lost, doubled or half done, and no account goes
 * below zero. Run it in several terminals at the same time.
 *
 * ```sh
 * npm run bank                                      # accounts in ./data
 * STORAGE=redis://localhost:6379 npm run bank
 * ```
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Random, Result, Schema } from "effect"
import { Scoped } from "effect-scoped"
import * as Storage from "./storage.ts"

const names = ["ada", "alan", "barbara", "edsger", "grace", "tony"]

const Accounts = Scoped.family("account", {
  key: Schema.String,
  schema: Schema.Struct({ balance: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)) }),
  initial: { balance: 100 }
})

const Bank = Scoped.all(names.map(Accounts))

class InsufficientFunds extends Schema.TaggedError<InsufficientFunds>()("InsufficientFunds", {
  account: Schema.String,
  balance: Schema.Int
}) {}

const transfer = (amount: number, from: string, to: string) =>
  Scoped.updateResult(Scoped.all({ from: Accounts(from), to: Accounts(to) }), (accounts) => {
    const left = accounts.from.balance - amount
    return left < 0
      ? Result.fail(new InsufficientFunds({ account: from, balance: accounts.from.balance }))
      : Result.succeed([left, { from: { balance: left }, to: { balance: accounts.to.balance + amount } }])
  })

const anyTransfer = Effect.gen(function*() {
  const [from, to] = yield* Random.shuffle(names)
  return yield* transfer(yield* Random.nextIntBetween(1, 80), from!, to!).pipe(
    Effect.as("done" as const),
    Effect.catchTag("InsufficientFunds", () => Effect.succeed("refused" as const))
  )
})

const program = Effect.gen(function*() {
  const count = yield* Config.Int("TRANSFERS").pipe(Config.withDefault(1_000))
  const outcomes = yield* Effect.forEach(Array.from({ length: count }), () => anyTransfer, { concurrency: 50 })
  const done = outcomes.filter((outcome) => outcome === "done").length
  yield* Console.log(`${done} transfers done, ${count - done} refused for insufficient funds`)

  const balances = (yield* Scoped.get(Bank)).map((account) => account.balance)
  yield* Effect.forEach(names, (name, i) => Console.log(`${name.padEnd(10)}${`${balances[i]}`.padStart(6)}`))
  yield* Console.log(`${"all".padEnd(10)}${`${balances.reduce((sum, balance) => sum + balance, 0)}`.padStart(6)}`)
})

program.pipe(
  Effect.provide(Storage.layer),
  Effect.tapError((error) => Console.error(error.message)),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
