// Handlers of `updateResult`. None of these compiles.
import { Data, Effect, Result } from "effect"
import { Scoped } from "effect-scoped"
import { count, int, lamp, Users } from "../scopes.ts"

class Rescue extends Data.TaggedError("Rescue")<{ readonly rescue: Effect.Effect<void> }> {}

// @ts-expect-error: an async handler
Scoped.updateResult(int, async (n) => Result.succeed([n, n]))
// @ts-expect-error: an async handler, data-last
int.pipe(Scoped.updateResult(async (n) => Result.succeed([n, n])))
// @ts-expect-error: an async handler that fails
Scoped.updateResult(int, async () => Result.fail("no"))
// @ts-expect-error: a generator
Scoped.updateResult(int, function*(n) {
  yield n
  return Result.succeed([n, n])
})
// @ts-expect-error: an effect
Scoped.updateResult(int, (n) => Effect.succeed([n, n] as const))
// @ts-expect-error: an effect that fails
Scoped.updateResult(int, () => Effect.fail("no"))
// @ts-expect-error: a pair without a result
Scoped.updateResult(int, (n) => [n, n])
// @ts-expect-error: a pair in one branch
Scoped.updateResult(int, (n) => n > 1 ? Result.fail("no") : [n, n])
// @ts-expect-error: no pair
Scoped.updateResult(int, (n) => Result.succeed(n))
// @ts-expect-error: a pair that is too long
Scoped.updateResult(int, (n) => Result.succeed([n, n, n]))
// @ts-expect-error: an effect as the result
Scoped.updateResult(int, (n) => Result.succeed([Effect.void, n]))
// @ts-expect-error: a function in the result
Scoped.updateResult(int, (n) => Result.succeed([{ run: () => n }, n]))
// @ts-expect-error: an effect in one of several results
Scoped.updateResult(int, (n) => n > 1 ? Result.succeed([1, n]) : Result.succeed([Effect.void, n]))
// @ts-expect-error: a promise as the error
Scoped.updateResult(int, () => Result.fail(Promise.resolve(1)))
// @ts-expect-error: an effect as the error
Scoped.updateResult(int, () => Result.fail(Effect.void))
// @ts-expect-error: a function in the error
Scoped.updateResult(int, () => Result.fail({ retry: () => 1 }))
// @ts-expect-error: an effect in a tagged error
Scoped.updateResult(int, () => Result.fail(new Rescue({ rescue: Effect.void })))
// @ts-expect-error: an effect in one of two errors
Scoped.updateResult(int, (n) => n > 1 ? Result.fail("no") : Result.fail(() => n))
// @ts-expect-error: any as the error
Scoped.updateResult(int, () => Result.fail(JSON.parse("1")))
// @ts-expect-error: unknown as the error
Scoped.updateResult(int, () => Result.fail(null as unknown))
// @ts-expect-error: any as the result
Scoped.updateResult(int, (n) => Result.succeed([JSON.parse("1"), n]))
// @ts-expect-error: any as the whole answer
Scoped.updateResult(int, () => JSON.parse("1"))
// @ts-expect-error: a next state of another type
Scoped.updateResult(int, (n) => Result.succeed([n, `${n}`]))
// @ts-expect-error: a next state with a key too many
Scoped.updateResult(count, (s) => Result.succeed([1, { ...s, cuont: 1 }]))
// @ts-expect-error: a next state with a wrong key
Scoped.updateResult(count, (s) => Result.succeed([1, { cuont: s.count }]))
// @ts-expect-error: a next state with a function
Scoped.updateResult(count, (s) => Result.succeed([1, { ...s, run: () => 1 }]))
// @ts-expect-error: data-last
int.pipe(Scoped.updateResult((n) => Result.succeed([Effect.void, n])))
// @ts-expect-error: of a product
Scoped.updateResult(Scoped.all([int, lamp]), (s) => Result.succeed([Effect.void, s]))
// @ts-expect-error: of a family
Scoped.updateResult(Users("ada"), (u) => Result.fail(Effect.succeed(u)))
// @ts-expect-error: through a generic function
export const lift = <E>(e: E) => Scoped.updateResult(int, () => Result.fail(e))
