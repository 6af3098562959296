import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { DriverError } from "../../ScopedError.ts"
import { broken } from "./broken.ts"
import { travel } from "./fates.ts"
import type { Process } from "./process.ts"
import type { Seeded } from "./random.ts"
import type { World } from "./world.ts"

interface Watcher {
  readonly process: Process
  readonly names: ReadonlySet<string>
  readonly draw: Seeded
  readonly take: (name: string) => unknown
}

/** Who is told when which name changes. Hints take their time, and are lost where nobody can be reached. */
export class Subscriptions {
  private readonly world: World
  private readonly reachable: (process: Process) => boolean
  private readonly watchers = new Set<Watcher>()

  constructor(world: World, reachable: (process: Process) => boolean) {
    this.world = world
    this.reachable = reachable
  }

  get size(): number {
    return this.watchers.size
  }

  stream(process: Process, names: ReadonlyArray<string>, draws: () => Seeded): Stream.Stream<string, DriverError> {
    return Stream.callback<string, DriverError>((queue) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          const draw = draws()
          const watcher: Watcher = {
            process,
            names: new Set(names),
            draw,
            take: (name) => Queue.offerUnsafe(queue, name)
          }
          const cancel = this.world.after(travel(draw), () => {
            if (!this.reachable(process)) {
              Queue.failCauseUnsafe(queue, Cause.fail(broken("changes", "Unavailable", false)))
              return
            }
            this.watchers.add(watcher)
            for (const name of names) this.hint(watcher, name)
          }, process)
          return () => {
            cancel()
            this.watchers.delete(watcher)
          }
        }),
        (unsubscribe) => Effect.sync(unsubscribe)
      )
    )
  }

  changed(names: Iterable<string>): void {
    if (this.watchers.size === 0) return
    for (const watcher of this.watchers) {
      for (const name of names) {
        if (watcher.names.has(name)) this.hint(watcher, name)
      }
    }
  }

  /** All that anybody watches may have changed; or all that one process does. */
  hintAll(process?: Process): void {
    for (const watcher of this.watchers) {
      if (process !== undefined && watcher.process !== process) continue
      for (const name of watcher.names) this.hint(watcher, name)
    }
  }

  /** A process is gone, and with it its subscriptions. */
  forget(process: Process): void {
    for (const watcher of this.watchers) {
      if (watcher.process === process) this.watchers.delete(watcher)
    }
  }

  private hint(watcher: Watcher, name: string): void {
    this.world.after(travel(watcher.draw), () => {
      if (this.watchers.has(watcher) && this.reachable(watcher.process)) watcher.take(name)
    }, watcher.process)
  }
}
