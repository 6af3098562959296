/**
 * A pool's connections, each lent to one operation at a time and given back clean, or not at all.
 *
 * What has rested may be dead without a sign of it, or lead to a server that was the primary once. So now and then a
 * connection is asked a question before it is used; one that does not answer, or whose server became read-only, takes
 * all with it that were made before, and new ones lead to where the server is now.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Mysql from "mysql2"
import * as Fault from "./fault.ts"
import type { Answer, Row } from "./part.ts"
import type { Packet } from "./plan.ts"
import * as Sql from "./sql.ts"

export interface Connections {
  /** Runs statements as they are, the one after the other. */
  readonly run: (deadline: number, statements: ReadonlyArray<string>) => Effect.Effect<
    ReadonlyArray<Answer>,
    Fault.Fault
  >
  /** Runs a query that sees what is committed when it begins, and nothing else. */
  readonly read: (deadline: number, query: string) => Effect.Effect<ReadonlyArray<Row>, Fault.Fault>
  /** Runs statements as one transaction. */
  readonly transact: (deadline: number, statements: ReadonlyArray<string>) => Effect.Effect<
    ReadonlyArray<Answer>,
    Fault.Fault
  >
  /** Whether nobody else uses them, so that a statement is a transaction by itself. */
  readonly owned: boolean
  /** How many there may be. */
  readonly most: number
  /** Lends one for a moment; none where there is none that may be used unasked. */
  readonly lend: (use: (connection: Mysql.PoolConnection | undefined) => void) => void
  /** Takes back what was lent: to be lent again, where it is as good as before. */
  readonly giveBack: (connection: Mysql.PoolConnection, good: boolean, deadline: number) => void
  /** Binds data, and then runs statements as one transaction. `sent` is called when these are on their way. */
  readonly commit: (deadline: number, packet: Packet, sent: () => void) => Effect.Effect<
    ReadonlyArray<Answer>,
    Fault.Fault
  >
  /** Ends the pool, where it is ours. */
  readonly close: Effect.Effect<void>
}

/** How long an operation waits for a lock before the server gives up, in milliseconds: no server counts finer. */
export const lockWait = 1_000

/**
 * An operation that finds a row locked must come back in time to try again. And a row that a query leaves out would count
 * as a record that there is not.
 */
const limits = "innodb_lock_wait_timeout=1,lock_wait_timeout=1,sql_select_limit=18446744073709551615"

/** What our own connections are set to; besides the limits it is what most servers have anyway. */
const session = [
  `SET SESSION autocommit=1,sql_mode='STRICT_TRANS_TABLES',sql_safe_updates=0,sql_big_selects=1,${limits}`,
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE"
]

const begin = "START TRANSACTION READ WRITE"
const commit = "COMMIT AND NO CHAIN NO RELEASE"
const rollback = "ROLLBACK AND NO CHAIN NO RELEASE"

// On a connection that others use too, nothing is set for longer than a transaction takes. A transaction that was left
// open on it was given up.
const borrow = [
  rollback,
  "SET @effect_scoped_row=@@SESSION.innodb_lock_wait_timeout,@effect_scoped_table=@@SESSION.lock_wait_timeout," +
  "@effect_scoped_select=@@SESSION.sql_select_limit",
  `SET SESSION ${limits}`,
  "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"
]
const restore = "SET SESSION innodb_lock_wait_timeout=@effect_scoped_row,lock_wait_timeout=@effect_scoped_table," +
  "sql_select_limit=@effect_scoped_select"

const isReadOnly = "SELECT @@GLOBAL.read_only AS is_read_only"

/** What is known of a connection. */
interface Known {
  readonly generation: number
  readonly readOnly: boolean
  checkedAt: number
}

/** After so many milliseconds a connection is asked again. */
const trustedFor = 1_000

export const make = (options: {
  readonly clock: Clock.Clock
  readonly pool: Mysql.Pool
  readonly owned: boolean
  /** How long a call may take. */
  readonly timeout: number
}): Connections => {
  const { clock, owned, pool } = options
  const known = new WeakMap<Mysql.PoolConnection, Known>()
  const open = new Set<Mysql.PoolConnection>()
  let generation = 0
  const now = () => clock.currentTimeMillisUnsafe()

  /** This one turned out to be of no use, and so may all that were made before it was found out. */
  const distrust = (connection: Mysql.PoolConnection): void => {
    if (known.get(connection)?.generation === generation) generation++
  }

  const discard = (connection: Mysql.PoolConnection): void => {
    open.delete(connection)
    connection.destroy()
    // `destroy` says goodbye, and then waits for a server that may never answer.
    socket(connection).destroy()
  }

  const ask = (connection: Mysql.PoolConnection, before: ReadonlyArray<string>) =>
    Effect.map(
      query(connection, [...before, isReadOnly]),
      (answers) => answers.at(-1)!.rows[0]?.[0]?.toString() === "1"
    )

  const admit = Effect.fnUntraced(function*(connection: Mysql.PoolConnection) {
    open.add(connection)
    // The pool listens for the first error only, and one that nobody listens for would end the process.
    connection.on("error", () => open.delete(connection))
    connection.on("end", () => open.delete(connection))
    const current = generation
    const readOnly = yield* ask(connection, owned ? session : [])
    known.set(connection, { generation: current, readOnly, checkedAt: now() })
  })

  const isTrusted = (about: Known) => about.generation === generation && now() - about.checkedAt < trustedFor

  /** Whether a connection that was used before is still good. */
  const check = Effect.fnUntraced(function*(connection: Mysql.PoolConnection, about: Known) {
    if (about.generation !== generation) return false
    if (isTrusted(about)) return true
    const asking = Effect.map(ask(connection, []), (readOnly) => !readOnly || about.readOnly)
    const patience = Math.min(500, options.timeout / 8)
    const good = yield* Effect.timeoutOrElse(asking, { duration: patience, orElse: () => Effect.succeed(false) }).pipe(
      Effect.tap((good) => Effect.sync(() => good || distrust(connection))),
      Effect.orElseSucceed(() => false)
    )
    if (good) about.checkedAt = now()
    return good
  })

  const giveBack = (connection: Mysql.PoolConnection, good: boolean, deadline: number): void => {
    if (good) return connection.release()
    if (now() >= deadline) distrust(connection)
    discard(connection)
  }

  const use = <A>(
    deadline: number,
    f: (connection: Mysql.PoolConnection) => Effect.Effect<A, Fault.Fault>,
    undo: ReadonlyArray<string> = [rollback]
  ): Effect.Effect<A, Fault.Fault> =>
    Effect.suspend(() => {
      let connection: Mysql.PoolConnection | undefined
      let over = false
      let broken = true

      const take = Effect.callback<Mysql.PoolConnection, Fault.Fault>((resume) => {
        try {
          pool.getConnection((error, taken) => {
            if (error !== null) return resume(Effect.fail(Fault.fromMysql("connect", error)))
            if (over) return taken.release()
            connection = taken
            resume(Effect.succeed(taken))
          })
        } catch (error) {
          // Such as a port that none can have.
          resume(Effect.fail(Fault.fromMysql("connect", error)))
        }
      })

      const acquire = Effect.gen(function*() {
        for (let pause = 5;; pause = Math.min(2 * pause, 50)) {
          const taken = yield* Effect.result(take)
          if (Result.isFailure(taken)) {
            // The server takes no more of them: those that there are come back. Another try must end before time is up.
            if (taken.failure.remedy !== "later" || now() + pause + 300 >= deadline) {
              return yield* Effect.fail(taken.failure)
            }
            yield* Effect.sleep(pause)
            continue
          }
          const about = known.get(taken.success)
          if (about === undefined) {
            yield* certain(admit(taken.success))
            return taken.success
          }
          if (yield* check(taken.success, about)) return taken.success
          connection = undefined
          discard(taken.success)
        }
      })

      return acquire.pipe(
        Effect.flatMap(f),
        Effect.tap(Effect.sync(() => {
          broken = false
        })),
        Effect.tapError((fault) => {
          if (connection === undefined || fault.remedy === "elsewhere" || fault.inDoubt || Fault.isOfRights(fault)) {
            return Effect.void
          }
          if (fault.remedy === "primary") {
            distrust(connection)
            return Effect.void
          }
          // The server stops at the statement that failed, and leaves the transaction open.
          return Effect.ignore(Effect.map(query(connection, undo), () => {
            broken = false
          }))
        }),
        Effect.ensuring(Effect.sync(() => {
          over = true
          if (connection !== undefined) giveBack(connection, !broken, deadline)
        }))
      )
    })

  const before = owned ? [begin] : [...borrow, begin]
  const after = owned ? [commit] : [commit, restore]
  const undo = owned ? [rollback] : [rollback, restore]

  const transact = (connection: Mysql.PoolConnection, statements: ReadonlyArray<string>) =>
    Effect.map(
      query(connection, [...before, ...statements, ...after]),
      (answers) => answers.slice(before.length, before.length + statements.length)
    )

  return {
    run: (deadline, statements) => use(deadline, (connection) => query(connection, statements)),
    read: (deadline, select) =>
      owned
        ? use(deadline, (connection) => Effect.map(query(connection, [select]), ([answer]) => answer!.rows))
        : use(
          deadline,
          (connection) =>
            Effect.map(
              query(connection, [...borrow, "START TRANSACTION READ ONLY", select, ...undo]),
              (answers) => answers[borrow.length + 1]!.rows
            ),
          undo
        ),
    transact: (deadline, statements) => use(deadline, (connection) => transact(connection, statements), undo),
    owned,
    most: owned ? limitOf(pool) || Infinity : 0,
    lend: (use) => {
      try {
        pool.getConnection((error, connection) => {
          if (error !== null) return use(undefined)
          const about = known.get(connection)
          if (about !== undefined && isTrusted(about)) return use(connection)
          connection.release()
          use(undefined)
        })
      } catch {
        use(undefined)
      }
    },
    giveBack,
    commit: (deadline, { bound, statements }, sent) =>
      use(deadline, (connection) => {
        const run = Effect.suspend(() => {
          sent()
          return transact(connection, statements)
        })
        return bound.isEmpty ? run : Effect.andThen(certain(execute(connection, Sql.bind, [bound.value])), run)
      }, undo),
    close: owned
      ? Effect.callback<void>((resume) => pool.end(() => resume(Effect.void))).pipe(
        // One that is just being made would be waited for.
        Effect.timeoutOption("1 second"),
        Effect.andThen(Effect.sync(() => {
          for (const connection of open) socket(connection).destroySoon()
        }))
      )
      : Effect.void
  }
}

/** Sends the statements in one packet, or one by one where the connection does not take several. */
const query = (
  connection: Mysql.PoolConnection,
  statements: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Answer>, Fault.Fault> =>
  connection.config.multipleStatements === true || statements.length === 1
    ? Effect.map(
      send(connection, statements.join(";")),
      (results) => (statements.length === 1 ? [results] : results as ReadonlyArray<unknown>).map(toAnswer)
    )
    : Effect.forEach(statements, (statement) => Effect.map(send(connection, statement), toAnswer))

/** Runs a prepared statement, whose values are not in its text. It is prepared once on each connection. */
const execute = (
  connection: Mysql.PoolConnection,
  sql: string,
  values: ReadonlyArray<Buffer | null>
): Effect.Effect<Answer, Fault.Fault> => {
  const options = { ...raw, sql, values: values as Array<Buffer | null> }
  const prepare = Effect.callback<void, Fault.Fault>((resume) => {
    // With the same options, of which its types know only the text, the statement is the one that is executed then.
    connection.prepare(options as unknown as string, (error: Mysql.QueryError | null) => {
      resume(error === null ? Effect.void : Effect.fail(Fault.fromMysql("query", error)))
    })
  })
  const run = Effect.callback<Answer, Fault.Fault>((resume) => {
    connection.execute(options, (error, result) => {
      resume(error === null ? Effect.succeed(toAnswer(result)) : Effect.fail(Fault.fromMysql("query", error)))
    })
  })
  return Effect.andThen(certain(prepare), run)
}

const send = (connection: Mysql.PoolConnection, sql: string): Effect.Effect<unknown, Fault.Fault> =>
  Effect.callback((resume) => {
    // Nothing to fill in: not to be searched for question marks either.
    connection.query({ ...raw, sql, values: null as unknown as [] }, (error, results) => {
      resume(error === null ? Effect.succeed(results) : Effect.fail(Fault.fromMysql("query", error)))
    })
  })

/** Bytes in rows without names, whatever the pool is set to. */
export const raw = {
  rowsAsArray: true,
  nestTables: false,
  typeCast: (field: { readonly buffer: () => Buffer | null }) => field.buffer()
} as const

/** What writes nothing leaves nothing in doubt. */
const certain = <A>(effect: Effect.Effect<A, Fault.Fault>): Effect.Effect<A, Fault.Fault> =>
  Effect.mapError(effect, (fault) => ({ ...fault, inDoubt: false }))

const toAnswer = (result: unknown): Answer =>
  Array.isArray(result)
    ? { rows: result, changed: 0 }
    : { rows: [], changed: (result as Mysql.ResultSetHeader).affectedRows }

const limitOf = (pool: Mysql.Pool): number =>
  (pool as unknown as { readonly config: { readonly connectionLimit: number } }).config.connectionLimit

const socket = (connection: Mysql.PoolConnection) =>
  (connection as unknown as { readonly stream: { readonly destroy: () => void; readonly destroySoon: () => void } })
    .stream
