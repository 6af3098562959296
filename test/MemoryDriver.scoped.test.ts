import { Effect } from "effect"
import { MemoryDriver } from "effect-scoped"
import { scopedSuite } from "./suites/scoped.ts"

scopedSuite("memory", Effect.map(MemoryDriver.make(), Effect.succeed))
