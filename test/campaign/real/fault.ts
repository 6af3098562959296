/** What goes wrong, for a while. */
import { Effect, type Scope } from "effect"
import type { Seeded } from "../../../src/testing/internal/random.ts"
import type { Wire } from "./wire.ts"
import * as Wires from "./wire.ts"
import type { Worker } from "./workers.ts"

/** Begins, and is over when the scope closes. `millis` is how long it lasts at the least and at the most. */
export interface Fault {
  readonly begin: (random: Seeded) => Effect.Effect<unknown, unknown, Scope.Scope>
  readonly millis: readonly [least: number, most: number]
}

export interface Faults {
  readonly [name: string]: Fault
}

/** A fault that is over by itself. */
export const once = (
  effect: (random: Seeded) => Effect.Effect<unknown, unknown>,
  millis: Fault["millis"] = [100, 400]
): Fault => ({ begin: effect, millis })

export const between = (
  begin: Effect.Effect<unknown, unknown>,
  end: Effect.Effect<unknown, unknown>,
  millis: Fault["millis"] = [100, 1_000]
): Fault => ({ begin: () => Effect.acquireRelease(begin, () => Effect.orDie(end)), millis })

/** A fault that happens again and again while it lasts. */
export const again = (
  effect: (random: Seeded) => Effect.Effect<unknown, unknown>,
  every: number,
  millis: Fault["millis"] = [300, 1_500]
): Fault => ({
  begin: (random) =>
    Effect.forkScoped(Effect.forever(Effect.andThen(
      Effect.ignore(effect(random)),
      Effect.suspend(() => Effect.sleep(every / 2 + random.below(every)))
    ))),
  millis
})

/** Faults of workers, whatever the store. */
export const ofWorkers = (workers: ReadonlyArray<Worker>): Faults => ({
  workerKilled: once((random) => random.choice(workers).restart),
  workersKilled: again((random) => random.choice(workers).restart, 700, [1_500, 3_000]),
  allKilled: once(() => Effect.forEach(workers, (worker) => worker.restart, { concurrency: "unbounded" })),
  workerStopped: {
    begin: (random) => {
      const worker = random.choice(workers)
      const child = worker.process()
      return Effect.acquireRelease(
        Effect.sync(() => child.kill("SIGSTOP")),
        () => Effect.sync(() => child.kill("SIGCONT"))
      )
    },
    millis: [200, 3_000]
  },
  clockMoved: {
    begin: (random) => {
      const worker = random.choice(workers)
      const offset = random.choice([-86_400_000, -5_000, 5_000, 600_000, 86_400_000])
      return Effect.acquireRelease(
        Effect.sync(() => worker.tell({ do: "clock", offset })),
        () => Effect.sync(() => worker.tell({ do: "clock", offset: 0 }))
      )
    },
    millis: [300, 1_500]
  }
})

/** Cuts the connection on which the next few chunks go, after so many of their bytes. */
const cutting = (wires: ReadonlyArray<Wire>, way: "request" | "answer", part: (random: Seeded) => number): Fault => ({
  begin: (random) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        for (const wire of wires) {
          wire[way].fate = (chunk) =>
            random.chance(0.1)
              ? { passes: Math.floor(chunk.length * part(random)), cut: true }
              : Wires.passes(chunk)
        }
      }),
      () =>
        Effect.sync(() => {
          for (const wire of wires) wire[way].fate = Wires.passes
        })
    ),
  millis: [300, 1_500]
})

const setting = (wires: ReadonlyArray<Wire>, on: (wire: Wire) => void, off: (wire: Wire) => void) =>
  between(Effect.sync(() => wires.forEach(on)), Effect.sync(() => wires.forEach(off)))

/** Faults of the network between workers and servers. */
export const ofWires = (wires: ReadonlyArray<Wire>): Faults => ({
  cutBefore: cutting(wires, "request", () => 0),
  cutWithin: cutting(wires, "request", (random) => random.next()),
  answerCut: cutting(wires, "answer", (random) => random.next()),
  answerLost: cutting(wires, "answer", () => 0),
  silence: setting(wires, (wire) => {
    wire.silent = true
  }, (wire) => {
    wire.silent = false
  }),
  delay: setting(wires, (wire) => {
    wire.delay = 150
  }, (wire) => {
    wire.delay = 0
  }),
  refused: setting(wires, (wire) => {
    wire.closed = true
    wire.cut()
  }, (wire) => {
    wire.closed = false
  }),
  halfOpen: once(() => Effect.sync(() => wires.forEach((wire) => wire.halfOpen())))
})
