import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Fiber } from "effect"
import { Scoped } from "effect-scoped"
import { spawn } from "node:child_process"
import { once } from "node:events"
import * as Storage from "../examples/storage.ts"
import { Bank, total } from "./processes/accounts.ts"
import { type Environment, storages } from "./support/example.ts"

/** A process that transfers, and what it has been told is done. */
const start = (worker: string, env: Environment) => {
  const child = spawn(
    process.execPath,
    ["--conditions=effect-scoped-source", "test/processes/transfer.ts", worker],
    { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] }
  )
  let output = ""
  child.stdout.on("data", (chunk) => output += chunk)
  return {
    /** Only whole lines: the last may have been cut by a kill. */
    acknowledged: () => output.split("\n").slice(0, -1),
    end: (signal: NodeJS.Signals) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const exited = once(child, "exit")
        child.kill(signal)
        await exited
      })
  }
}

describe("transfers between twenty accounts, from four processes of which two are killed", () => {
  for (const [name, storage] of Object.entries(storages)) {
    it.live(
      `${name}: no money is made or lost, and every acknowledged transfer is there once`,
      () =>
        Effect.gen(function*() {
          const env = yield* storage
          const workers = ["a", "b", "c", "d"].map((worker) => start(worker, env))
          yield* Effect.addFinalizer(() => Effect.forEach(workers, (worker) => worker.end("SIGKILL")))
          yield* Effect.gen(function*() {
            let done = false
            let looks = 0
            const look = Effect.suspend(() => Scoped.get(Bank)).pipe(
              Effect.map((accounts) => {
                looks++
                assert.strictEqual(accounts.reduce((sum, account) => sum + account.balance, 0), total)
              }),
              Effect.repeat({ until: () => done })
            )
            const looking = yield* Effect.forkChild(look)
            const [a, b, c, d] = workers
            const some = (worker: typeof a) =>
              Effect.sleep("20 millis").pipe(Effect.repeat({ until: () => worker!.acknowledged().length > 20 }))
            yield* Effect.forEach(workers, some)
            yield* a!.end("SIGKILL")
            yield* Effect.sleep("500 millis")
            yield* b!.end("SIGKILL")
            yield* Effect.sleep("500 millis")
            yield* Effect.forEach([c, d], (worker) => worker!.end("SIGTERM"), { concurrency: 2 })
            done = true
            yield* Fiber.join(looking)
            assert.isAbove(looks, 3)

            const accounts = yield* Scoped.get(Bank)
            const found = new Map<string, number>()
            for (const { transfers } of accounts) {
              for (const id of transfers) found.set(id, (found.get(id) ?? 0) + 1)
            }
            // Each transfer is in the two accounts that it touched, once.
            for (const [id, times] of found) assert.strictEqual(times, 2, id)
            for (const worker of workers) {
              for (const id of worker.acknowledged()) assert.isTrue(found.has(id), `${id} is lost`)
            }
            const acknowledged = workers.flatMap((worker) => worker.acknowledged()).length
            // Of each killed process the four that were under way may be there besides.
            assert.isAtMost(found.size, acknowledged + 8)
          }).pipe(
            Effect.provide(Storage.layer),
            Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnvRecord(env)))
          )
        }),
      90_000
    )
  }
})
