/**
 * A driver in a page: scopes in a SQLite database, through the module that comes with Node (22.13 and up).
 *
 * For one machine and any number of processes. SQLite answers at once and blocks the event loop meanwhile, so this is
 * an example of how a driver is written rather than one for a busy server.
 */
import { Clock, Duration, Effect, type Layer, Queue, type Scope, Stream } from "effect"
import { Driver, ScopedError, Storage } from "effect-scoped"
import { DatabaseSync } from "node:sqlite"

export interface Options {
  readonly file: string
}

/** One row a scope. `until`: when its data expires or, where there is none, when its tombstone is forgotten. */
interface Row {
  readonly revision: Uint8Array
  readonly data: Uint8Array | null
  readonly until: number | null
  readonly retention: number | null
}

const table = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA busy_timeout = 2000;
  CREATE TABLE IF NOT EXISTS scopes (
    name BLOB PRIMARY KEY, revision BLOB NOT NULL, data BLOB, until REAL, retention REAL
  ) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS scopes_until ON scopes (until)`

// Names, revisions and data are bytes: no collation, no character set, and no end at a zero.
const bytes = (text: string): Uint8Array => Buffer.from(text, "utf8")
const text = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8")

type Operation = ScopedError.DriverError["operation"]

/** What an error of SQLite means: https://sqlite.org/rescode.html. */
const fault = (operation: Operation, cause: unknown, inDoubt: boolean) => {
  const { code, errcode } = cause as { readonly code?: string; readonly errcode?: number }
  const reason = code === "ERR_INVALID_STATE" ? "Closed" : reasons[(errcode ?? 0) & 0xff] ?? "Unknown"
  return new ScopedError.DriverError({
    driver: "sqlite",
    operation,
    reason,
    description: String(cause),
    inDoubt,
    cause
  })
}

const reasons: { readonly [code: number]: ScopedError.DriverError["reason"] } = {
  3: "Forbidden",
  5: "Unavailable",
  8: "Forbidden",
  11: "Corrupt",
  13: "Full",
  14: "Unavailable",
  26: "Corrupt"
}

export const make = Effect.fnUntraced(
  function*({ file }: Options): Effect.fn.Return<Driver.Driver, ScopedError.DriverError, Scope.Scope> {
    const clock = yield* Clock.Clock
    const db = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          const db = new DatabaseSync(file)
          db.exec(table)
          return db
        },
        catch: (cause) => fault("open", cause, false)
      }),
      (db) => Effect.sync(() => db.close())
    )
    const select = db.prepare("SELECT revision, data, until, retention FROM scopes WHERE name = ?")
    const upsert = db.prepare("INSERT OR REPLACE INTO scopes VALUES (?, ?, ?, ?, ?)")
    const list = db.prepare("SELECT name, data, until FROM scopes WHERE name >= ?1 AND substr(name, 1, ?2) = ?1")
    const sweep = db.prepare("DELETE FROM scopes WHERE until <= ?1 AND until + iif(data IS NULL, 0, retention) <= ?1")

    /** A record as it is at a time: data that has expired is a tombstone, and a tombstone that is over is nothing. */
    const find = (name: string, now: number): Driver.Record | null => {
      const row = select.get(bytes(name)) as unknown as Row | undefined
      if (row === undefined) return null
      const revision = text(row.revision)
      if (row.until === null || row.until > now) {
        if (row.data === null) return { revision, data: null }
        const data = text(row.data)
        return row.until === null ? { revision, data } : { revision, data, expiresIn: Duration.millis(row.until - now) }
      }
      return row.data !== null && row.until + row.retention! > now
        ? { revision: Driver.expired(revision), data: null }
        : null
    }

    const store = ({ expiresIn, name, retention }: Driver.Write, next: Driver.Record, now: number): void => {
      const kept = retention === undefined ? null : Duration.toMillis(retention)
      const left = expiresIn !== undefined ? Duration.toMillis(expiresIn) : next.data === null ? kept : null
      const until = left === null || left === Infinity ? null : now + left
      upsert.run(bytes(name), bytes(next.revision), next.data === null ? null : bytes(next.data), until, kept)
    }

    const apply = (transaction: Driver.Transaction, now: number): Driver.Verdict => {
      const current = transaction.map(({ name }) => find(name, now))
      if (transaction.some(({ expected }, i) => (current[i]?.revision ?? null) !== expected)) {
        return { committed: false, current }
      }
      for (const write of transaction) {
        if (write.next !== undefined) store(write, write.next, now)
      }
      return { committed: true }
    }

    /** All or nothing, and at one moment. `work` must have no failures of its own. */
    const atomically = <A>(operation: Operation, begin: string, work: (now: number) => A) =>
      Effect.suspend(() => {
        let committing = false
        try {
          db.exec(begin)
          const answer = work(clock.currentTimeMillisUnsafe())
          committing = true
          db.exec("COMMIT")
          return Effect.succeed(answer)
        } catch (cause) {
          if (db.isOpen && db.isTransaction) db.exec("ROLLBACK")
          return Effect.fail(fault(operation, cause, operation === "commit" && committing))
        }
      })

    const read: Driver.Driver["read"] = (names) =>
      atomically("read", "BEGIN", (now) => names.map((name) => find(name, now)))

    return {
      name: "sqlite",
      limits: { nameBytes: 512, dataBytes: 16 * 1024 * 1024, scopesPerTransaction: 1000 },
      parallelism: 1,
      read,
      commit: (batch) => {
        // What only checks must not wait for others who write.
        const writes = batch.some((transaction) => transaction.some(({ next }) => next !== undefined))
        return atomically("commit", writes ? "BEGIN IMMEDIATE" : "BEGIN", (now) => {
          if (writes) sweep.run(now)
          return batch.map((transaction) => apply(transaction, now))
        })
      },
      changes: (names) =>
        Stream.callback<string, ScopedError.DriverError>(Effect.fnUntraced(function*(queue) {
          const known = new Map<string, string | null>()
          while (true) {
            const records = yield* read(names)
            names.forEach((name, i) => {
              const revision = records[i]?.revision ?? null
              if (known.get(name) !== revision) Queue.offerUnsafe(queue, name)
              known.set(name, revision)
            })
            yield* Effect.sleep("20 millis")
          }
        })),
      names: (prefix) =>
        Stream.unwrap(Effect.map(
          atomically("names", "BEGIN", (now) =>
            (list.all(bytes(prefix), bytes(prefix).length) as unknown as ReadonlyArray<
              Row & { readonly name: Uint8Array }
            >)
              .filter(({ data, until }) =>
                data !== null && (until === null || until > now)
              )
              .map(({ name }) => text(name))),
          Stream.fromIterable
        ))
    }
  }
)

export const layer = (
  options: Options,
  storage?: Storage.Options
): Layer.Layer<Storage.Storage, ScopedError.DriverError> => Storage.layer(make(options), storage)
