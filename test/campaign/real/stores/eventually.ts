import { Effect, Schedule } from "effect"
import { until } from "../../../servers/redis.ts"

/** Waits until servers are as they should be. While they change, some of them do not answer. */
export const eventually = <R>(what: string, isSo: Effect.Effect<boolean, unknown, R>) =>
  until(what, Effect.catchCause(isSo, () => Effect.succeed(false))).pipe(Effect.retry(Schedule.recurs(3)))
