/**
 * A pool's connections, each lent to one operation at a time and given back clean, or not at all.
 */
import * as Effect from "effect/Effect"
import type * as Mysql from "mysql2"
import * as Fault from "./fault.ts"
import type { Answer, Row } from "./part.ts"

export interface Connections {
  /** Runs statements as they are, the one after the other. */
  readonly run: (statements: ReadonlyArray<string>, sent?: () => void) => Effect.Effect<
    ReadonlyArray<Answer>,
    Fault.Fault
  >
  /** Runs a query that sees what is committed when it begins, and nothing else. */
  readonly read: (query: string) => Effect.Effect<ReadonlyArray<Row>, Fault.Fault>
  /** Runs statements as one transaction. `sent` is called when it is on its way. */
  readonly transact: (
    statements: ReadonlyArray<string>,
    sent: () => void
  ) => Effect.Effect<ReadonlyArray<Answer>, Fault.Fault>
  /** Ends the pool, where it is ours. */
  readonly close: Effect.Effect<void>
}

/**
 * What our own connections are set to. An operation that finds a row locked must come back in time to try again. The
 * rest is what most servers have anyway.
 */
const session = [
  "SET SESSION autocommit=1,sql_mode='STRICT_TRANS_TABLES',sql_safe_updates=0,innodb_lock_wait_timeout=1," +
  "lock_wait_timeout=1",
  "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"
]

const begin = "START TRANSACTION READ WRITE"
const commit = "COMMIT AND NO CHAIN NO RELEASE"
const rollback = "ROLLBACK AND NO CHAIN NO RELEASE"

// On a connection that others use too, nothing is set for longer than a transaction takes. A transaction that was left
// open on it was given up.
const prelude = [rollback, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"]

export const make = (pool: Mysql.Pool, owned: boolean): Connections => {
  const ready = new WeakSet<Mysql.PoolConnection>()
  const open = new Set<Mysql.PoolConnection>()

  const admit = (connection: Mysql.PoolConnection): Effect.Effect<unknown, Fault.Fault> => {
    if (ready.has(connection)) return Effect.void
    ready.add(connection)
    open.add(connection)
    // The pool listens for the first error only, and one that nobody listens for would end the process.
    connection.on("error", () => open.delete(connection))
    connection.on("end", () => open.delete(connection))
    return owned ? query(connection, session) : Effect.void
  }

  const discard = (connection: Mysql.PoolConnection): void => {
    open.delete(connection)
    connection.destroy()
    // `destroy` says goodbye, and then waits for a server that may never answer.
    socket(connection).destroy()
  }

  const use = <A>(
    f: (connection: Mysql.PoolConnection) => Effect.Effect<A, Fault.Fault>
  ): Effect.Effect<A, Fault.Fault> =>
    Effect.suspend(() => {
      let connection: Mysql.PoolConnection | undefined
      let over = false
      let broken = true
      return Effect.callback<Mysql.PoolConnection, Fault.Fault>((resume) => {
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
      }).pipe(
        Effect.flatMap((connection) =>
          Effect.andThen(
            Effect.mapError(admit(connection), (fault) => ({ ...fault, inDoubt: false })),
            f(connection)
          )
        ),
        Effect.tap(Effect.sync(() => {
          broken = false
        })),
        Effect.tapError((fault) =>
          // The server stops at the statement that failed, and leaves the transaction open.
          connection === undefined || fault.remedy === "elsewhere" || fault.inDoubt
            ? Effect.void
            : Effect.ignore(Effect.map(query(connection, [rollback]), () => {
              broken = false
            }))
        ),
        Effect.ensuring(Effect.sync(() => {
          over = true
          if (connection === undefined) return
          if (broken) discard(connection)
          else connection.release()
        }))
      )
    })

  return {
    run: (statements, sent) =>
      use((connection) => {
        sent?.()
        return query(connection, statements)
      }),
    read: (select) =>
      owned
        ? use((connection) => Effect.map(query(connection, [select]), ([answer]) => answer!.rows))
        : use((connection) =>
          Effect.map(
            query(connection, [...prelude, "START TRANSACTION READ ONLY", select, rollback]),
            (answers) => answers[3]!.rows
          )
        ),
    transact: (statements, sent) => {
      const before = owned ? [begin] : [...prelude, begin]
      return use((connection) => {
        sent()
        return Effect.map(
          query(connection, [...before, ...statements, commit]),
          (answers) => answers.slice(before.length, -1)
        )
      })
    },
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
    ? Effect.map(send(connection, statements.join(";")), (results) => statements.length === 1 ? [results] : results)
      .pipe(Effect.map((results) => (results as ReadonlyArray<unknown>).map(toAnswer)))
    : Effect.forEach(statements, (statement) => Effect.map(send(connection, statement), toAnswer))

const send = (connection: Mysql.PoolConnection, sql: string): Effect.Effect<unknown, Fault.Fault> =>
  Effect.callback((resume) => {
    connection.query({
      sql,
      // Nothing to fill in: not to be searched for question marks either.
      values: null as unknown as [],
      // Bytes in rows without names, whatever the pool is set to.
      rowsAsArray: true,
      nestTables: false,
      typeCast: (field) => field.buffer()
    }, (error, results) => {
      resume(error === null ? Effect.succeed(results) : Effect.fail(Fault.fromMysql("query", error)))
    })
  })

const toAnswer = (result: unknown): Answer =>
  Array.isArray(result)
    ? { rows: result, changed: 0 }
    : { rows: [], changed: (result as Mysql.ResultSetHeader).affectedRows }

const socket = (connection: Mysql.PoolConnection) =>
  (connection as unknown as { readonly stream: { readonly destroy: () => void; readonly destroySoon: () => void } })
    .stream
