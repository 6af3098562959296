import * as Clock from "effect/Clock"
import * as Context from "effect/Context"

/** The clock of the machine, whatever clock a program was given: that of a test may stand still. */
export const machine: Clock.Clock = Context.get(Context.empty(), Clock.Clock)

/** The same, where a simulation may put another in its place. */
export const Machine = Context.Reference<Clock.Clock>("effect-scoped/internal/Machine", {
  defaultValue: () => machine
})
