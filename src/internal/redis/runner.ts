/**
 * Runs scripts where their keys are: finds the server, follows the keys when they move, and comes again when a server
 * says that it cannot yet. Ends in time.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type * as Fault from "./fault.ts"
import type { Connection, GiveUp, Line, Node, Reply } from "./node.ts"
import type { Router } from "./router.ts"
import type { Script } from "./script.ts"

/** A script to run on keys of one slot. */
export interface Job {
  readonly slot: number
  readonly script: Script
  readonly keys: ReadonlyArray<string>
  readonly args: ReadonlyArray<string>
  /** Whether it concerns more than what has to be together. */
  readonly divisible: boolean
}

/** What became of a job, and of the commands that followed it on its connection. */
export interface Outcome {
  readonly address: string
  readonly connection: Connection | undefined
  readonly reply: Reply
  readonly followers: ReadonlyArray<Reply>
}

export interface Followers {
  readonly lines: ReadonlyArray<Line>
  readonly millis: number
}

/** Who may send followers on a connection, and what those get who come before they are sent. */
interface Turn {
  readonly semaphore: Semaphore.Semaphore
  next: Deferred.Deferred<ReadonlyArray<Reply>> | undefined
}

export interface Options {
  readonly millis: number
  /** Whether it does no harm to run a job again that may have been run. */
  readonly repeatable: boolean
  /** Sent on each connection once the jobs are answered, and how many milliseconds that may take. */
  readonly followers?: Followers | undefined
  /** What must be true of a server before jobs are sent to it. */
  readonly admit?: ((node: Node, millis: number) => Effect.Effect<Fault.Fault | undefined>) | undefined
}

/** Nothing comes before and nothing after. */
export type Plain = Pick<Options, "millis" | "repeatable">

export interface Runner {
  /** The outcomes of jobs, in their order. Never fails. */
  readonly run: (jobs: ReadonlyArray<Job>, options: Options) => Effect.Effect<ReadonlyArray<Outcome>>
  /** Sends a job to its server and tells what came of it; `undefined` where there is no server that can be used now. */
  readonly start: (job: Job, options: Plain, tell: (outcome: Outcome) => void) => GiveUp | undefined
  /** Goes on with what was started, as long as it takes. */
  readonly finish: (
    job: Job,
    options: Plain,
    outcome: Outcome,
    deadline: number
  ) => Effect.Effect<ReadonlyArray<Outcome>>
}

/** How long to wait before trying again what a server could not do yet. */
const pause = 25

/** Which part of its time a call keeps for the answer: what is sent too late is in doubt without need. */
const reserve = 1 / 4

export const make = (router: Router, now: () => number): Runner => {
  const line = ({ args, keys, script }: Job, how: "evalsha" | "eval"): Line => [
    how,
    how === "evalsha" ? script.sha : script.text,
    String(keys.length),
    ...keys,
    ...args
  ]

  const outcome = (node: Node, reply: Reply): Outcome => ({
    address: node.address,
    connection: node.connection(),
    reply,
    followers: none
  })

  const send = Effect.fnUntraced(function*(
    node: Node,
    jobs: ReadonlyArray<Job>,
    how: "evalsha" | "eval",
    asking: boolean,
    deadline: number,
    connection: Connection | undefined
  ) {
    const lines: Array<Line> = []
    for (const job of jobs) {
      if (asking) lines.push(["asking"])
      lines.push(line(job, how))
    }
    const replies = yield* node.exec(lines, Math.max(deadline - now(), 1), connection)
    return jobs.map((_, i): Outcome => ({
      address: node.address,
      connection,
      reply: replies[asking ? 2 * i + 1 : i]!,
      followers: []
    }))
  })

  const turns = new WeakMap<Connection, Turn>()

  /**
   * Sends the followers, once for all whose jobs are answered by then: they are about everything that was done on the
   * connection, on which nothing else is done meanwhile.
   */
  const follow = (node: Node, { lines, millis }: Followers, connection: Connection) =>
    Effect.suspend(() => {
      let turn = turns.get(connection)
      if (turn === undefined) turns.set(connection, turn = { semaphore: Semaphore.makeUnsafe(1), next: undefined })
      if (turn.next !== undefined) return Deferred.await(turn.next)
      const { semaphore } = turn
      const next = turn.next = Deferred.makeUnsafe<ReadonlyArray<Reply>>()
      const begin = () => {
        if (turn.next === next) turn.next = undefined
      }
      return Effect.yieldNow.pipe(
        Effect.andThen(semaphore.withPermit(Effect.suspend(() => {
          begin()
          return node.exec(lines, millis, connection)
        }))),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            begin()
            Deferred.doneUnsafe(next, exit)
          })
        )
      )
    })

  /** Sends jobs to a server, at once, and again with the texts of their scripts where it has not got them. */
  const deliver = Effect.fnUntraced(function*(
    node: Node,
    jobs: ReadonlyArray<Job>,
    asking: boolean,
    deadline: number,
    options: Options
  ) {
    const connection = node.connection()
    const refused = options.admit && (yield* options.admit(node, Math.max(deadline - now(), 1)))
    if (refused !== undefined) return jobs.map(() => outcome(node, refused))
    const sent = yield* send(node, jobs, "evalsha", asking, deadline, connection)
    const unknown = jobs.filter((_, i) => remedyOf(sent[i]!.reply) === "Load")
    const loaded = unknown.length === 0 ? [] : yield* send(node, unknown, "eval", asking, deadline, connection)
    const outcomes = unknown.length === 0 ? sent : jobs.map((job, i) => loaded[unknown.indexOf(job)] ?? sent[i]!)
    const { followers } = options
    if (followers === undefined || outcomes.every(({ reply }) => reply._tag === "Fault")) return outcomes
    const replies = yield* connection === undefined
      ? node.exec(followers.lines, followers.millis)
      : follow(node, followers, connection)
    return outcomes.map((outcome) => ({ ...outcome, followers: replies }))
  })

  /** Tries until there is an answer, or something that no other try would mend. */
  const persist = Effect.fnUntraced(
    function*(job: Job, first: Outcome | undefined, deadline: number, options: Options) {
      const sendBy = deadline - options.millis * reserve
      let outcome = first
      for (let tries = 0;; tries++) {
        const left = sendBy - now()
        if (outcome !== undefined) {
          if (!mends(outcome.reply, job, options) || left <= 0) return outcome
          const remedy = remedyOf(outcome.reply)
          if (remedy === "Failover") router.peek(job.slot)?.drop(outcome.connection)
          if (remedy === "Moved" || remedy === "Failover" || remedy === undefined) {
            yield* Effect.timeoutOption(router.refresh, left)
          }
          if (remedy !== "Ask" && (remedy !== "Moved" || tries > 1)) yield* Effect.sleep(Math.min(pause, left))
        }
        const asked = outcome?.reply._tag === "Fault" && outcome.reply.remedy?._tag === "Ask"
          ? outcome.reply.remedy.address
          : undefined
        const millis = Math.max(sendBy - now(), 0)
        const node = yield* Effect.result(
          asked === undefined ? router.find(job.slot, millis) : router.at(asked, millis)
        )
        if (Result.isFailure(node)) {
          return outcome ?? { address: "", connection: undefined, reply: node.failure, followers: [] }
        }
        outcome = (yield* deliver(node.success, [job], asked !== undefined, deadline, options))[0]!
      }
    }
  )

  const mends = (reply: Reply, job: Job, options: Options): boolean => {
    if (reply._tag === "Value") return false
    switch (reply.remedy?._tag) {
      case undefined:
        return options.repeatable && reply.inDoubt && reply.reason === "Unavailable"
      case "Alone":
        return router.clustered && !job.divisible
      case "Moved":
      case "Ask":
        return router.clustered
      case "Load":
      case "Later":
      case "Failover":
        return true
    }
  }

  /** All that is for one server. `node` is `undefined` where it is not known yet which one that is. */
  const settle = Effect.fnUntraced(function*(
    node: Node | undefined,
    places: ReadonlyArray<number>,
    jobs: ReadonlyArray<Job>,
    outcomes: Array<Outcome | undefined>,
    deadline: number,
    options: Options
  ) {
    if (node !== undefined) {
      const arrived = yield* deliver(node, places.map((place) => jobs[place]!), false, deadline, options)
      arrived.forEach((outcome, i) => outcomes[places[i]!] = outcome)
    }
    const open = places.filter((place) => {
      const outcome = outcomes[place]
      return outcome === undefined || mends(outcome.reply, jobs[place]!, options)
    })
    if (open.length === 0) return
    yield* Effect.forEach(
      open,
      (place) =>
        Effect.map(persist(jobs[place]!, outcomes[place], deadline, options), (outcome) => {
          outcomes[place] = outcome
        }),
      { concurrency: "unbounded", discard: true }
    )
  })

  const runAll = Effect.fnUntraced(function*(jobs: ReadonlyArray<Job>, options: Options) {
    const deadline = now() + options.millis
    const outcomes: Array<Outcome | undefined> = jobs.map(() => undefined)
    const groups = new Map<Node | undefined, Array<number>>()
    jobs.forEach(({ slot }, place) => {
      const node = router.peek(slot)
      const places = groups.get(node)
      if (places === undefined) groups.set(node, [place])
      else places.push(place)
    })
    const settling = [...groups].map(([node, places]) => settle(node, places, jobs, outcomes, deadline, options))
    // No server is waited for on account of another.
    if (settling.length === 1) yield* settling[0]!
    else yield* Effect.all(settling, { concurrency: "unbounded", discard: true })
    return outcomes.map((outcome) => outcome!)
  })

  const start: Runner["start"] = (job, { millis }, tell) => {
    const node = router.peek(job.slot)
    if (node === undefined) return undefined
    const connection = node.connection()
    return node.call(line(job, "evalsha"), millis, connection, (reply) => {
      tell({ address: node.address, connection, reply, followers: none })
    })
  }

  const finish: Runner["finish"] = (job, options, outcome, deadline) => {
    const left = deadline - now()
    const late = remedyOf(outcome.reply) !== "Load" && left <= options.millis * reserve
    return !late && mends(outcome.reply, job, options)
      ? runAll([job], { ...options, millis: Math.max(left, 1) })
      : Effect.succeed([outcome])
  }

  return {
    start,
    finish,
    run: (jobs, options) => {
      const [job] = jobs
      if (jobs.length !== 1 || options.admit !== undefined || options.followers !== undefined) {
        return runAll(jobs, options)
      }
      // Most of the time there is nothing to sort, and nothing to be mended.
      return Effect.callback((resume) => {
        const deadline = now() + options.millis
        const giveUp = start(job!, options, (outcome) => resume(finish(job!, options, outcome, deadline)))
        if (giveUp === undefined) return resume(runAll(jobs, options))
        return Effect.sync(giveUp)
      })
    }
  }
}

const none: ReadonlyArray<Reply> = []

const remedyOf = (reply: Reply): Fault.Remedy["_tag"] | undefined =>
  reply._tag === "Fault" ? reply.remedy?._tag : undefined
