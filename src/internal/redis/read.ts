import * as Effect from "effect/Effect"
import type { Driver, Record } from "../../Driver.ts"
import * as Batch from "./batch.ts"
import * as Fault from "./fault.ts"
import type { Router } from "./router.ts"
import type { Job, Runner } from "./runner.ts"
import type { Script } from "./script.ts"

/** How many records one script reads at the most: they may be large. */
const maxKeys = 128

/** A part of the names: their places, and the slot that they are in. */
interface Part {
  readonly slot: number
  readonly places: Array<number>
}

/** Runs a script that answers with something for each key, for names anywhere. */
const gather = Effect.fnUntraced(function*(
  env: { readonly router: Router; readonly runner: Runner; readonly prefix: string; readonly millis: number },
  script: Script,
  names: ReadonlyArray<string>
) {
  const open = new Map<number, Array<number>>()
  const parts: Array<Part> = []
  names.forEach((name, place) => {
    const slot = env.router.slotOf(env.prefix + name)
    let places = open.get(slot)
    if (places === undefined || places.length >= maxKeys) {
      places = []
      open.set(slot, places)
      parts.push({ slot, places })
    }
    places.push(place)
  })
  const keyOf = (place: number) => env.prefix + names[place]!
  const run = Effect.fnUntraced(function*(parts: ReadonlyArray<Part>) {
    const jobs = parts.map(({ places, slot }): Job => ({
      slot,
      script,
      keys: places.map(keyOf),
      args: [],
      divisible: places.length > 1
    }))
    const outcomes = yield* env.runner.run(jobs, { millis: env.millis, repeatable: true, followers: [] })
    return outcomes.map(({ reply }, i) => ({ reply, part: parts[i]!, keys: jobs[i]!.keys }))
  })
  const answers = yield* run(parts)
  const halves = answers.filter(({ reply }) => reply._tag === "Fault" && reply.remedy?._tag === "Alone")
  if (halves.length === 0) return answers
  const alone = halves.flatMap(({ part }) => part.places.map((place): Part => ({ slot: part.slot, places: [place] })))
  return [...answers.filter((answer) => !halves.includes(answer)), ...(yield* run(alone))]
})

type Env = Parameters<typeof gather>[0]

export const make = (env: Env, script: Script): Driver["read"] =>
  Effect.fnUntraced(function*(names) {
    const found: Array<Record | null> = new Array(names.length)
    for (const { keys, part, reply } of yield* gather(env, script, names)) {
      if (reply._tag === "Fault") return yield* Fault.toDriverError(reply, "read")
      if (typeof reply.value === "string") {
        return yield* Fault.toDriverError(Batch.foreign(reply.value, keys), "read")
      }
      Batch.records(reply.value as ReadonlyArray<unknown>).forEach((record, i) => found[part.places[i]!] = record)
    }
    return found
  })

/** How long each record has to live, in milliseconds; `undefined` where it is not there, or stays, or cannot be told. */
export const lifetimes = (env: Env, script: Script) =>
  Effect.fnUntraced(function*(names: ReadonlyArray<string>) {
    const found: Array<number | undefined> = names.map(() => undefined)
    for (const { part, reply } of yield* gather(env, script, names)) {
      if (reply._tag === "Fault") continue
      ;(reply.value as ReadonlyArray<unknown>).forEach((millis, i) => {
        if (Number(millis) >= 0) found[part.places[i]!] = Number(millis)
      })
    }
    return found
  })
