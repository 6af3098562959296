import * as Duration from "effect/Duration"
import type { Record, Verdict } from "../../Driver.ts"
import { DriverError } from "../../ScopedError.ts"

/** Drivers are code of others, and answer what servers answer: what has not the shape of a record is none. */
export const isRecord = (answer: unknown): answer is Record | null => {
  if (answer === null) return true
  if (typeof answer !== "object") return false
  const { data, expiresIn, revision } = answer as { readonly [key: string]: unknown }
  return typeof revision === "string" && (data === null || typeof data === "string") &&
    (expiresIn === undefined || Duration.isDuration(expiresIn))
}

/** Whether all of so many answers are records. */
export const areRecords = (answers: unknown, count: number): answers is ReadonlyArray<Record | null> => {
  if (!Array.isArray(answers) || answers.length !== count) return false
  for (let i = 0; i < count; i++) if (!isRecord(answers[i])) return false
  return true
}

/** Whether it answers a transaction of so many parts. */
export const isAnswer = (answer: unknown, parts: number): answer is Verdict | DriverError => {
  if (answer instanceof DriverError) return true
  if (typeof answer !== "object" || answer === null) return false
  const { committed, current, shortfall } = answer as { readonly [key: string]: unknown }
  return committed === true || committed === false && areRecords(current, parts) &&
      (shortfall === undefined || shortfall instanceof DriverError)
}
