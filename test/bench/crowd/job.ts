/** What a member of a crew is told to do, and what it answers. */
export interface Job {
  readonly contender: string
  readonly concurrency: number
  readonly millis: number
  /** When all of them begin, by the clock of the machine. */
  readonly at: number
}

export interface Done {
  readonly count: number
  readonly seconds: number
  readonly attempts: number
  readonly latencies: Latencies
}

/** How many operations took how long, in buckets of 5 %: the bucket of so many µs is `50 * log10`. */
export type Latencies = ReadonlyArray<number>

export const bucketOf = (millis: number): number => Math.max(0, Math.round(50 * Math.log10(millis * 1_000)))

const millisOf = (bucket: number): number => 10 ** (bucket / 50) / 1_000

/** How many milliseconds so large a part of the operations took at the most. */
export const quantile = (latencies: Latencies, part: number): number => {
  const total = latencies.reduce((sum, count) => sum + count, 0)
  let seen = 0
  for (const [bucket, count] of latencies.entries()) {
    seen += count
    if (seen >= part * total) return millisOf(bucket)
  }
  return millisOf(latencies.length)
}

export const merge = (all: ReadonlyArray<Latencies>): Latencies =>
  Array.from(
    { length: Math.max(...all.map(({ length }) => length)) },
    (_, bucket) => all.reduce((sum, one) => sum + (one[bucket] ?? 0), 0)
  )
