/**
 * Reads records, so that no server is kept busy for long by large ones: a script tells as much as there is room for, and
 * the sizes of the rest, which are then asked for one part after the other.
 */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"
import type { Record } from "../../Driver.ts"
import * as Fault from "./fault.ts"
import type { Router } from "./router.ts"
import type { Job, Outcome, Runner } from "./runner.ts"
import type { Script } from "./script.ts"
import { decode, omitted, parse, type Told } from "./value.ts"

/** How many records one script looks at. */
const maxKeys = 512

/** How many bytes of data the scripts tell that are sent to a server at once. */
const maxBytes = 2 ** 21

/** How many bytes of data are little. */
const maxLittle = 2 ** 16

/** Some of the keys, of one slot, and how many bytes of their data may be told. */
interface Part {
  readonly slot: number
  readonly places: Array<number>
  /** The bytes of their data, once that is known. */
  bytes: number
}

export interface Env {
  readonly router: Router
  readonly runner: Runner
  readonly script: Script
  readonly millis: number
  readonly now: () => number
}

export interface Read {
  /** The records of keys anywhere, each as it was at some moment since. */
  readonly records: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null>, Fault.Fault>
  /** The records of keys of one slot, as they were at one moment; `told` are some that are known already. */
  readonly snapshot: (
    keys: ReadonlyArray<string>,
    told: ReadonlyArray<Told>,
    deadline: number
  ) => Effect.Effect<ReadonlyArray<Record | null>, Fault.Fault>
  /** The records of keys of one slot, if there is little of them, and if they can be told at once. */
  readonly little: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Record | null> | undefined>
  /** The records without their data; a fault for those that cannot be told. */
  readonly outlines: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<Told | Fault.Fault>>
}

const unfaulted = (told: ReadonlyArray<Told | Fault.Fault>): Effect.Effect<ReadonlyArray<Told>, Fault.Fault> => {
  const fault = told.find(Fault.isFault)
  return fault === undefined ? Effect.succeed(told as ReadonlyArray<Told>) : Effect.fail(fault)
}

export const make = ({ millis, now, router, runner, script }: Env): Read => {
  const options = { millis, repeatable: true }
  const until = (deadline: number) =>
    Effect.timeoutOrElse({
      duration: Math.max(deadline - now(), 0),
      orElse: () =>
        Effect.fail(Fault.make("Timeout", "the states are too large, or change too fast, to be read in time"))
    })
  // What is large is read by one at a time of those who want it from the same server.
  const turns = new Map<string, Semaphore.Semaphore>()
  const turn = (key: string): Semaphore.Semaphore => {
    const place = router.clustered ? router.placeOf(key) ?? "" : ""
    let turn = turns.get(place)
    if (turn === undefined) turns.set(place, turn = Semaphore.makeUnsafe(1))
    return turn
  }

  const job = (
    slot: number,
    keys: ReadonlyArray<string>,
    room: number,
    greedy: boolean,
    known?: ReadonlyArray<string>
  ): Job => ({
    slot,
    script,
    keys,
    args: [String(room), greedy ? "1" : "0", ...known ?? []],
    divisible: known === undefined && keys.length > 1
  })

  const answer = ({ address, reply }: Outcome, keys: ReadonlyArray<string>): ReadonlyArray<Told | Fault.Fault> =>
    reply._tag === "Fault"
      ? keys.map((key) => Fault.isPartial(reply) && reply.remedy === undefined ? { ...reply, key } : reply)
      : (reply.value as ReadonlyArray<string | Told | readonly [null, string]>).map((one, i) => {
        const told = typeof one === "string" ? parse(one) : one
        if (told === undefined) return Fault.ofKey(address, "FOREIGN", keys[i]!)
        return told?.[0] === null ? Fault.ofKey(address, told[1], keys[i]!) : told as Told
      })

  const partition = (keys: ReadonlyArray<string>, places: Iterable<number>): ReadonlyArray<Part> => {
    const open = new Map<number, Part>()
    const parts: Array<Part> = []
    for (const place of places) {
      const slot = router.slotOf(keys[place]!)
      let part = open.get(slot)
      if (part === undefined || part.places.length >= maxKeys) {
        part = { slot, places: [], bytes: 0 }
        open.set(slot, part)
        parts.push(part)
      }
      part.places.push(place)
    }
    return parts
  }

  /** Asks for parts, all at once. What may have been refused for some of its keys is asked for key by key. */
  const ask = Effect.fnUntraced(function*(
    keys: ReadonlyArray<string>,
    parts: ReadonlyArray<Part>,
    room: (part: Part) => number,
    greedy: boolean
  ) {
    const jobOf = (part: Part) => job(part.slot, part.places.map((place) => keys[place]!), room(part), greedy)
    const told: Array<Told | Fault.Fault> = []
    const put = (part: Part, outcome: Outcome) => {
      const found = answer(outcome, part.places.map((place) => keys[place]!))
      part.places.forEach((place, i) => told[place] = found[i]!)
    }
    const outcomes = yield* runner.run(parts.map(jobOf), options)
    const alone: Array<Part> = []
    parts.forEach((part, i) => {
      const { reply } = outcomes[i]!
      if (reply._tag === "Fault" && Fault.isPartial(reply) && part.places.length > 1) {
        for (const place of part.places) alone.push({ slot: part.slot, places: [place], bytes: part.bytes })
      } else {
        put(part, outcomes[i]!)
      }
    })
    if (alone.length > 0) {
      const outcomes = yield* runner.run(alone.map(jobOf), options)
      alone.forEach((part, i) => put(part, outcomes[i]!))
    }
    return told
  })

  /** The data that were too many, as many as go together at a time, and at least those of one record. */
  const rest = Effect.fnUntraced(function*(
    keys: ReadonlyArray<string>,
    sizes: ReadonlyMap<number, number>
  ) {
    const told: Array<Told | Fault.Fault> = []
    let open = sizes
    while (open.size > 0) {
      const parts: Array<Part> = []
      for (const [place, bytes] of open) {
        const slot = router.slotOf(keys[place]!)
        const last = parts.at(-1)
        if (last?.slot === slot && last.bytes + bytes <= maxBytes && last.places.length < maxKeys) {
          last.places.push(place)
          last.bytes += bytes
        } else {
          parts.push({ slot, places: [place], bytes })
        }
      }
      const left = new Map<number, number>()
      for (const part of parts) {
        const found = yield* turn(keys[part.places[0]!]!).withPermit(ask(keys, [part], () => maxBytes, true))
        for (const place of part.places) {
          const one = found[place]!
          told[place] = one
          const size = Fault.isFault(one) ? undefined : omitted(one)
          if (size !== undefined) left.set(place, size)
        }
        if (part.places.some((place) => Fault.isFault(told[place]))) return told
      }
      open = left
    }
    return told
  })

  const records: Read["records"] = Effect.fnUntraced(function*(keys) {
    const deadline = now() + millis
    const parts = partition(keys, keys.keys())
    const sharing = new Map<string | undefined, number>()
    const placeOf = (part: Part) => router.placeOf(keys[part.places[0]!]!)
    for (const part of parts) sharing.set(placeOf(part), (sharing.get(placeOf(part)) ?? 0) + part.places.length)
    const told = yield* ask(
      keys,
      parts,
      (part) => Math.floor(maxBytes * part.places.length / sharing.get(placeOf(part))!),
      false
    )
    const servers = new Map<Semaphore.Semaphore, Map<number, number>>()
    told.forEach((one, place) => {
      const size = Fault.isFault(one) ? undefined : omitted(one)
      if (size === undefined) return
      const server = turn(keys[place]!)
      const sizes = servers.get(server)
      if (sizes === undefined) servers.set(server, new Map([[place, size]]))
      else sizes.set(place, size)
    })
    if (servers.size > 0) {
      const later = yield* Effect.forEach(servers.values(), (sizes) => rest(keys, sizes), {
        concurrency: "unbounded"
      }).pipe(until(deadline))
      for (const found of later) found.forEach((one, place) => told[place] = one)
    }
    return (yield* unfaulted(told)).map(decode)
  })

  const settled = Effect.fnUntraced(function*(keys: ReadonlyArray<string>, told: ReadonlyArray<Told>) {
    const known = new Map<number, readonly [revision: string, data: string]>()
    const learn = (told: ReadonlyArray<Told>) =>
      told.forEach((one, i) => {
        if (one !== null && typeof one[1] === "string") known.set(i, [one[0], one[1]])
      })
    learn(told)
    const slot = router.slotOf(keys[0]!)
    let room = maxBytes
    for (;;) {
      const [outcome] = yield* turn(keys[0]!).withPermit(
        runner.run([job(slot, keys, room, true, keys.map((_, i) => known.get(i)?.[0] ?? ""))], options)
      )
      const found = yield* unfaulted(answer(outcome!, keys))
      // What changes faster than it can be told in parts is told in ever larger ones.
      if (found.some((one, i) => known.has(i) && one?.[1] !== -1)) room *= 2
      learn(found)
      // What was told in an earlier round, of the revision that it has now, belongs to this moment too.
      const current = found.map((one, i): Told =>
        one?.[1] === -1 ? [one[0], known.get(i)![1], ...one.slice(2) as [number?]] : one
      )
      if (current.every((one) => omitted(one) === undefined)) return current.map(decode)
    }
  })

  const snapshot: Read["snapshot"] = (keys, told, deadline) => until(deadline)(settled(keys, told))

  const outlines: Read["outlines"] = (keys) => ask(keys, partition(keys, keys.keys()), () => 0, false)

  const little: Read["little"] = (keys) =>
    Effect.callback((resume) => {
      const giveUp = keys.length > maxKeys ? undefined : runner.start(
        job(router.slotOf(keys[0]!), keys, maxLittle, false),
        options,
        // Whatever the answer is, it is looked at where a throw ends this call and nothing else.
        (outcome) =>
          resume(Effect.sync(() => {
            const told = answer(outcome, keys)
            const isAll = told.every((one): one is Told => !Fault.isFault(one) && omitted(one) === undefined)
            return isAll ? told.map(decode) : undefined
          }))
      )
      if (giveUp === undefined) return resume(Effect.undefined)
      return Effect.sync(giveUp)
    })

  return { records, snapshot, little, outlines }
}
