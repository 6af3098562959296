import type { Update } from "./update.ts"

/** An update's place in a line. */
export interface Place {
  readonly update: Update
  line: Line | undefined
  before: Place | undefined
  after: Place | undefined
}

/** A place for an update that waits in several lines at once. */
export class OtherPlace implements Place {
  readonly update: Update
  line: Line | undefined = undefined
  before: Place | undefined = undefined
  after: Place | undefined = undefined

  constructor(update: Update) {
    this.update = update
  }
}

/** A first-in first-out line of updates. Whoever leaves it is gone from it at once. */
export class Line {
  first: Place | undefined = undefined
  private last: Place | undefined = undefined

  get head(): Update | undefined {
    return this.first?.update
  }

  push(place: Place): void {
    place.line = this
    place.before = this.last
    if (this.last === undefined) this.first = place
    else this.last.after = place
    this.last = place
  }

  unshift(place: Place): void {
    place.line = this
    place.after = this.first
    if (this.first === undefined) this.last = place
    else this.first.before = place
    this.first = place
  }

  remove(place: Place): void {
    if (place.line !== this) return
    if (place.before === undefined) this.first = place.after
    else place.before.after = place.after
    if (place.after === undefined) this.last = place.before
    else place.after.before = place.before
    place.line = place.before = place.after = undefined
  }
}
