import { Effect } from "effect"
import { FileDriver } from "effect-scoped"
import { services, temporaryDirectory } from "./file/helpers.ts"
import { algebraSuite } from "./suites/algebra.ts"
import { scopedSuite } from "./suites/scoped.ts"

const store = Effect.map(
  temporaryDirectory,
  (directory) => Effect.provide(FileDriver.make({ directory }), services)
).pipe(Effect.provide(services))

scopedSuite("file", store)
algebraSuite("file", store)
