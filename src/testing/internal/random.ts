import type * as Random from "effect/Random"

/** Random numbers, the same for the same seeds: mulberry32 (Tommy Ettinger), seeded with a hash of all that is given. */
export class Seeded {
  private state: number

  constructor(...seeds: ReadonlyArray<number>) {
    let hash = 0x9e3779b9
    for (const seed of seeds) {
      hash = Math.imul(hash ^ (seed | 0), 0x85ebca6b)
      hash = Math.imul(hash ^ Math.floor(seed / 2 ** 32) ^ (hash >>> 13), 0xc2b2ae35)
      hash ^= hash >>> 16
    }
    this.state = hash | 0
  }

  /** At least 0 and below 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number, at least 0 and below `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  choice<A>(items: ReadonlyArray<A>): A {
    return items[this.below(items.length)]!
  }
}

/** As the service that programs use. */
export const serviceOf = (random: Seeded): typeof Random.Random.Service => ({
  nextDoubleUnsafe: () => random.next(),
  nextIntUnsafe: () => Math.floor((random.next() * 2 - 1) * Number.MAX_SAFE_INTEGER)
})
