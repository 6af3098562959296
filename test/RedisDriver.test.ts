import { suite } from "effect-scoped/testing/DriverSuite"
import { store } from "./redis/store.ts"
import { scopedSuite } from "./suites/scoped.ts"

suite("redis", { store })
scopedSuite("redis", store)
