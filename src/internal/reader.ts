import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Record } from "../Driver.ts"
import type { DriverError } from "../ScopedError.ts"
import * as Pump from "./pump.ts"

/** The record of a name, and the tick before the call that read it began. */
export interface Reading {
  readonly record: Record | null
  readonly asOf: number
}

type Listener = (reading: Result.Result<Reading, DriverError>) => void

/**
 * Reads records in batches. Reads of one name that are asked for together share one; none joins a read that began
 * before it was asked for.
 */
export interface Reader {
  /** Asks for a record. The answer comes later; calling what this returns takes the question back. */
  readonly read: (name: string, listener: Listener) => () => void
  /** Answers everything that is still open with an error. */
  readonly close: (error: DriverError) => void
}

const maxNames = 1_000

export const make = Effect.fnUntraced(function*(options: {
  readonly read: (names: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null>, DriverError>
  readonly parallelism: number
  readonly tick: () => number
}) {
  let asked = new Map<string, Set<Listener>>()
  const open = new Set<Set<Listener>>()
  let closed: DriverError | undefined

  const tell = (listeners: Set<Listener>, reading: Result.Result<Reading, DriverError>) => {
    open.delete(listeners)
    for (const listener of listeners) listener(reading)
  }

  const work = Effect.suspend(() => {
    const batch = [...asked].slice(0, maxNames)
    if (batch.length === asked.size) {
      asked = new Map()
    } else {
      for (const [name] of batch) asked.delete(name)
    }
    const listening = batch.filter(([, listeners]) => listeners.size > 0 || !open.delete(listeners))
    if (listening.length === 0) return Effect.void
    const asOf = options.tick()
    if (asked.size > 0) pump.wake()
    return Effect.map(Effect.result(options.read(listening.map(([name]) => name))), (result) => {
      listening.forEach(([, listeners], i) =>
        tell(listeners, Result.map(result, (records) => ({ record: records[i] ?? null, asOf })))
      )
    })
  })
  const pump: Pump.Pump = yield* Pump.make({ workers: options.parallelism, ready: () => asked.size > 0, work })

  const reader: Reader = {
    read: (name, listener) => {
      if (closed !== undefined) {
        listener(Result.fail(closed))
        return () => {}
      }
      let listeners = asked.get(name)
      if (listeners === undefined) {
        listeners = new Set()
        open.add(listeners)
        asked.set(name, listeners)
        if (asked.size === 1) pump.wake()
      }
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: (error) => {
      closed = error
      for (const listeners of open) tell(listeners, Result.fail(error))
    }
  }
  return reader
})
