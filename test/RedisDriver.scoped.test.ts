import { store } from "./redis/store.ts"
import { algebraSuite } from "./suites/algebra.ts"

algebraSuite("redis", store)
