/**
 * Tells other processes what was committed, in a table, while any of them watches.
 *
 * A hint follows its commit and is not a part of it: the commit stays one short transaction, on its own rows alone, and
 * as fast as where nobody watches. So a hint may come late or never, when the process ends before it is written; that
 * is what the watchers' looks at all revisions are for.
 *
 * Row 1 says until when somebody watches. Whoever watches keeps it in the future, by far more than the time after which
 * those who write look at it again.
 */
import * as Arr from "effect/Array"
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Connections } from "./connections.ts"
import type { Fault } from "./fault.ts"
import * as Retry from "./retry.ts"
import * as Sql from "./sql.ts"
import type { Tables } from "./tables.ts"

/** After so many milliseconds, who writes looks again whether somebody watches. */
export const noticedWithin = 500

/** For so many milliseconds one says that one watches. */
const announcedFor = 20_000

const keptFor = 60_000

export interface Hints {
  /** Remembers names that have changed, where somebody may want to know; tells whether it did. */
  readonly add: (names: ReadonlyArray<string>) => boolean
  readonly pending: () => boolean
  /** Tells of those that are remembered, where anybody watches. */
  readonly tell: (deadline: number) => Effect.Effect<void, Fault>
  /** Says for a while that somebody watches, and deletes what is old. */
  readonly announce: (deadline: number) => Effect.Effect<void, Fault>
  /** Listens from here on. What was told before is forgotten. */
  readonly listen: (deadline: number) => Effect.Effect<void, Fault>
  /** The names that were told of since the last time. */
  readonly hear: (deadline: number) => Effect.Effect<ReadonlyArray<string>, Fault>
}

export const make = ({ clock, connections, tables }: {
  readonly clock: Clock.Clock
  readonly connections: Connections
  readonly tables: Tables
}): Hints => {
  const { hints } = tables
  const now = () => clock.currentTimeMillisUnsafe()
  let changed = new Set<string>()
  let lookedAt = -Infinity
  let isWatched = false

  /** The highest number that was seen, and lower ones that were not, each with when that was noticed. */
  let heard = 1
  const missed = new Map<number, number>()

  const read = (deadline: number, query: string) => Retry.harmless(clock, deadline, connections.read(deadline, query))
  const write = (deadline: number, statements: ReadonlyArray<string>) =>
    Retry.within(clock, deadline, connections.transact(deadline, statements))

  const look = Effect.fnUntraced(function*(deadline: number) {
    const since = now()
    const rows = yield* read(deadline, `SELECT h.id FROM ${hints} AS h WHERE h.id=1 AND h.at>${Sql.now}`)
    isWatched = rows.length > 0
    lookedAt = since
  })

  return {
    add: (names) => {
      if (!isWatched && now() - lookedAt < noticedWithin) return false
      for (const name of names) changed.add(name)
      return true
    },
    pending: () => changed.size > 0,
    tell: Effect.fnUntraced(function*(deadline) {
      const names = [...changed]
      changed = new Set()
      if (now() - lookedAt >= noticedWithin) yield* look(deadline)
      if (!isWatched) return
      for (const page of Arr.chunksOf(names, 1000)) {
        const rows = page.map((name) => `(${Sql.text(name)},${Sql.now})`)
        yield* write(deadline, [`INSERT INTO ${hints} (name,at) VALUES ${rows.join(",")}`])
      }
    }),
    announce: Effect.fnUntraced(function*(deadline) {
      yield* write(deadline, [
        `INSERT INTO ${hints} (id,name,at) VALUES (1,'',${Sql.now}+${announcedFor * 1000}) ` +
        `ON DUPLICATE KEY UPDATE at=${Sql.now}+${announcedFor * 1000}`
      ])
      // Found without a lock, or this would wait for hints that are just being written.
      const [row] = yield* read(
        deadline,
        `SELECT MAX(h.id) AS id FROM ${hints} AS h WHERE h.id>1 AND h.at<${Sql.now}-${keptFor * 1000}`
      )
      const old = row?.[0]?.toString()
      if (old !== undefined) {
        yield* write(deadline, [`DELETE FROM ${hints} WHERE id>1 AND id<=${old} ORDER BY id LIMIT 10000`])
      }
    }),
    listen: Effect.fnUntraced(function*(deadline) {
      const [row] = yield* read(deadline, `SELECT MAX(h.id) AS id FROM ${hints} AS h`)
      heard = Math.max(1, Number(row?.[0]?.toString() ?? 0))
      missed.clear()
    }),
    hear: Effect.fnUntraced(function*(deadline) {
      const names = new Set<string>()
      for (;;) {
        const again = [...missed.keys()]
        const rows = yield* read(
          deadline,
          `SELECT h.id,h.name FROM ${hints} AS h WHERE h.id>${heard}` +
            `${again.length === 0 ? "" : ` OR h.id IN (${again.join(",")})`} ORDER BY h.id LIMIT ${pageSize}`
        )
        for (const [number, name] of rows) {
          const id = Number(number!.toString())
          names.add(name!.toString("utf8"))
          missed.delete(id)
          // A number below those that were seen may belong to a transaction that has not ended yet.
          for (let gap = Math.max(heard, id - most) + 1; gap < id; gap++) missed.set(gap, now())
          heard = Math.max(heard, id)
        }
        for (const [gap, since] of missed) if (now() - since > lateFor || missed.size > most) missed.delete(gap)
        if (rows.length < pageSize) return [...names]
      }
    })
  }
}

const pageSize = 5000

/** How many missing numbers are waited for at the most, and for how many milliseconds. */
const most = 1000
const lateFor = 5_000
