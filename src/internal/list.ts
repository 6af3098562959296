/** What can be in one list at a time. */
export interface Node<N extends Node<N>> {
  list: List<N> | undefined
  before: N | undefined
  after: N | undefined
}

/** A list of nodes that know their neighbours: whoever leaves it is gone from it at once, and kept alive by nothing. */
export class List<N extends Node<N>> {
  first: N | undefined = undefined
  last: N | undefined = undefined

  /** Puts a node behind another, or in front of all. */
  insert(node: N, before: N | undefined): void {
    const after = before === undefined ? this.first : before.after
    node.list = this
    node.before = before
    node.after = after
    if (before === undefined) this.first = node
    else before.after = node
    if (after === undefined) this.last = node
    else after.before = node
  }

  remove(node: N): void {
    if (node.list !== this) return
    if (node.before === undefined) this.first = node.after
    else node.before.after = node.after
    if (node.after === undefined) this.last = node.before
    else node.after.before = node.before
    node.list = node.before = node.after = undefined
  }
}
