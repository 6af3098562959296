/** What survives: crashes of all processes and losses of power, at every step of what the driver does. */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import type { Driver, Record } from "../../src/Driver.ts"
import * as FileDriver from "../../src/FileDriver.ts"
import { commit, files, get, latest, open, record, services, temporaryDirectory, until, write } from "./helpers.ts"
import { type Machine, machine } from "./machine.ts"
import { numbers } from "./seeded.ts"

const names = ["a", "b", "c"] as const

/** What was told about the counters, and what was tried. */
class Told {
  readonly seen = new Map<string, number>()
  readonly tried = new Map<string, Map<number, Set<string>>>()

  trying(name: string, value: number, revision: string): void {
    const values = this.tried.get(name) ?? new Map<number, Set<string>>()
    this.tried.set(name, values.set(value, (values.get(value) ?? new Set()).add(revision)))
  }

  see(name: string, current: Record | null): void {
    this.seen.set(name, Math.max(this.seen.get(name) ?? 0, count(current)))
  }

  check(name: string, current: Record | null, label: string): void {
    const value = count(current)
    assert.isAtLeast(value, this.seen.get(name) ?? 0, `${label}: ${name} was lost`)
    if (current === null) return
    assert.isTrue(this.tried.get(name)?.get(value)?.has(current.revision), `${label}: ${name} was made up`)
  }
}

const count = (current: Record | null): number => Number(current?.data ?? 0)

const increment = Effect.fnUntraced(function*(driver: Driver, name: string, told: Told) {
  let current = yield* get(driver, name)
  told.see(name, current)
  while (true) {
    const next = record(String(count(current) + 1))
    told.trying(name, count(next), next.revision)
    const verdict = yield* commit(driver, write(name, current, next))
    current = verdict.committed ? next : verdict.current[0]!
    told.see(name, current)
    if (verdict.committed) return
  }
})

/** Two processes that count, look, and compact all the time. */
const work = (machine: Machine, told: Told, seed: number) =>
  Effect.gen(function*() {
    const random = numbers(seed)
    const options = { directory: machine.directory, compactAt: 300 }
    const drivers = yield* Effect.all([FileDriver.make(options), FileDriver.make(options)], { concurrency: 2 })
    for (let round = 0; round < 8; round++) {
      yield* Effect.forEach(drivers, (driver) => {
        const name = names[random(names.length)]!
        return random(3) === 0
          ? Effect.map(get(driver, name), (current) => told.see(name, current))
          : increment(driver, name, told)
      }, { concurrency: 2, discard: true })
    }
  }).pipe(Effect.provide(machine.layer))

const survives = Effect.fnUntraced(function*(directory: string, told: Told, label: string) {
  const a = yield* open({ directory, compactAt: 300 })
  for (const name of names) told.check(name, yield* get(a, name), label)
  const b = yield* open({ directory, compactAt: 300 })
  for (let round = 0; round < 12; round++) {
    yield* increment(round % 2 === 0 ? a : b, names[round % names.length]!, told)
  }
  for (const name of names) told.check(name, yield* get(a, name), `${label}, later`)
  yield* until(`${label}: nothing is left over`, Effect.sync(() => isTidy(directory)))
}, Effect.scoped)

/** Whether nothing is left of what came before the latest snapshot, but for the first file. */
const isTidy = (directory: string): boolean =>
  files(directory).every((name) => name === "snapshot-0.jsonl" || Number(/\d+/.exec(name)) >= latest(directory)) &&
  latest(directory) > 0

/** Leaves the processes as they are when the machine crashes. */
const crash = Effect.fnUntraced(function*(root: string, seed: number, at?: number) {
  const told = new Told()
  const host = yield* machine(root, at)
  const scope = yield* Scope.make()
  const processes = work(host, told, seed).pipe(Scope.provide(scope))
  if (at === undefined) {
    yield* processes
    yield* Scope.close(scope, Exit.void)
  } else {
    // They may have done without that many steps this time.
    const fiber = yield* Effect.forkDetach(processes)
    yield* Effect.raceFirst(Fiber.join(fiber), host.crashed)
  }
  return { host, told }
})

it.layer(services, { excludeTestServices: true })("what the file driver has told", (it) => {
  for (
    const [kind, after] of [
      ["a crash of all processes", (host: Machine) => host.afterKill()],
      ["a loss of power", (host: Machine, seed: number) => host.afterPowerLoss(numbers(seed))]
    ] as const
  ) {
    it.effect(`survives ${kind} at every step`, () =>
      Effect.gen(function*() {
        const root = yield* temporaryDirectory
        for (let seed = 1; seed <= 2; seed++) {
          const whole = yield* crash(root, seed)
          assert.isAbove(latest(whole.host.directory), 0, "the work moves on")
          const steps = Array.from({ length: whole.host.steps() - 1 }, (_, i) => i + 1)
          yield* Effect.forEach(steps, (at) =>
            Effect.gen(function*() {
              const label = `seed ${seed}, step ${at}`
              const { host, told } = yield* crash(root, seed, at)
              yield* survives(after(host, seed * 1000 + at), told, label).pipe(
                Effect.catch((error) => Effect.die(new Error(`${label}: ${error.message}`)))
              )
            }), { concurrency: 6 })
        }
      }), 60_000)
  }
})
