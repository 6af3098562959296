/**
 * The campaign against real stores: processes run random programs while things go wrong, and what all of them saw must
 * have one explanation.
 *
 * `npm run campaign:stores -- --only redis,mysql --minutes 10 --seed 1 --faults serverKilled,answerLost`
 *
 * What goes wrong is made in `fault.ts` (workers, the network) and `stores/*.ts` (each store); what must hold all the
 * same is in `check.ts`. A seed gives the same programs and the same faults in the same order, though not at the same
 * moments.
 */
import { Effect, type Scope } from "effect"
import { parseArgs } from "node:util"
import * as Campaign from "./campaign.ts"
import type { Store } from "./store.ts"
import * as Cluster from "./stores/cluster.ts"
import * as File from "./stores/file.ts"
import * as Mysql from "./stores/mysql.ts"
import * as Redis from "./stores/redis.ts"
import * as Sentinel from "./stores/sentinel.ts"

export const stores: { readonly [name: string]: Effect.Effect<Store, Error, Scope.Scope> } = {
  redis: Redis.store,
  sentinel: Sentinel.store,
  cluster: Cluster.store,
  mysql: Mysql.store,
  file: File.store
}

const table = (name: string, { rounds, tallies, undecided, violations }: Campaign.Result): string => {
  const rows = [...tallies].map(([fault, tally]) => [
    name,
    fault,
    String(tally.injections),
    String(tally.calls),
    String(tally.acknowledged),
    [...tally.failed].map(([error, count]) => `${count} ${error}`).join(", "),
    String(tally.short),
    String(tally.unknown),
    String(tally.violations)
  ])
  const head = ["store", "fault", "injected", "calls", "acknowledged", "failed", "too few replicas", "unknown", "wrong"]
  return [
    `${name}: ${rounds} rounds, ${violations.length} violations, ${undecided} histories undecided`,
    ...[head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`)
  ].join("\n")
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      minutes: { type: "string", default: "10" },
      seed: { type: "string", default: String(1 + Math.floor(Math.random() * 2 ** 30)) },
      faults: { type: "string" },
      workers: { type: "string", default: "3" },
      fibers: { type: "string", default: "3" },
      length: { type: "string", default: "6" }
    }
  })
  const names = values.only?.split(",") ?? Object.keys(stores)
  const campaign = Effect.gen(function*() {
    let violations = 0
    for (const name of names) {
      const store = stores[name]
      if (store === undefined) return yield* Effect.fail(new Error(`there is no store ${name}`))
      console.log(`${name}, seed ${values.seed}`)
      const result = yield* Effect.scoped(Effect.flatMap(store, (store) =>
        Campaign.run(store, {
          seed: Number(values.seed),
          workers: Number(values.workers),
          fibers: Number(values.fibers),
          faults: Number(values.length),
          only: values.faults?.split(","),
          millis: Number(values.minutes) * 60_000 / names.length,
          patience: 60_000,
          log: (line) => console.log(`${name} ${line}`)
        })))
      for (const violation of result.violations) console.log(`\n${name}: ${violation}\n`)
      console.log(table(name, result))
      violations += result.violations.length
    }
    return violations
  })
  process.exitCode = (await Effect.runPromise(campaign)) === 0 ? 0 : 1
}
