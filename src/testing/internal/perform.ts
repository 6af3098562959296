import type { Crew } from "./crew.ts"
import type { Log } from "./log.ts"
import type { Network } from "./network.ts"
import type { Step } from "./plan.ts"

/** Does a step of a plan. What is to happen to a writer happens to it only while there is one. */
export const perform = <Operation>(
  step: Step<Operation>,
  { crew, log, network }: {
    readonly crew: Crew<Operation, unknown>
    readonly network: Network
    readonly log: Log
  }
): void => {
  switch (step._tag) {
    case "call":
      return crew.call(step.writer, step.operation)
    case "interrupt":
      return crew.interrupt(step.writer)
    case "crash":
    case "close":
      return crew.stop(step.writer, step._tag)
    case "partition": {
      const writer = crew.writers[step.writer]
      if (writer === undefined) return
      log.note(writer.lane, () => `is cut off for ${step.millis} ms`)
      return network.partition(writer.process, step.millis)
    }
    case "silence": {
      const writer = step.writer === undefined ? undefined : crew.writers[step.writer]
      if (step.writer !== undefined && writer === undefined) return
      log.note(writer?.lane ?? "store", () => `gives no answers for ${step.millis} ms`)
      return network.quieten(step.millis, writer?.process)
    }
    case "jump": {
      const writer = crew.writers[step.writer]
      if (writer === undefined) return
      log.note(writer.lane, () => `has its clock set by ${Math.round(step.millis)} ms`)
      writer.process.skew += step.millis
      return
    }
    case "restart": {
      log.note("store", () => step.lost > 0 ? `fails over, and forgets ${step.lost} commits` : "restarts")
      network.restart(step.millis, step.lost)
    }
  }
}
