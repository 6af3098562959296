import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { Driver } from "../../Driver.ts"
import type { ScopedError } from "../../ScopedError.ts"
import * as Storage from "../../Storage.ts"
import type { Made } from "./history.ts"
import type { Process } from "./process.ts"

/** A process with a storage: what programs run on. */
export class Writer<Operation, Output> {
  readonly process: Process
  readonly lane: string
  /** The calls that were not answered yet. */
  readonly open = new Map<Made<Operation, Output>, Fiber.Fiber<Output, ScopedError>>()
  /** The last that each watcher saw. */
  readonly seen: Array<{ readonly state: Output } | undefined> = []
  private readonly scope = Scope.makeUnsafe()
  private readonly run: <A, E>(effect: Effect.Effect<A, E, Storage.Storage>) => Fiber.Fiber<A, E>

  constructor(process: Process, lane: string, driver: Driver, options: Storage.Options) {
    this.process = process
    this.lane = lane
    const building = process.fork(
      Effect.provideService(Storage.make(Effect.succeed(driver), options), Scope.Scope, this.scope)
    )
    const exit = building.pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) throw new Error(`A storage could not be made: ${String(exit)}`)
    this.run = Effect.runForkWith(Context.add(process.context, Storage.Storage, exit.value))
  }

  call(
    one: Made<Operation, Output>,
    effect: Effect.Effect<Output, ScopedError, Storage.Storage>
  ): Fiber.Fiber<Output, ScopedError> {
    const fiber = this.run(effect)
    this.open.set(one, fiber)
    return fiber
  }

  /** Follows a stream for as long as the storage is there. */
  follow(changes: Effect.Effect<void, ScopedError, Storage.Storage>): void {
    // Whoever watches looks again when the store was away for too long.
    const watching = changes.pipe(Effect.exit, Effect.andThen(Effect.sleep("1 second")), Effect.forever)
    this.run(Effect.flatMap(Effect.forkIn(watching, this.scope), Fiber.await))
  }

  close(): Fiber.Fiber<void> {
    return this.process.fork(Scope.close(this.scope, Exit.void))
  }
}
