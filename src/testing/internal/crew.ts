import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { format } from "effect/Formatter"
import * as Stream from "effect/Stream"
import type * as Storage from "../../Storage.ts"
import { connect } from "./connection.ts"
import { type History, type Made, shown } from "./history.ts"
import type { Log } from "./log.ts"
import type { Network } from "./network.ts"
import type { Seeded } from "./random.ts"
import type { Spec } from "./spec.ts"
import { Writer } from "./writer.ts"

/** Processes are numbered so that those of one writer are not those of another. */
const incarnations = 1000

/** How far a clock is ahead that is so far ahead at the most. */
export const ahead = (random: Seeded, skew: number): number => skew === 0 ? 0 : random.below(2 * skew) - skew

/** The writers of a run: each planned one, and the one that looks at the end. */
export class Crew<Operation, Output> {
  /** How many calls wait for their answer. */
  open = 0
  readonly writers: Array<Writer<Operation, Output> | undefined>
  readonly closing = new Set<Writer<Operation, Output>>()
  readonly closed: Array<Writer<Operation, Output>> = []
  private readonly planned: number
  private readonly lives: Array<number>
  private readonly spec: Spec<Operation, Output>
  private readonly options: Storage.Options
  private readonly random: Seeded
  private readonly network: Network
  private readonly history: History<Operation, Output>
  private readonly log: Log

  constructor(options: {
    readonly planned: number
    readonly spec: Spec<Operation, Output>
    readonly storage: Storage.Options
    readonly random: Seeded
    readonly network: Network
    readonly history: History<Operation, Output>
    readonly log: Log
  }) {
    this.planned = options.planned
    this.writers = Array.from({ length: options.planned + 1 })
    this.lives = Array.from({ length: options.planned + 1 }, () => 0)
    this.spec = options.spec
    this.options = options.storage
    this.random = options.random
    this.network = options.network
    this.history = options.history
    this.log = options.log
  }

  /** The calls that were not answered yet. */
  get waiting(): ReadonlyArray<Made<Operation, Output>> {
    return [...this.writers, ...this.closing].flatMap((writer) => [...writer?.open.keys() ?? []])
  }

  laneOf(process: number): string {
    return process >= incarnations * this.planned ? "end" : `w${Math.floor(process / incarnations) + 1}`
  }

  call(index: number, operation: Operation): void {
    const { history, log, network: { world } } = this
    const writer = this.writers[index] ?? this.start(index)
    const { lane } = writer
    const one = history.begin(lane, operation, world.now)
    log.note(lane, () => `> ${format(operation)}`)
    this.open++
    writer.call(one, this.spec.run(operation)).addObserver((exit) => {
      if (!writer.process.alive) return
      this.open--
      writer.open.delete(one)
      const wrong = history.end(one, exit, world.now)
      if (wrong !== undefined) log.fail("defect", wrong)
      log.note(lane, () => `< ${format(operation)}: ${shown(one, exit)}`)
    })
  }

  /** Interrupts the last call that a writer has made, if it is not answered yet. */
  interrupt(index: number): void {
    const open = [...this.writers[index]?.open ?? []].at(-1)
    if (open === undefined) return
    this.log.note(open[0].client, () => `interrupts ${format(open[0].input)}`)
    open[1].interruptUnsafe()
  }

  stop(index: number, how: "crash" | "close"): void {
    const { log, network } = this
    const writer = this.writers[index]
    if (writer === undefined) return
    // Whoever comes meanwhile comes to the next one.
    this.writers[index] = undefined
    if (how === "crash") {
      log.note(writer.lane, () => "crashes")
      network.world.end(writer.process)
      network.subscriptions.forget(writer.process)
      this.open -= writer.open.size
      return
    }
    log.note(writer.lane, () => "closes")
    this.closing.add(writer)
    writer.close().addObserver((exit) => {
      log.note(writer.lane, () => "is closed")
      this.closing.delete(writer)
      this.closed.push(writer)
      if (Exit.isFailure(exit)) log.fail("close", `${writer.lane} could not be closed: ${Cause.pretty(exit.cause)}`)
    })
  }

  private start(index: number): Writer<Operation, Output> {
    const { log, network, random, spec } = this
    const id = incarnations * index + this.lives[index]!++
    const process = network.world.process(id, ahead(random, spec.skew))
    const driver = connect(network, process, 1 + random.below(3))
    const writer = new Writer<Operation, Output>(process, this.laneOf(id), driver, this.options)
    if (index < this.planned) {
      log.note(writer.lane, () => this.lives[index] === 1 ? "starts" : "starts again")
      spec.watch.forEach((_, i) => this.watch(writer, i))
    }
    return this.writers[index] = writer
  }

  private watch(writer: Writer<Operation, Output>, i: number): void {
    const { history, log } = this
    const { changes, operation } = this.spec.watch[i]!
    // What is seen is told of by the moments since the last was seen.
    let since = history.moment()
    writer.follow(Effect.suspend(() => {
      since = history.moment()
      return Stream.runForEach(changes, (state) =>
        Effect.sync(() => {
          since = history.saw(`${writer.lane} (watching)`, operation, since, state)
          log.note(writer.lane, () => `sees ${format(state)}`)
          writer.seen[i] = { state }
        }))
    }))
  }
}
