import { store } from "./redis/store.ts"
import { driverSuite } from "./suites/driver.ts"
import { scopedSuite } from "./suites/scoped.ts"

driverSuite("redis", store)
scopedSuite("redis", store)
