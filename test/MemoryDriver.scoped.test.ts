import { Effect } from "effect"
import { MemoryDriver } from "effect-scoped"
import { algebraSuite } from "./suites/algebra.ts"
import { scopedSuite } from "./suites/scoped.ts"

const store = Effect.map(MemoryDriver.make(), Effect.succeed)

scopedSuite("memory", store)
algebraSuite("memory", store)
