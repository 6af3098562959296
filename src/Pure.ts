import type { Impure, IsAny, One } from "./internal/impure.ts"

/**
 * Constrains `A` to plain data: `A & Pure<A>` is `A` when all of `A` is data, and otherwise a sentence about what is not.
 *
 * **Details**
 *
 * Data is: primitives; structs, tuples, arrays, maps and sets of data; dates, durations, URLs, regular expressions, bytes
 * and big decimals; options, results, chunks, hash maps, hash sets and redacted values of data; errors and data classes
 * whose fields are data; and whatever `State` holds, also when its class has methods. Everything else is not: functions,
 * and all that has one inside, as effects, promises, iterators and services do, at any depth. Nor are `any` and `unknown`,
 * unless they come from the state.
 *
 * **Gotchas**
 *
 * A type cannot tell what a value is beyond it: private fields, and what a wider type hides, go unseen.
 *
 * @category utils
 * @since 0.1.0
 */
export type Pure<A, State = never> = [Impure<A, State, "A handler must be pure: result">] extends [never] ? unknown
  // Only `never` takes nothing that is `any`.
  : IsAny<A> extends true ? never
  : One<Impure<A, State, "A handler must be pure: result">>
