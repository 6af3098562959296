import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { Driver, Record, Transaction, Verdict } from "../../Driver.ts"
import type { DriverError } from "../../ScopedError.ts"
import { broken } from "./broken.ts"
import { type Fate, fates, readFates, travel } from "./fates.ts"
import type { Network } from "./network.ts"
import type { Process } from "./process.ts"
import { Seeded } from "./random.ts"

const half = 30 * 60_000

/** When a driver ends a call by itself, in milliseconds. */
const timeout = 4_000

/** A connection of a process to the store: it delays, loses, repeats and reorders. */
export const connect = (network: Network, process: Process, parallelism: number): Driver => {
  const { store, weather, world } = network
  let calls = 0
  const next = (): Draw => ({ n: calls, random: new Seeded(world.seed, 4, process.id, calls++) })

  const call = <A>(
    operation: "read" | "commit" | "names",
    choices: ReadonlyArray<Fate>,
    work: (fate: Fate, random: Seeded, age: number, done: (answer: A) => void) => void,
    what: () => string
  ): Effect.Effect<A, DriverError> =>
    Effect.callback<A, DriverError>((resume) => {
      const { n, random: draw } = next()
      const fate = weather.fate(process.id, n, choices)
      const commits = operation === "commit"
      const era = network.eraOf(process)
      const { terms } = network
      const sent = world.now
      let settled = false
      const end = () => {
        settled = true
        network.open.delete(open)
        stopTimeout()
      }
      const settle = (effect: Effect.Effect<A, DriverError>, delay: number) => {
        if (settled) return
        end()
        world.after(delay, () => resume(effect), process)
      }
      const fail = (reason: DriverError["reason"], inDoubt: boolean, delay: number) => {
        if (!settled) weather.trace?.(process.id, `${reason}${inDoubt ? ", in doubt" : ""}: ${what()}`)
        settle(Effect.fail(broken(operation, reason, inDoubt)), delay)
      }
      const open = { process, fail: () => fail("Unavailable", commits, travel(draw)) }
      const arrive = (delay: number, held: boolean, answered: (answer: A) => void) => {
        network.inFlight++
        world.after(delay, () => {
          network.inFlight--
          // What somebody on the way held back comes by another connection. But what is applied, forgotten by the store,
          // and applied again would be no fault of anybody else's.
          if (!network.running || (held ? terms !== network.terms : era !== network.eraOf(process))) return
          work(fate, draw, held ? world.now - sent : 0, answered)
        })
      }
      // A driver ends its calls in time, whatever the store does.
      const stopTimeout = world.after(timeout, () => fail("Timeout", commits, 0), process)
      // On its way it can be lost, too, when the connection breaks.
      const answer = (answer: A) => {
        world.after(travel(draw), () => {
          if (network.hears(process)) settle(Effect.succeed(answer), 0)
        }, process)
      }
      const nothing = () => {}

      network.open.add(open)
      if (!network.reachable(process)) {
        fail("Unavailable", false, travel(draw))
        return Effect.sync(end)
      }
      if (fate !== "fine") weather.trace?.(process.id, `${fate}: ${what()}`)
      switch (fate) {
        case "slow":
          arrive(200 + draw.next() * 2_000, false, answer)
          break
        case "unreachable":
          fail("Unavailable", false, travel(draw))
          break
        case "requestLost":
          fail("Unavailable", commits, travel(draw))
          break
        case "answerLost":
          arrive(travel(draw), false, () => fail("Unavailable", commits, travel(draw)))
          break
        case "silent":
          arrive(travel(draw), false, nothing)
          break
        case "late":
        case "veryLate":
          arrive(fate === "late" ? 1_000 + draw.next() * 20_000 : half, true, nothing)
          fail("Unavailable", commits, travel(draw))
          break
        case "repeated":
        case "veryLateRepeated":
          arrive(travel(draw), false, answer)
          arrive(fate === "repeated" ? 1_000 + draw.next() * 20_000 : half, true, nothing)
          break
        case "resent": {
          const delay = travel(draw)
          arrive(delay, false, nothing)
          arrive(delay + travel(draw), false, answer)
          break
        }
        default:
          arrive(travel(draw), false, answer)
      }
      return Effect.sync(end)
    })

  /** Whether a request was held back for so long that nothing would tell any more that it has been applied before. */
  const forgotten = (transaction: Transaction): boolean => {
    const since = network.firstSent.get(markOf(transaction) ?? "")
    return since !== undefined && world.now - since >= weather.retention && transaction.some(creates)
  }

  const commit: Driver["commit"] = (batch) => {
    for (const transaction of batch) {
      const mark = markOf(transaction)
      if (mark !== undefined && !network.firstSent.has(mark)) network.firstSent.set(mark, world.now)
    }
    return call<ReadonlyArray<Verdict | DriverError>>(
      "commit",
      fates,
      (fate, draw, age, done) => {
        const failing = fate === "oneFails" ? draw.below(batch.length) : -1
        const answers: Array<Verdict | DriverError> = []
        let missing = batch.length
        const answer = (i: number, answer: Verdict | DriverError) => {
          answers[i] = answer
          if (--missing === 0) done(answers)
        }
        batch.forEach((transaction, i) => {
          if (i === failing) return answer(i, broken("commit", "Unknown", false))
          if (age > 0 && forgotten(transaction)) return answer(i, broken("commit", "Unknown", true))
          store.commit(transaction, (verdict) => {
            const { committed } = verdict
            weather.trace?.(
              process.id,
              `${committed ? "applied" : "refused"} ${transaction.map(({ name }) => name).join(" ")}${
                age > 0 ? ` (sent ${Math.round(age)} ms ago)` : ""
              }`
            )
            const short = fate === "notReplicated" && committed && transaction.some(({ next }) => next !== undefined)
            answer(i, short ? broken("commit", "NotReplicated", false) : verdict)
          })
        })
      },
      () => `commit ${batch.map((transaction) => transaction.map(({ name }) => name).join(" ")).join(" | ")}`
    )
  }

  return {
    name: "simulation",
    limits: store.limits,
    parallelism,
    read: (names) =>
      call<ReadonlyArray<Record | null>>(
        "read",
        readFates,
        (_, __, ___, done) => done(store.read(names)),
        () => `read ${names.join(" ")}`
      ),
    commit,
    names: (prefix) =>
      Stream.unwrap(Effect.map(
        call<ReadonlyArray<string>>("names", readFates, (_, __, ___, done) =>
          done(store.names(prefix)), () =>
          `names ${prefix}`),
        Stream.fromIterable
      )),
    changes: (names) => network.subscriptions.stream(process, names, () => next().random)
  }
}

/** The number of a call, and what is drawn for it: the same, whatever became of others. */
interface Draw {
  readonly n: number
  readonly random: Seeded
}

const markOf = (transaction: Transaction): string | undefined =>
  transaction.find(({ next }) => next !== undefined)?.next?.revision

const creates = ({ expected, next }: Transaction[number]): boolean => expected === null && next !== undefined
