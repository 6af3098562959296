/** Who is measured on each store. The first is ours; the second is what its ratios are against. */
import type { Effect, Scope } from "effect"
import type { Contender } from "../harness.ts"
import { file } from "./file.ts"
import { memory } from "./memory.ts"
import { mysql } from "./mysql.ts"
import { redis } from "./redis.ts"

/** Makes them for a store that is at a place: a directory or a URL. */
export type Contenders = (place: string) => Effect.Effect<ReadonlyArray<Contender>, unknown, Scope.Scope>

export const contenders = { memory, file, redis, mysql } satisfies { readonly [store: string]: Contenders }

export type Store = keyof typeof contenders
