// What runs, or may run, as the result. None of these compiles.
import {
  type Cache,
  type Clock,
  Config,
  Context,
  Deferred,
  Effect,
  Exit,
  type Fiber,
  Latch,
  Layer,
  Logger,
  type ManagedRuntime,
  Metric,
  MutableHashMap,
  MutableRef,
  Option,
  type Pool,
  type PubSub,
  type Queue,
  type RcMap,
  Ref,
  Result,
  Schedule,
  Schema,
  Scope,
  Semaphore,
  Stream,
  type SubscriptionRef,
  type SynchronizedRef,
  type Tracer,
  type TxRef
} from "effect"
import { Scoped, Storage } from "effect-scoped"
import type { HttpClient } from "effect/http"
import { int, lamp, Money, Users } from "../scopes.ts"

declare const later: (n: number) => Promise<readonly [number, number]>
declare const asyncIterable: AsyncIterable<number>
declare const synchronizedRef: SynchronizedRef.SynchronizedRef<number>
declare const subscriptionRef: SubscriptionRef.SubscriptionRef<number>
declare const txRef: TxRef.TxRef<number>
declare const fiber: Fiber.Fiber<number>
declare const queue: Queue.Queue<number>
declare const pubsub: PubSub.PubSub<number>
declare const cache: Cache.Cache<string, number>
declare const pool: Pool.Pool<number>
declare const rcMap: RcMap.RcMap<string, number>
declare const runtime: ManagedRuntime.ManagedRuntime<never, never>
declare const clock: Clock.Clock
declare const span: Tracer.Span
declare const httpClient: HttpClient.HttpClient

// @ts-expect-error: an async handler
Scoped.update(int, async (n) => [n, n])
// @ts-expect-error: an async handler that awaits
Scoped.update(int, async (n) => [await Promise.resolve(n), n])
// @ts-expect-error: an async handler, data-last
int.pipe(Scoped.update(async (n) => [n, n]))
// @ts-expect-error: an async handler of a family
Scoped.update(Users("ada"), async (u) => [u.name, u])
// @ts-expect-error: an async handler of a product
Scoped.update(Scoped.all({ int, lamp }), async (s) => [s.int, s])
// @ts-expect-error: an async handler that is named
Scoped.update(int, later)
// @ts-expect-error: a promise of a pair
Scoped.update(int, (n) => Promise.resolve([n, n] as const))
// @ts-expect-error: a promise in one branch
Scoped.update(int, (n) => n > 1 ? [n, n] : Promise.resolve([n, n] as const))
// @ts-expect-error: a generator
Scoped.update(int, function*(n) {
  yield n
  return [n, n]
})
// @ts-expect-error: an async generator
Scoped.update(int, async function*(n) {
  yield n
  return [n, n]
})
// @ts-expect-error: an effect instead of a pair
Scoped.update(int, (n) => Effect.succeed([n, n] as const))
// @ts-expect-error: an effect in one branch
Scoped.update(int, (n) => n > 1 ? [n, n] : Effect.succeed([n, n] as const))
// @ts-expect-error: an Effect.gen
Scoped.update(int, (n) => Effect.gen(() => [n, n] as never))
// @ts-expect-error: an option of a pair
Scoped.update(int, (n) => Option.some([n, n] as const))
// @ts-expect-error: a result of a pair, to update
Scoped.update(int, (n) => Result.succeed([n, n] as const))
// @ts-expect-error: a function that returns a pair
Scoped.update(int, (n) => () => [n, n])
// @ts-expect-error: an effect
Scoped.update(int, (n) => [Effect.void, n])
// @ts-expect-error: an effect that fails
Scoped.update(int, (n) => [Effect.fail("no"), n])
// @ts-expect-error: an effect that needs a service
Scoped.update(int, (n) => [Scoped.get(int), n])
// @ts-expect-error: an exit
Scoped.update(int, (n) => [Exit.succeed(1), n])
// @ts-expect-error: a promise
Scoped.update(int, (n) => [Promise.resolve(n), n])
// @ts-expect-error: something like a promise
Scoped.update(int, (n) => [null! as PromiseLike<number>, n])
// @ts-expect-error: a stream
Scoped.update(int, (n) => [Stream.make(n), n])
// @ts-expect-error: a function
Scoped.update(int, (n) => [() => n, n])
// @ts-expect-error: a function of an argument
Scoped.update(int, (n) => [(m: number) => n + m, n])
// @ts-expect-error: a method reference
Scoped.update(int, (n) => [Math.random, n])
// @ts-expect-error: a class
Scoped.update(int, (n) => [Date, n])
// @ts-expect-error: a class of one's own
Scoped.update(int, (n) => [Money, n])
// @ts-expect-error: an iterator
Scoped.update(int, (n) => [[n].values(), n])
// @ts-expect-error: a generator object
Scoped.update(int, (n) => [
  (function*() {
    yield n
  })(),
  n
])
// @ts-expect-error: an iterable
Scoped.update(int, (n) => [[n] as Iterable<number>, n])
// @ts-expect-error: an async iterable
Scoped.update(int, (n) => [asyncIterable, n])
// @ts-expect-error: a layer
Scoped.update(int, (n) => [Layer.empty, n])
// @ts-expect-error: a schedule
Scoped.update(int, (n) => [Schedule.recurs(n), n])
// @ts-expect-error: a schema
Scoped.update(int, (n) => [Schema.String, n])
// @ts-expect-error: a ref
Scoped.update(int, (n) => [Ref.makeUnsafe(n), n])
// @ts-expect-error: a synchronized ref
Scoped.update(int, (n) => [synchronizedRef, n])
// @ts-expect-error: a subscription ref
Scoped.update(int, (n) => [subscriptionRef, n])
// @ts-expect-error: a mutable ref
Scoped.update(int, (n) => [MutableRef.make(n), n])
// @ts-expect-error: a mutable hash map
Scoped.update(int, (n) => [MutableHashMap.make(["a", n]), n])
// @ts-expect-error: a transactional ref
Scoped.update(int, (n) => [txRef, n])
// @ts-expect-error: a deferred
Scoped.update(int, (n) => [Deferred.makeUnsafe<number>(), n])
// @ts-expect-error: a fiber
Scoped.update(int, (n) => [fiber, n])
// @ts-expect-error: a queue
Scoped.update(int, (n) => [queue, n])
// @ts-expect-error: a pubsub
Scoped.update(int, (n) => [pubsub, n])
// @ts-expect-error: a cache
Scoped.update(int, (n) => [cache, n])
// @ts-expect-error: a pool
Scoped.update(int, (n) => [pool, n])
// @ts-expect-error: a resource map
Scoped.update(int, (n) => [rcMap, n])
// @ts-expect-error: a semaphore
Scoped.update(int, (n) => [Semaphore.makeUnsafe(1), n])
// @ts-expect-error: a latch
Scoped.update(int, (n) => [Latch.makeUnsafe(), n])
// @ts-expect-error: a scope of lifetimes
Scoped.update(int, (n) => [Scope.makeUnsafe(), n])
// @ts-expect-error: a context
Scoped.update(int, (n) => [Context.empty(), n])
// @ts-expect-error: a service
Scoped.update(int, (n) => [Storage.Storage, n])
// @ts-expect-error: a managed runtime
Scoped.update(int, (n) => [runtime, n])
// @ts-expect-error: a metric
Scoped.update(int, (n) => [Metric.counter("a"), n])
// @ts-expect-error: a config
Scoped.update(int, (n) => [Config.String("A"), n])
// @ts-expect-error: a clock
Scoped.update(int, (n) => [clock, n])
// @ts-expect-error: a logger
Scoped.update(int, (n) => [Logger.consoleLogFmt, n])
// @ts-expect-error: a tracer's span
Scoped.update(int, (n) => [span, n])
// @ts-expect-error: an HTTP client
Scoped.update(int, (n) => [httpClient, n])
// @ts-expect-error: a scope of ours
Scoped.update(int, (n) => [int, n])
// @ts-expect-error: a family
Scoped.update(int, (n) => [Users, n])
// @ts-expect-error: a request
Scoped.update(int, (n) => [new Request("http://localhost"), n])
// @ts-expect-error: a response
Scoped.update(int, (n) => [new Response(), n])
// @ts-expect-error: a blob
Scoped.update(int, (n) => [new Blob([]), n])
// @ts-expect-error: an abort controller
Scoped.update(int, (n) => [new AbortController(), n])
// @ts-expect-error: a weak map
Scoped.update(int, (n) => [new WeakMap(), n])
// @ts-expect-error: a weak reference
Scoped.update(int, (n) => [new WeakRef({}), n])
// @ts-expect-error: a proxy of something that runs
Scoped.update(int, (n) => [new Proxy({ run: () => n }, {}), n])
// @ts-expect-error: a readable stream
Scoped.update(int, (n) => [new ReadableStream<number>(), n])
// @ts-expect-error: an event target
Scoped.update(int, (n) => [new EventTarget(), n])
// @ts-expect-error: a date format
Scoped.update(int, (n) => [new Intl.DateTimeFormat(), n])
// @ts-expect-error: the console
Scoped.update(int, (n) => [console, n])
// @ts-expect-error: the process
Scoped.update(int, (n) => [process, n])
// @ts-expect-error: a timer
Scoped.update(int, (n) => [setTimeout(() => {}, n), n])
