import { store } from "./mysql/store.ts"
import { algebraSuite } from "./suites/algebra.ts"

algebraSuite("mysql", store())
