/** What is put into a heap. */
export interface Timed {
  readonly at: number
  /** Of what is due at the same time, the lowest comes first. */
  readonly order: number
}

/** A binary heap: what is due first comes first. */
export class Heap<A extends Timed> {
  private readonly items: Array<A> = []

  push(item: A): void {
    const { items } = this
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): A | undefined {
    const { items } = this
    const first = items[0]
    const last = items.pop()
    if (first === undefined || last === undefined || first === last) return first
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child++
      if (!before(items[child]!, last)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return first
  }

  clear(): void {
    this.items.length = 0
  }

  some(holds: (item: A) => boolean): boolean {
    return this.items.some(holds)
  }
}

const before = (one: Timed, other: Timed): boolean =>
  one.at < other.at || (one.at === other.at && one.order < other.order)
