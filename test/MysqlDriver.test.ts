import { store } from "./mysql/store.ts"
import { driverSuite } from "./suites/driver.ts"
import { scopedSuite } from "./suites/scoped.ts"

driverSuite("mysql", store())
scopedSuite("mysql", store())
