import { List, type Node } from "../list.ts"
import type { Update } from "./update.ts"

/** An update's place in a line. */
export interface Place extends Node<Place> {
  readonly update: Update
}

/** A place for an update that waits in several lines at once. */
export class OtherPlace implements Place {
  readonly update: Update
  list: List<Place> | undefined = undefined
  before: Place | undefined = undefined
  after: Place | undefined = undefined

  constructor(update: Update) {
    this.update = update
  }
}

/** A first-in first-out line of updates. */
export class Line extends List<Place> {
  get head(): Update | undefined {
    return this.first?.update
  }

  push(place: Place): void {
    this.insert(place, this.last)
  }

  unshift(place: Place): void {
    this.insert(place, undefined)
  }
}
