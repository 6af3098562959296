/**
 * What becomes of the hints that commits send.
 */
import * as Effect from "effect/Effect"
import * as Fault from "./fault.ts"

export interface Hints {
  /** Told of each commit whose hints were sent. */
  readonly sent: (address: string) => void
  /** Told what kept them from being sent. */
  readonly lost: (lost: string, address: string) => Effect.Effect<void>
}

/**
 * Logs once, and again after it was well, that hints do not get out; `deaf` tells those who watch from here, of each
 * commit, since they may have begun after the one before.
 */
export const make = (deaf: (fault: Fault.Fault | undefined) => void) =>
  Effect.sync(() => {
    // By server: those of a cluster need not agree.
    const lossy = new Map<string, { readonly lost: string; readonly fault: Fault.Fault }>()
    const sent = (address: string): void => {
      if (lossy.delete(address) && lossy.size === 0) deaf(undefined)
    }
    const lost = (lost: string, address: string): Effect.Effect<void> => {
      const before = lossy.get(address)
      if (before?.lost === lost) {
        deaf(before.fault)
        return Effect.void
      }
      const { reason, said } = Fault.fromText(address, lost)
      const description = `${address} refuses to PUBLISH on the channels that begin with the prefix (${said}): ` +
        `what is committed here reaches those who watch late. Permit PUBLISH, SPUBLISH and the channels`
      const fault = Fault.make(reason, description)
      lossy.set(address, { lost, fault })
      deaf(fault)
      return Effect.annotateLogs(Effect.logWarning(description), { module: "effect-scoped/RedisDriver" })
    }
    const hints: Hints = { sent, lost }
    return hints
  })
