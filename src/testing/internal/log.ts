import type { Event } from "./lanes.ts"
import type { World } from "./world.ts"

/** What happened in a run, where that is to be shown, and the first that was wrong. */
export class Log {
  readonly events: Array<Event> = []
  fault: { readonly kind: string; readonly message: string } | undefined = undefined
  private readonly world: World
  private readonly tracing: boolean

  constructor(world: World, tracing: boolean) {
    this.world = world
    this.tracing = tracing
  }

  note(lane: string, text: () => string): void {
    if (this.tracing) this.events.push({ at: this.world.now, lane, text: text() })
  }

  fail(kind: string, message: string): void {
    this.fault ??= { kind, message }
  }
}
