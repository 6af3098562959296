import type { Log } from "./log.ts"
import type { World } from "./world.ts"

/** Turns without time passing, after which a run is going round in circles. */
const circles = 100_000

/** How a run goes on, for as long as nothing is wrong. */
export class Course {
  private readonly world: World
  private readonly log: Log

  constructor(world: World, log: Log) {
    this.world = world
    this.log = log
  }

  /** Lets things happen until `done`, or until nothing happens any more. */
  until(done: () => boolean, millis: number): boolean {
    const { log, world } = this
    const deadline = world.now + millis
    while (!done()) {
      if (log.fault !== undefined || world.now > deadline || !world.turn()) return done()
      if (world.turns > circles) {
        log.fail("circles", `It went round in circles at ${world.now} ms: ${circles} turns without time passing`)
        return false
      }
    }
    return true
  }

  pass(millis: number): void {
    let over = false
    this.world.after(millis, () => over = true)
    this.until(() => over, Infinity)
  }
}
