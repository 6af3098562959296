/**
 * Turns among processes: advice on top of what the order in the journal decides.
 *
 * Whoever was just first is first again, from a fresher guess, and could leave the others nothing. So one who was
 * refused twice in a row leaves a claim in the journal. Whoever reads it goes on for a slice of time, and then waits for
 * that process to commit. A turn that is not taken in time is lost.
 */

/** For how long one goes on after a claim was read, in milliseconds. */
const slice = 4
/** For how long a turn can be taken, in milliseconds. */
export const patience = 50

/** Claims that are never taken, on names that nobody writes, must not pile up. */
const most = 64

interface Claim {
  readonly names: ReadonlySet<string>
  readonly readAt: number
}

export class Claims {
  // In the order of the journal, the same for all: nobody waits for one who waits for him.
  private readonly claims = new Map<string, Claim>()
  private readonly own: string
  private readonly now: () => number

  /** `own` is this process's part of the ids of its transactions. */
  constructor(own: string, now: () => number) {
    this.own = own
    this.now = now
  }

  add(who: string, names: ReadonlyArray<string>): void {
    this.claims.set(who, { names: new Set(names), readAt: this.now() })
    if (this.claims.size > most) this.claims.delete(this.claims.keys().next().value!)
  }

  /** A transaction with this id was applied. */
  serve(id: string): void {
    if (this.claims.size > 0) this.claims.delete(id.slice(0, id.indexOf(":")))
  }

  /** Whose turn it is to write one of these names, if it is somebody else's. */
  ahead(names: Iterable<string>): string | undefined {
    if (this.claims.size === 0) return undefined
    const wanted = [...names]
    const matureAt = this.now() - slice
    for (const [who, { names, readAt }] of this.claims) {
      if (who === this.own) return undefined
      if (readAt <= matureAt && wanted.some((name) => names.has(name))) return who
    }
    return undefined
  }

  waitsFor(who: string): boolean {
    return this.claims.has(who)
  }

  /** The turn was not taken. */
  drop(who: string): void {
    this.claims.delete(who)
  }
}
