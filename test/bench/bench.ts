/**
 * The benchmark: what an update costs, beside what a program would do without us, on the same machine and at the same
 * time. Everybody takes turns in short rounds, and what is told is the median of the rounds, or of their ratios.
 *
 * ```sh
 * npm run bench                            # all of it; writes the plots, and the table in the README
 * npm run bench -- --quick                 # in about a minute, and writes nothing
 * npm run bench -- updates redis           # a part of it, on some of the stores; writes nothing
 * ```
 *
 * Parts: `updates` (throughput), `crowd` (several processes on one scope), `cost` (against the number of scopes and the
 * size of a state), `bytes` (memory), `start` (opening a large file store), `products` (several scopes at once),
 * `changes` (how soon others hear) and `purity` (what looking after handlers costs).
 *
 * A figure stands beside its target where it has one. `harness.ts` measures, `contenders/` has us and the peers of each
 * store, `places.ts` starts the servers, `parts/` says what is done, and `report.ts` and `chart.ts` show it.
 */
import { Effect } from "effect"
import * as Os from "node:os"
import { contenders, type Store } from "./contenders/contenders.ts"
import type { Effort } from "./harness.ts"
import { bytes } from "./parts/bytes.ts"
import { changes } from "./parts/changes.ts"
import { costs } from "./parts/cost.ts"
import { crowds } from "./parts/crowd.ts"
import type { Part } from "./parts/part.ts"
import { products } from "./parts/products.ts"
import { purity } from "./parts/purity.ts"
import { start } from "./parts/start.ts"
import { updates } from "./parts/updates.ts"
import { type Findings, table, write } from "./report.ts"

const parts: { readonly [name: string]: Part } = {
  updates,
  crowd: crowds,
  cost: costs,
  bytes,
  start,
  products,
  changes,
  purity
}

const notes =
  "Ratios are the median of rounds in which both took turns. The compare-and-set loop is a `GET` and a Lua " +
  "script on an auto-pipelined connection; redlock (one server) and the lock file are their documented algorithms by " +
  "hand, which try again after 1 to 5 ms. In a crowd Redis has every write on disk before it answers " +
  "(`appendfsync always`). `@metaparticle/storage` is not on npm; its file storage, from its repository, runs on " +
  "Node.js 24, but kept 2 of 16 updates that were made at once, so it is not in the table."

const words = process.argv.slice(2)
const quick = words.includes("--quick")
const named = <A extends string>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const chosen = all.filter((name) => words.includes(name))
  return chosen.length === 0 ? all : chosen
}
const unknown = words.filter((word) => word !== "--quick" && !(word in parts) && !(word in contenders))
if (unknown.length > 0) throw new Error(`There is no ${unknown.join(", ")} in ${Object.keys(parts).join(", ")}`)

const effort: Effort = quick ? { rounds: 2, millis: 80, quick } : { rounds: 5, millis: 300, quick }

const program = Effect.gen(function*() {
  const found: Array<Findings> = []
  for (const name of named(Object.keys(parts))) {
    const started = performance.now()
    found.push(yield* Effect.scoped(parts[name]!(effort, named(Object.keys(contenders) as Array<Store>))))
    console.log(`${name}: ${((performance.now() - started) / 1_000).toFixed(0)} s\n`)
  }
  const all: Findings = {
    rows: found.flatMap(({ rows }) => rows),
    charts: found.flatMap(({ charts = [] }) => charts)
  }
  console.log(table(all.rows))
  const [cpu] = Os.cpus()
  const about = `Measured on ${Os.cpus().length} × ${cpu?.model.trim()}, which the servers share, with Node.js ` +
    `${process.versions.node}. ${notes}`
  if (words.length === 0) yield* write(all, about)
})

await Effect.runPromise(Effect.scoped(program))
