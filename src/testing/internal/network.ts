import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { Driver, Transaction, Verdict } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"
import { Seeded } from "./random.ts"
import type { Store } from "./store.ts"
import type { Process, World } from "./world.ts"

/**
 * What becomes of a call to the store.
 *
 * - `fine`: it arrives, and so does the answer.
 * - `slow`: so it does, but late.
 * - `unreachable`: nothing is sent.
 * - `requestLost`, `answerLost`: the connection breaks before or after the store has worked on it.
 * - `silent`: the store has worked on it, and no answer ever comes.
 * - `late`, `veryLate`: the connection breaks at once; the request arrives seconds, or half an hour, later.
 * - `repeated`, `veryLateRepeated`: it is answered, and arrives once more seconds, or half an hour, later.
 * - `resent`: a client library sends it twice; the answer is that to the second sending.
 * - `oneFails`: one transaction of the batch fails alone, and is not applied.
 * - `notReplicated`: applied, but less safely than was asked for.
 */
export type Fate = typeof fates[number]

export const fates = [
  "fine",
  "slow",
  "unreachable",
  "requestLost",
  "answerLost",
  "answerLost",
  "silent",
  "late",
  "late",
  "veryLate",
  "repeated",
  "repeated",
  "veryLateRepeated",
  "resent",
  "oneFails",
  "notReplicated"
] as const

const readFates: ReadonlyArray<Fate> = ["slow", "unreachable", "requestLost", "answerLost", "silent"]

/** What the network draws and tells. */
export interface Weather {
  /** The fate of the `n`th call of a process. */
  readonly fate: (process: number, n: number, choices: ReadonlyArray<Fate>) => Fate
  /** What was first sent longer ago, and was held back since, cannot create a scope any more. */
  readonly retention: number
  readonly trace: ((lane: number, text: string) => void) | undefined
}

const half = 30 * 60_000

/** What lies between the writers and the store: it delays, loses, repeats and reorders. */
export class Network {
  /** Requests on their way to the store. */
  inFlight = 0
  private readonly world: World
  private readonly store: Store
  private readonly weather: Weather
  private readonly open = new Set<{ readonly process: Process; readonly fail: () => void }>()
  /** Until when a process cannot reach the store, and how often that has happened to it. */
  private readonly cuts = new Map<Process, { readonly until: number; readonly times: number }>()
  private readonly watchers = new Set<Watcher>()
  /** When a transaction was sent for the first time, by the revision that it writes. */
  private readonly firstSent = new Map<string, number>()
  private up = true
  /** Grows when all connections break. What was sent before does not arrive after. */
  private era = 0

  constructor(world: World, store: Store, weather: Weather) {
    this.world = world
    this.store = store
    this.weather = weather
  }

  get subscriptions(): number {
    return this.watchers.size
  }

  /** The store goes down and comes back after so many milliseconds, perhaps without its last commits. */
  restart(millis: number, lost: number): void {
    this.up = false
    this.era++
    for (const call of this.open) call.fail()
    this.world.after(millis, () => {
      this.up = true
      if (lost > 0) this.store.fallBack(lost)
      for (const watcher of this.watchers) {
        for (const name of watcher.names) this.hint(watcher, name)
      }
    })
  }

  /** A process is cut off from the store for so many milliseconds. */
  partition(process: Process, millis: number): void {
    this.cuts.set(process, { until: this.world.now + millis, times: (this.cuts.get(process)?.times ?? 0) + 1 })
    for (const call of this.open) {
      if (call.process === process) call.fail()
    }
    this.world.after(millis, () => {
      for (const watcher of this.watchers) {
        if (watcher.process !== process) continue
        for (const name of watcher.names) this.hint(watcher, name)
      }
    }, process)
  }

  private reachable(process: Process): boolean {
    return this.up && (this.cuts.get(process)?.until ?? 0) <= this.world.now
  }

  /** Grows when the connection of a process breaks. */
  private eraOf(process: Process): number {
    return this.era + (this.cuts.get(process)?.times ?? 0)
  }

  applied(names: ReadonlyArray<string>): void {
    if (!this.up) return
    for (const watcher of this.watchers) {
      for (const name of names) {
        if (watcher.names.has(name)) this.hint(watcher, name)
      }
    }
  }

  /** A connection of a process to the store. */
  driver(process: Process, parallelism: number): Driver {
    let calls = 0
    const next = (): Draw => ({ n: calls, random: new Seeded(this.world.seed, 4, process.id, calls++) })
    return {
      name: "simulation",
      limits: this.store.limits,
      parallelism,
      read: (names) =>
        this.call(process, "read", next, readFates, () => this.store.read(names), `read ${names.join(" ")}`),
      commit: (batch) => this.commit(process, batch, next),
      names: (prefix) =>
        Stream.unwrap(Effect.map(
          this.call(process, "names", next, readFates, () => this.store.names(prefix), `names ${prefix}`),
          Stream.fromIterable
        )),
      changes: (names) => this.changes(process, names, next)
    }
  }

  private commit(process: Process, batch: ReadonlyArray<Transaction>, next: () => Draw) {
    for (const transaction of batch) {
      const mark = markOf(transaction)
      if (mark !== undefined && !this.firstSent.has(mark)) this.firstSent.set(mark, this.world.now)
    }
    return this.call(
      process,
      "commit",
      next,
      fates,
      (fate, draw, age) => {
        const failing = fate === "oneFails" ? draw.below(batch.length) : -1
        return batch.map((transaction, i): Verdict | DriverError => {
          if (i === failing) return broken("commit", "Unknown", false)
          if (age > 0 && this.forgotten(transaction)) return broken("commit", "Unknown", true)
          const verdict = this.store.commit(transaction)
          this.weather.trace?.(
            process.id,
            `${verdict.committed ? "applied" : "refused"} ${transaction.map(({ name }) => name).join(" ")}${
              age > 0 ? ` (sent ${Math.round(age)} ms ago)` : ""
            }`
          )
          return fate === "notReplicated" && verdict.committed && transaction.some(({ next }) => next !== undefined)
            ? broken("commit", "NotReplicated", false)
            : verdict
        })
      },
      `commit ${batch.map((transaction) => transaction.map(({ name }) => name).join(" ")).join(" | ")}`
    )
  }

  /** Whether a request was held back for so long that nothing would tell any more that it has been applied before. */
  private forgotten(transaction: Transaction): boolean {
    const since = this.firstSent.get(markOf(transaction) ?? "")
    return since !== undefined && this.world.now - since >= this.weather.retention && transaction.some(creates)
  }

  private call<A>(
    process: Process,
    operation: "read" | "commit" | "names",
    next: () => Draw,
    choices: ReadonlyArray<Fate>,
    work: (fate: Fate, random: Seeded, age: number) => A,
    what: string
  ): Effect.Effect<A, DriverError> {
    return Effect.callback<A, DriverError>((resume) => {
      const { world } = this
      const { n, random: draw } = next()
      const fate = this.weather.fate(process.id, n, choices)
      const commits = operation === "commit"
      const era = this.eraOf(process)
      const sent = world.now
      let settled = false
      const end = () => {
        settled = true
        this.open.delete(call)
        timeout()
      }
      const settle = (effect: Effect.Effect<A, DriverError>, delay: number) => {
        if (settled) return
        end()
        world.after(delay, () => resume(effect), process)
      }
      const fail = (reason: DriverError["reason"], inDoubt: boolean, delay: number) => {
        if (!settled) this.weather.trace?.(process.id, `${reason}${inDoubt ? ", in doubt" : ""}: ${what}`)
        settle(Effect.fail(broken(operation, reason, inDoubt)), delay)
      }
      const call = { process, fail: () => fail("Unavailable", commits, travel(draw)) }
      const arrive = (delay: number, held: boolean, answered: (answer: A) => void) => {
        this.inFlight++
        world.after(delay, () => {
          this.inFlight--
          // What somebody on the way held back comes by another connection.
          if (!this.up || (!held && era !== this.eraOf(process))) return
          answered(work(fate, draw, held ? world.now - sent : 0))
        })
      }
      // A driver ends its calls in time, whatever the store does.
      const timeout = world.after(4_000, () => fail("Timeout", commits, 0), process)
      // On its way it can be lost, too, when the connection breaks.
      const answer = (answer: A) => {
        world.after(travel(draw), () => settle(Effect.succeed(answer), 0), process)
      }
      const nothing = () => {}

      this.open.add(call)
      if (!this.reachable(process)) {
        fail("Unavailable", false, travel(draw))
        return Effect.sync(end)
      }
      if (fate !== "fine") this.weather.trace?.(process.id, `${fate}: ${what}`)
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
  }

  private changes(process: Process, names: ReadonlyArray<string>, next: () => Draw) {
    return Stream.callback<string, DriverError>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const { random: draw } = next()
          const watcher: Watcher = {
            process,
            names: new Set(names),
            draw,
            take: (name) => Queue.offerUnsafe(queue, name)
          }
          const cancel = this.world.after(travel(draw), () => {
            if (!this.reachable(process)) {
              Queue.failCauseUnsafe(queue, Cause.fail(broken("changes", "Unavailable", false)))
              return
            }
            this.watchers.add(watcher)
            for (const name of names) this.hint(watcher, name)
          }, process)
          return () => {
            cancel()
            this.watchers.delete(watcher)
          }
        }),
        (unsubscribe) => Effect.sync(unsubscribe)
      )
    )
  }

  private hint(watcher: Watcher, name: string): void {
    this.world.after(travel(watcher.draw), () => {
      if (this.watchers.has(watcher) && this.reachable(watcher.process)) watcher.take(name)
    }, watcher.process)
  }

  /** A process is gone, and with it its subscriptions. */
  forget(process: Process): void {
    for (const watcher of this.watchers) {
      if (watcher.process === process) this.watchers.delete(watcher)
    }
  }
}

/** The number of a call, and what is drawn for it: the same, whatever became of others. */
interface Draw {
  readonly n: number
  readonly random: Seeded
}

interface Watcher {
  readonly process: Process
  readonly names: ReadonlySet<string>
  readonly draw: Seeded
  readonly take: (name: string) => unknown
}

const markOf = (transaction: Transaction): string | undefined =>
  transaction.find(({ next }) => next !== undefined)?.next?.revision

const creates = ({ expected, next }: Transaction[number]): boolean => expected === null && next !== undefined

/** How long a message is on its way, in milliseconds: mostly about one, at times many. */
const travel = (random: Seeded): number => {
  const draw = random.next()
  return draw < 0.9 ? 0.1 + 2 * random.next() : 2 + 40 * random.next()
}

const descriptions: { readonly [reason in DriverError["reason"]]?: string } = {
  Timeout: "it did not answer in time",
  NotReplicated: "it is on one replica only",
  Unknown: "something went wrong"
}

const broken = (
  operation: "read" | "commit" | "names" | "changes",
  reason: DriverError["reason"],
  inDoubt: boolean
): DriverError =>
  new DriverError({
    driver: "simulation",
    operation,
    reason,
    description: descriptions[reason] ?? "the connection broke",
    inDoubt
  })
