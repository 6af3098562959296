/**
 * Faults on demand: a driver around any driver, whose next calls go wrong as a test says.
 *
 * {@link layer} makes a storage over such a driver, which retries and recovers without waiting, so that tests on the
 * `TestClock` need not turn it.
 *
 * | to meet | say |
 * | --- | --- |
 * | `ConflictError` | `Faults.commits(Faults.overtaken, { times: 4 })` |
 * | `AmbiguousCommitError` | `Faults.commits(Faults.ambiguous)` |
 * | `NotReplicatedError` | `Faults.commits(Faults.notReplicated)` |
 * | `DriverError` of an update | `Faults.commits(Faults.fails("Full"))` |
 * | `DriverError` of a read | `Faults.reads(Faults.fails("Unavailable"))` |
 * | an answer that is lost, and found again | `Faults.commits(Faults.answerLost)` |
 *
 * What was planned and not met stays planned as long as the layer lives, so tests that share one, as in `it.layer`, meet
 * what those before them left. A layer that each test provides for itself is built anew.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import type * as EffectScope from "effect/Scope"
import type { Driver, Record, Transaction, Verdict } from "../Driver.ts"
import { DriverError } from "../ScopedError.ts"
import * as Storage from "../Storage.ts"

/**
 * What becomes of a call.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  | { readonly _tag: "Overtaken" | "RequestLost" | "AnswerLost" | "Ambiguous" | "NotReplicated" | "Silent" }
  | { readonly _tag: "Slow"; readonly duration: Duration.Duration }
  | { readonly _tag: "Fails"; readonly reason: DriverError["reason"]; readonly inDoubt: boolean }

/**
 * Another writer comes first: the commit is refused, and the update runs again, until its `retry` schedule ends. The
 * storage of {@link layer} retries three times.
 *
 * The other writer leaves the data as it is. For a call of `read` this is no fault.
 *
 * @category faults
 * @since 0.1.0
 */
export const overtaken: Fault = { _tag: "Overtaken" }

/**
 * The connection breaks before the commit arrives. The engine sends it again.
 *
 * @category faults
 * @since 0.1.0
 */
export const requestLost: Fault = { _tag: "RequestLost" }

/**
 * The connection breaks after the commit was applied. The engine sends it again, and learns that it was.
 *
 * @category faults
 * @since 0.1.0
 */
export const answerLost: Fault = { _tag: "AnswerLost" }

/**
 * The commit is applied, and its answer is lost, as is that to each of its resendings, until the `recovery` schedule
 * ends: an `AmbiguousCommitError`. The storage of {@link layer} recovers three times.
 *
 * @category faults
 * @since 0.1.0
 */
export const ambiguous: Fault = { _tag: "Ambiguous" }

/**
 * The commit is applied, but less safely than was asked for: a `NotReplicatedError`.
 *
 * @category faults
 * @since 0.1.0
 */
export const notReplicated: Fault = { _tag: "NotReplicated" }

/**
 * The call is not answered, until the storage's `timeout` ends it. Nothing of it arrives.
 *
 * @category faults
 * @since 0.1.0
 */
export const silent: Fault = { _tag: "Silent" }

/**
 * The call takes longer.
 *
 * @category faults
 * @since 0.1.0
 */
export const slow = (duration: Duration.Input): Fault => ({
  _tag: "Slow",
  duration: Duration.fromInputUnsafe(duration)
})

/**
 * The call fails, and nothing of it is applied; with `inDoubt` the engine does not know that, and sends it again.
 *
 * @category faults
 * @since 0.1.0
 */
export const fails = (
  reason: Exclude<DriverError["reason"], "NotReplicated">,
  options?: { readonly inDoubt?: boolean | undefined }
): Fault => ({ _tag: "Fails", reason, inDoubt: options?.inDoubt ?? false })

/**
 * The faults that are still to come.
 *
 * @category services
 * @since 0.1.0
 */
export class Faults extends Context.Service<Faults, {
  /** The faults of the next commits, one for each call of the driver. */
  readonly commits: Array<Fault>
  /** The faults of the next reads. */
  readonly reads: Array<Fault>
}>()("effect-scoped/testing/Faults") {}

const plan =
  (which: "commits" | "reads") =>
  (fault: Fault, options?: { readonly times?: number | undefined }): Effect.Effect<void, never, Faults> =>
    Faults.useSync((faults) => {
      for (let i = options?.times ?? 1; i > 0; i--) faults[which].push(fault)
    })

/**
 * Lets the next commits go wrong: the next one, or the next `times`, after those that were planned before.
 *
 * The updates that wait for a scope at the same moment are one commit, and its fault is that of all of them. Reads of
 * several scopes at once are commits that change nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const commits: (
  fault: Fault,
  options?: { readonly times?: number | undefined }
) => Effect.Effect<void, never, Faults> = plan("commits")

/**
 * Lets the next reads go wrong. The first update of a scope reads it, as each `Scoped.get` does.
 *
 * @category combinators
 * @since 0.1.0
 */
export const reads: (
  fault: Fault,
  options?: { readonly times?: number | undefined }
) => Effect.Effect<void, never, Faults> = plan("reads")

/**
 * A driver around another, whose calls go wrong as the service says.
 *
 * @category constructors
 * @since 0.1.0
 */
export const wrap = (driver: Driver): Effect.Effect<Driver, never, Faults> =>
  Faults.useSync((faults): Driver => {
    // What is ambiguous stays so whenever it is sent.
    const lost = new Set<string>()
    let others = 0

    const error = (operation: "read" | "commit", reason: DriverError["reason"], inDoubt: boolean) =>
      new DriverError({
        driver: driver.name,
        operation,
        reason,
        description: "a test said so",
        inDoubt: inDoubt && operation === "commit"
      })

    const overtake = Effect.fnUntraced(function*(batch: ReadonlyArray<Transaction>) {
      const names = [...new Set(batch.flatMap((transaction) => transaction.map(({ name }) => name)))]
      const records = yield* driver.read(names)
      yield* driver.commit([
        names.map((name, i) => touch(name, records[i] ?? null, `faults:${(others++).toString(36)}`))
      ])
    })

    const inDoubt = Effect.suspend(() => Effect.fail(error("commit", "Unavailable", true)))

    return {
      ...driver,
      read: (names) =>
        Effect.suspend(() => {
          const fault = faults.reads.shift() ?? overtaken
          switch (fault._tag) {
            case "Overtaken":
            case "NotReplicated":
              return driver.read(names)
            case "Slow":
              return Effect.delay(driver.read(names), fault.duration)
            case "Silent":
              return Effect.never
            case "Fails":
              return Effect.fail(error("read", fault.reason, false))
            default:
              return Effect.fail(error("read", "Unavailable", false))
          }
        }),
      commit: (batch) =>
        Effect.suspend((): ReturnType<Driver["commit"]> => {
          const marks = batch.flatMap((transaction) => transaction.flatMap(({ next }) => next?.revision ?? []))
          if (marks.some((mark) => lost.has(mark))) return inDoubt
          const fault = faults.commits.shift()
          switch (fault?._tag) {
            case undefined:
              return driver.commit(batch)
            case "Overtaken":
              return Effect.andThen(overtake(batch), driver.commit(batch))
            case "RequestLost":
              return inDoubt
            case "AnswerLost":
              return Effect.andThen(driver.commit(batch), inDoubt)
            case "Ambiguous":
              for (const mark of marks) lost.add(mark)
              return Effect.andThen(driver.commit(batch), inDoubt)
            case "NotReplicated":
              return Effect.map(
                driver.commit(batch),
                (answers) =>
                  answers.map((answer): Verdict | DriverError =>
                    answer instanceof DriverError || !answer.committed
                      ? answer
                      : error("commit", "NotReplicated", false)
                  )
              )
            case "Silent":
              return Effect.never
            case "Slow":
              return Effect.delay(driver.commit(batch), fault.duration)
            case "Fails":
              return Effect.fail(error("commit", fault.reason, fault.inDoubt))
          }
        })
    }
  })

/** Another writer's commit, which leaves the data as it is. */
const touch = (name: string, record: Record | null, mark: string): Transaction[number] => ({
  name,
  expected: record?.revision ?? null,
  next: {
    // The marks of those who came before stay, or their lost answers could not be found any more.
    revision: [
      mark,
      ...(record?.revision ?? "").split(" ").filter((other) => other.includes(":") && !other.startsWith("faults:"))
    ].slice(0, 32).join(" "),
    data: record?.data ?? null
  },
  expiresIn: record?.expiresIn,
  retention: record === null || record.data === null || record.expiresIn !== undefined
    ? Duration.minutes(10)
    : undefined
})

/**
 * A storage over a driver whose calls go wrong as a test says.
 *
 * Unless `options` say otherwise an update is retried three times, and a lost commit sent again three times, both at
 * once.
 *
 * **Example** (What a program does when others keep coming first)
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { MemoryDriver, Scoped } from "effect-scoped"
 * import { Faults } from "effect-scoped/testing"
 *
 * const Count = Scoped.make("count", { schema: Schema.Int, initial: 0 })
 * const increment = Scoped.update(Count, (count) => [count + 1, count + 1])
 *
 * const program = Effect.gen(function*() {
 *   yield* Faults.commits(Faults.overtaken, { times: 4 })
 *   const error = yield* Effect.flip(increment)
 *   return [error._tag, yield* increment]
 * })
 *
 * const TestStorage = Faults.layer(MemoryDriver.make())
 *
 * console.log(await Effect.runPromise(program.pipe(Effect.provide(TestStorage)))) // => ["ConflictError", 1]
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(
  driver: Effect.Effect<Driver, E, R>,
  options?: Storage.Options
): Layer.Layer<Storage.Storage | Faults, E, Exclude<R, EffectScope.Scope | Faults>> =>
  Layer.provideMerge(
    Storage.layer(Effect.flatMap(driver, wrap), {
      retry: Schedule.recurs(3),
      recovery: Schedule.recurs(3),
      ...options
    }),
    Layer.sync(Faults, () => ({ commits: [], reads: [] }))
  ) as Layer.Layer<Storage.Storage | Faults, E, Exclude<R, EffectScope.Scope | Faults>>
