import * as Duration from "effect/Duration"
import type { Record, Transaction, Verdict } from "../../Driver.ts"
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
  const verdict = answer as { readonly [key: string]: unknown }
  return verdict["committed"] === true || verdict["committed"] === false && areRecords(verdict["current"], parts) &&
      (verdict["shortfall"] === undefined || verdict["shortfall"] instanceof DriverError)
}

/** Whether there is an answer for each transaction of a batch. */
export const areAnswers = (
  answers: unknown,
  batch: ReadonlyArray<Transaction>
): answers is ReadonlyArray<Verdict | DriverError> => {
  if (!Array.isArray(answers) || answers.length !== batch.length) return false
  for (let i = 0; i < batch.length; i++) if (!isAnswer(answers[i], batch[i]!.length)) return false
  return true
}
