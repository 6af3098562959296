import { suite } from "effect-scoped/testing/DriverSuite"
import { store } from "./mysql/store.ts"
import { scopedSuite } from "./suites/scoped.ts"

suite("mysql", { store: store() })
scopedSuite("mysql", store())
