import { engine } from "./engine.ts"
import { file } from "./file.ts"
import { memory } from "./memory.ts"
import type { Mutant } from "./mutant.ts"
import { mysql } from "./mysql.ts"
import { redis } from "./redis.ts"

/** All ways in which the library is broken on purpose. */
export const mutants: ReadonlyArray<Mutant> = [...engine, ...memory, ...file, ...redis, ...mysql]
