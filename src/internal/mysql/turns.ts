/**
 * Turns at a record that several processes want at once.
 *
 * With nothing but compare-and-set each commit is for all others an attempt in vain, and whoever is slow never gets
 * through. So who is refused again and again asks for a turn: for a lock of its session that locks nothing, and that
 * others wait for who ask, too, in the order in which they came. A turn lasts for some milliseconds, in which its holder
 * commits as often as it has work; the first to come after it gets the record along with the turn.
 *
 * Turns are advice: what a commit is worth, the comparison decides. Who gets no turn while nobody commits goes on
 * without, and asks for none for a while; a session that ends has no turn any more.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import type * as Mysql from "mysql2"
import type { Verdict, Write } from "../../Driver.ts"
import type { Deadlines } from "../deadlines.ts"
import { machine } from "../machine.ts"
import { steady } from "../steady.ts"
import { type Connections, raw } from "./connections.ts"
import * as Fault from "./fault.ts"
import * as Look from "./look.ts"
import { refused, type Row } from "./part.ts"
import * as Retry from "./retry.ts"
import * as Sql from "./sql.ts"

/**
 * A turn lasts for so many milliseconds and commits, so that it is worth its price also where commits or processes are
 * slow; but for no more milliseconds than `most`, and not while there is no work.
 */
const slice = { millis: 4, commits: 8, most: 25 }

/** After how many milliseconds without work a turn ends. */
const idle = 2

/**
 * For how many milliseconds one waits for a turn in one go. Where nobody has committed meanwhile, who has the turn does
 * not take it, and for a while one asks for none. Where somebody has, the line is long.
 */
const patience = { least: 250, most: 1_000 }
const unaskedFor = 1_000

/** After how many milliseconds alone no turn is asked for any more. */
const rememberedFor = 1_000

/** How many names are remembered as crowded. */
const most = 1_000

/** A record that several processes want, as far as it is known here. */
interface Crowd {
  turn: Turn | undefined
  /** Whether a turn is being asked for. */
  asking: boolean
  unaskedUntil: number
  patience: number
  /** When somebody else was last seen to commit. */
  metAt: number
}

interface Turn {
  readonly connection: Mysql.PoolConnection
  readonly since: number
  busy: boolean
  commits: number
  /** When the last commit had to end, and with it whatever follows. */
  deadline: number
}

export type Lender = Pick<Connections, "lend" | "giveBack">

export const make = ({ connections, deadlines, fork, table }: {
  readonly connections: Connections
  readonly deadlines: Deadlines
  readonly fork: (effect: Effect.Effect<void>) => Fiber.Fiber<void>
  readonly table: string
}) => {
  // The clock of a test may stand still, and a turn must end.
  const now = steady(machine)
  const crowds = new Map<string, Crowd>()
  // A server may have no such locks, or not here.
  let usable = connections.owned
  /** How many connections wait for a turn or have one: others need some, too. */
  let taken = 0
  const mostTaken = Math.floor(connections.most / 2)

  const giveBack = (connection: Mysql.PoolConnection, good: boolean, deadline: number): void => {
    taken--
    connections.giveBack(connection, good, deadline)
  }

  const end = (crowd: Crowd, turn: Turn, good: boolean): void => {
    if (crowd.turn !== turn) return
    crowd.turn = undefined
    let over = false
    const done = (good: boolean): void => {
      if (over) return
      over = true
      deadlines.end(entry)
      giveBack(turn.connection, good, turn.deadline)
    }
    // A server that is gone without a word must not keep the connection.
    const entry = deadlines.begin(turn.deadline, () => done(false))
    if (good) turn.connection.query(release, (error) => done(error === null))
    else done(false)
  }

  const begin = (crowd: Crowd, connection: Mysql.PoolConnection, deadline: number): void => {
    const turn: Turn = { connection, since: now(), busy: false, commits: 0, deadline }
    crowd.turn = turn
    const watch = Effect.gen(function*() {
      for (let seen = -1; crowd.turn === turn; seen = turn.commits) {
        if (!turn.busy && turn.commits === seen) return end(crowd, turn, true)
        yield* Effect.sleep(idle)
      }
    })
    fork(Effect.provideService(watch, Clock.Clock, machine))
  }

  /** Lends the connection that has the turn, where there is a turn by then and nobody uses it. */
  const lender = (crowd: Crowd): Lender => {
    let turn: Turn | undefined
    return {
      lend: (use) => {
        if (crowd.turn === undefined || crowd.turn.busy) return connections.lend(use)
        turn = crowd.turn
        turn.busy = true
        use(turn.connection)
      },
      giveBack: (connection, good, deadline) => {
        if (turn === undefined) return connections.giveBack(connection, good, deadline)
        turn.busy = false
        turn.commits++
        turn.deadline = deadline
        const millis = now() - turn.since
        const over = millis >= slice.millis && turn.commits >= slice.commits || millis >= slice.most
        if (!good || over) end(crowd, turn, good)
      }
    }
  }

  /** Asks for a turn, and for the record as it is then. */
  const ask = (crowd: Crowd, write: Write, deadline: number): Effect.Effect<Verdict | Fault.Fault | undefined> =>
    Effect.callback((resume) => {
      const { name } = write
      let connection: Mysql.PoolConnection | undefined
      let over = false
      crowd.asking = true

      const finish = (answer: Verdict | Fault.Fault | undefined, keep: "turn" | "connection" | "nothing"): void => {
        if (over) return
        over = true
        crowd.asking = false
        deadlines.end(entry)
        if (connection !== undefined) {
          if (keep === "turn") begin(crowd, connection, deadline)
          else giveBack(connection, keep === "connection", deadline)
        }
        resume(Effect.succeed(answer))
      }
      const entry = deadlines.begin(deadline, () => finish(Retry.timeout, "nothing"))

      const decide = (got: boolean, rows: ReadonlyArray<Row>) => {
        const verdict = refused([write], Look.recordsOf([name], { rows, changed: 0 }))
        const moved = typeof verdict !== "string"
        if (got) {
          crowd.patience = patience.least
          if (moved) crowd.metAt = now()
          else if (now() - crowd.metAt > rememberedFor) crowds.delete(name)
        } else if (moved) crowd.patience = Math.min(2 * crowd.patience, patience.most)
        else {
          crowd.patience = patience.least
          crowd.unaskedUntil = now() + unaskedFor
        }
        finish(moved ? verdict : undefined, got ? "turn" : "connection")
      }

      connections.lend((lent) => {
        if (over) return lent?.release()
        if (lent === undefined) return finish(undefined, "nothing")
        connection = lent
        taken++
        const look = Look.records(table, [name])
        lent.query(
          { ...raw, sql: `${lock(`${table}.${name}`, crowd.patience)};${look}`, values: null as unknown as [] },
          (error: Mysql.QueryError | null, answers: unknown) => {
            if (over) return
            if (error === null) {
              const [[got], rows] = answers as [[Row], ReadonlyArray<Row>]
              return decide(got[0]?.toString() === "1", rows)
            }
            const { remedy } = Fault.fromMysql("query", error)
            // Where a cluster prohibits such locks, it says so by a number that has many meanings.
            if (remedy === "alone" || error.errno === 1105) usable = false
            if (remedy !== "wait") return finish(undefined, "nothing")
            // It may have got the lock all the same, just before it was ended.
            lent.query({ ...raw, sql: `${release};${look}`, values: null as unknown as [] }, (error, answers) => {
              if (over) return
              if (error === null) decide(false, (answers as unknown as [unknown, ReadonlyArray<Row>])[1])
              else finish(undefined, "nothing")
            })
          }
        )
      })
      return Effect.sync(() => finish(undefined, "nothing"))
    })

  const crowdOf = (name: string): Crowd => {
    let crowd = crowds.get(name)
    if (crowd === undefined) {
      crowd = { turn: undefined, asking: false, unaskedUntil: 0, patience: patience.least, metAt: now() }
      crowds.set(name, crowd)
      if (crowds.size > most) crowds.delete(crowds.keys().next().value!)
    }
    return crowd
  }

  return {
    /** Whether it is better to have a turn first. */
    wanted: ({ claim, name }: Write): boolean => usable && (claim !== undefined || crowds.has(name)),
    /** With a turn, or without where there is none to be had; or tells at once that it would be in vain. */
    take: (
      write: Write,
      deadline: number,
      commit: (lender: Lender) => Effect.Effect<Verdict | Fault.Fault | undefined>
    ) =>
      Effect.suspend(() => {
        const crowd = crowdOf(write.name)
        const go = () => commit(lender(crowd))
        if (crowd.turn !== undefined || crowd.asking || taken >= mostTaken || now() < crowd.unaskedUntil) return go()
        return Effect.flatMap(ask(crowd, write, deadline), (answer) =>
          answer === undefined ? go() : Effect.succeed(answer))
      })
  }
}

const release = "DO RELEASE_ALL_LOCKS()"

// MySQL 9.6 has no older hashes, and takes names of 64 characters. MariaDB waits for parts of a second, and MySQL for whole ones only, unless its statement is ended before.
const lock = (name: string, millis: number): string =>
  `SELECT /*+ MAX_EXECUTION_TIME(${millis}) */ ` +
  `GET_LOCK(SHA2(CONCAT(IFNULL(DATABASE(),''),${Sql.text(name)}),224),IF(VERSION() LIKE '%MariaDB%',${
    millis / 1000
  },1)) AS got`
