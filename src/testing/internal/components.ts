/** Groups what has a key in common, directly or by way of others. What has no key at all is a group of its own. */
export const components = <A>(
  items: ReadonlyArray<A>,
  keysOf: (item: A) => Iterable<string>
): ReadonlyArray<ReadonlyArray<A>> => {
  const parents = new Map<string, string>()
  const root = (key: string): string => {
    let found = key
    for (let parent = parents.get(found); parent !== undefined; parent = parents.get(found)) found = parent
    // Shortens the way for whoever comes next.
    for (let at = key; at !== found;) {
      const parent = parents.get(at)!
      parents.set(at, found)
      at = parent
    }
    return found
  }
  const firsts: Array<string | undefined> = []
  for (const item of items) {
    let first: string | undefined
    for (const key of keysOf(item)) {
      if (first === undefined) {
        first = key
        continue
      }
      const [one, other] = [root(first), root(key)]
      if (one !== other) parents.set(other, one)
    }
    firsts.push(first)
  }
  const groups = new Map<string, Array<A>>()
  const alone: Array<ReadonlyArray<A>> = []
  items.forEach((item, i) => {
    const first = firsts[i]
    if (first === undefined) {
      alone.push([item])
      return
    }
    const group = groups.get(root(first))
    if (group === undefined) groups.set(root(first), [item])
    else group.push(item)
  })
  return [...groups.values(), ...alone]
}
