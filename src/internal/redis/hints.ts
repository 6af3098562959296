/**
 * What becomes of the hints that commits send.
 */
import * as Effect from "effect/Effect"
import * as Fault from "./fault.ts"

/** Says once, and again after it was well, that hints do not get out; `deaf` tells those who watch from here. */
export const make = (deaf: (fault: Fault.Fault | undefined) => void) =>
  Effect.sync(() => {
    // By server: those of a cluster need not agree.
    const lossy = new Map<string, string>()
    return (lost: string | null, address: string): Effect.Effect<void> => {
      if (lost === (lossy.get(address) ?? null)) return Effect.void
      if (lost === null) {
        lossy.delete(address)
        if (lossy.size === 0) deaf(undefined)
        return Effect.void
      }
      lossy.set(address, lost)
      const { reason, said } = Fault.fromText(address, lost)
      const description = `${address} refuses to PUBLISH on the channels that begin with the prefix (${said}): ` +
        `what is committed here reaches those who watch late. Permit PUBLISH, SPUBLISH and the channels`
      deaf(Fault.make(reason, description))
      return Effect.annotateLogs(Effect.logWarning(description), { module: "effect-scoped/RedisDriver" })
    }
  })
