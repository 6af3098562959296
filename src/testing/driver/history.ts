/**
 * Is a history of concurrent commits and reads linearizable?
 *
 * Every revision is written once and names the one it replaces, so the order of the commits of each name is known. What
 * remains is one graph over all operations: each commit comes before the one that replaces its record, each look at a
 * record comes between its commit and the next, and what had ended before another thing began comes first. The history
 * is (strictly serializable, for transactions over several names) linearizable exactly when that graph has no cycle.
 */
import type { Record, Transaction, Verdict } from "../../Driver.ts"

export interface Operation {
  readonly called: number
  /** `Infinity` when there was no answer. */
  readonly returned: number
  /** What was, or may have been, applied. */
  readonly transaction?: Transaction | undefined
  /** `unknown`: there was no answer. It counts as committed when somebody saw it. */
  readonly outcome?: "committed" | "refused" | "unknown" | undefined
  /** The revision of each name that was looked at, by a read or by a refusal. */
  readonly saw?: ReadonlyArray<readonly [name: string, revision: string | null]> | undefined
}

interface Node {
  readonly called: number
  readonly returned: number
  readonly what: string
  readonly after: Array<Node>
  before: number
}

/** Records operations with the moments they began and ended at. */
export class History {
  readonly operations: Array<Operation> = []
  private moment = 0

  call(): number {
    return this.moment++
  }

  committed(called: number, transaction: Transaction, verdict: Verdict | "unknown"): void {
    const returned = verdict === "unknown" ? Infinity : this.moment++
    this.operations.push(
      verdict === "unknown" || verdict.committed
        ? { called, returned, transaction, outcome: verdict === "unknown" ? "unknown" : "committed" }
        : {
          called,
          returned,
          transaction,
          outcome: "refused",
          saw: verdict.current.map((record, i) => [transaction[i]!.name, record?.revision ?? null] as const)
        }
    )
  }

  read(called: number, names: ReadonlyArray<string>, records: ReadonlyArray<Record | null>): void {
    const saw = names.map((name, i) => [name, records[i]?.revision ?? null] as const)
    this.operations.push({ called, returned: this.moment++, saw })
  }
}

/** What is wrong with a history; empty when nothing is. */
export const check = (operations: ReadonlyArray<Operation>): ReadonlyArray<string> => {
  const faults: Array<string> = []
  const nodes: Array<Node> = []
  const node = ({ called, returned }: Operation, what: string): Node => {
    const made = { called, returned, what, after: [], before: 0 }
    nodes.push(made)
    return made
  }
  const edge = (from: Node, to: Node): void => {
    if (from === to) return
    from.after.push(to)
    to.before++
  }

  // Who replaced which revision of which name, and with what.
  const steps = new Map<string, Map<string | null, { readonly by: Node; readonly next: string }>>()
  const looks: Array<readonly [by: Node, name: string, revision: string | null]> = []
  for (const operation of applied(operations)) {
    const by = node(operation, `commit of ${JSON.stringify(operation.transaction)}`)
    for (const { expected, name, next } of operation.transaction ?? []) {
      if (next === undefined) {
        looks.push([by, name, expected])
        continue
      }
      const chain = steps.get(name) ?? new Map<string | null, { readonly by: Node; readonly next: string }>()
      steps.set(name, chain)
      if (chain.has(expected)) faults.push(`two commits replaced revision ${expected} of ${name}`)
      else chain.set(expected, { by, next: next.revision })
    }
  }
  for (const operation of operations) {
    for (const [name, revision] of operation.saw ?? []) {
      looks.push([node(operation, `look at ${name}, which found ${revision}`), name, revision])
    }
  }

  const writers = new Map<string, Map<string | null, Node | undefined>>()
  for (const [name, chain] of steps) {
    const known = new Map<string | null, Node | undefined>([[null, undefined]])
    writers.set(name, known)
    let revision: string | null = null
    for (let step = chain.get(null); step !== undefined; step = chain.get(revision)) {
      const previous = known.get(revision)
      if (previous !== undefined) edge(previous, step.by)
      if (known.has(step.next)) break
      known.set(step.next, step.by)
      revision = step.next
    }
    if (known.size !== chain.size + 1) faults.push(`the commits of ${name} are not one chain`)
  }
  for (const [by, name, revision] of looks) {
    const known = writers.get(name)
    if (revision !== null && !known?.has(revision)) {
      faults.push(`${by.what}: nobody committed ${revision} of ${name}`)
      continue
    }
    const writer = known?.get(revision)
    if (writer !== undefined) edge(writer, by)
    const successor = steps.get(name)?.get(revision)?.by
    if (successor !== undefined) edge(by, successor)
  }
  return faults.length > 0 ? faults : cycle(nodes, edge)
}

/** The commits that were applied: those that were said to be, and those in doubt that left a trace. */
const applied = (operations: ReadonlyArray<Operation>): ReadonlyArray<Operation> => {
  const found = operations.filter(({ outcome }) => outcome === "committed")
  const seen = new Set(operations.flatMap(({ saw }) => saw ?? []).map(([, revision]) => revision))
  const trace = ({ transaction }: Operation) => transaction?.forEach(({ expected }) => seen.add(expected))
  for (const operation of found) trace(operation)
  let doubtful = operations.filter(({ outcome }) => outcome === "unknown")
  for (let before = -1; before !== doubtful.length;) {
    before = doubtful.length
    doubtful = doubtful.filter((operation) => {
      if (!operation.transaction?.some(({ next }) => next !== undefined && seen.has(next.revision))) return true
      found.push(operation)
      trace(operation)
      return false
    })
  }
  return found
}

const cycle = (nodes: ReadonlyArray<Node>, edge: (from: Node, to: Node) => void): ReadonlyArray<string> => {
  // Real time as a chain of moments: an edge from each operation to the moment of its end, and from the moment of its
  // beginning to it, instead of one for every pair.
  const moments = [
    ...nodes.map((node) => ({ at: node.called, node, begins: true })),
    ...nodes.filter(({ returned }) => returned !== Infinity).map((node) => ({ at: node.returned, node, begins: false }))
  ].toSorted((one, other) => one.at - other.at)
  const all = [...nodes]
  let last: Node | undefined
  for (const { begins, node } of moments) {
    const moment: Node = { called: 0, returned: 0, what: "", after: [], before: 0 }
    if (last !== undefined) edge(last, moment)
    if (begins) edge(moment, node)
    else edge(node, moment)
    all.push(moment)
    last = moment
  }
  const ready = all.filter(({ before }) => before === 0)
  let sorted = 0
  for (let next = ready.pop(); next !== undefined; next = ready.pop()) {
    sorted++
    for (const after of next.after) {
      if (--after.before === 0) ready.push(after)
    }
  }
  if (sorted === all.length) return []
  const stuck = nodes.filter(({ before }) => before > 0).slice(0, 8)
  return [`no order of these is possible: ${stuck.map(({ what }) => what).join("; ")}`]
}
