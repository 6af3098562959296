/**
 * Turns among processes: advice on top of what the order in the journal decides.
 *
 * Whoever was just first is first again, from a fresher guess, and could leave the others nothing but refusals. So one
 * who was refused twice in a row leaves a claim in the journal. The oldest claim on a name is at turn: its process
 * commits a few times, while the others wait, and each that waits leaves a claim of its own. Who has no more to commit
 * gives up the rest of his turn. A turn that is not taken in time is lost.
 */
import type * as Line from "./line.ts"

/**
 * How many commits in a row a turn is. Between two turns as much time passes as four to six commits take: until it is
 * seen that the turn has come, what the others wrote is on disk and read, and the handlers have run on it.
 */
const commits = 32
/** A turn ends with the first commit that comes so many milliseconds after its first one. */
const slice = 30

/** How long whoever is at turn may take for a commit, in milliseconds, before others say that he is absent. */
const patience = 50

/** Claims that are never taken, on names that nobody writes, must not pile up. */
const most = 64

/** A claim names no more than so many. */
const mostNames = 16

interface Claim {
  readonly who: string
  readonly names: ReadonlySet<string>
  /** Since when it could have gone on. */
  since: number
  /** When its first commit was, by the time of the store. */
  began: number
  left: number
  /** What the last commit said that it knew to be on disk: the lines of a batch all say the same. */
  synced: number
}

export class Claims {
  // In the order of the journal, the same for all: nobody waits for one who waits for him.
  private readonly claims = new Map<string, Claim>()
  private readonly own: string
  private readonly now: () => number
  /** How long the last whole turn took, by the time of the store. */
  private lasted = 0
  /** A claim of this process is in the journal, and not read yet. */
  private left = false

  /** `own` is this process's part of the ids of its transactions, `now` the milliseconds on a clock that goes on. */
  constructor(own: string, now: () => number) {
    this.own = own
    this.now = now
  }

  get none(): boolean {
    return this.claims.size === 0
  }

  /** Whether this process has a claim that it has not used up. */
  get claimed(): boolean {
    return this.left || this.claims.has(this.own)
  }

  /** Claims names, or without any gives up what was claimed: what to write to the journal, before it counts. */
  leave(names: ReadonlyArray<string>): Line.Claim {
    this.left = true
    return { claim: this.own, names: names.slice(0, mostNames) }
  }

  /** A process claims names. Without any, what it has claimed is given up, by itself or by who waited in vain. */
  add(who: string, names: ReadonlyArray<string>): void {
    if (who === this.own) this.left = false
    const claim = this.claims.get(who)
    if (claim !== undefined) {
      if (names.length === 0) this.drop(claim)
      return
    }
    if (names.length === 0) return
    this.claims.set(who, { who, names: new Set(names), since: this.now(), began: Infinity, left: commits, synced: -1 })
    if (this.claims.size > most) this.claims.delete(this.claims.keys().next().value!)
  }

  /** A transaction was applied. */
  serve({ at, id, synced }: Line.Commit): void {
    if (this.claims.size === 0) return
    const claim = this.claims.get(id.slice(0, id.indexOf(":")))
    if (claim === undefined || claim.synced === synced) return
    claim.synced = synced
    claim.since = this.now()
    claim.began = Math.min(claim.began, at)
    // By what stands in the journal: all must agree, or some would wait for one who is no more at turn.
    if (--claim.left > 0 && at - claim.began < slice) return
    this.lasted = at - claim.began
    this.drop(claim)
  }

  /**
   * After how many milliseconds to look again whether one may write these names, and who does not take his turn, if
   * so; `undefined` when it is nobody else's turn.
   */
  wait(names: ReadonlyArray<string>): { readonly millis: number; readonly absent: string | undefined } | undefined {
    const now = this.now()
    let head: Claim | undefined
    let behind = 0
    for (const claim of this.claims.values()) {
      if (claim.who === this.own) break
      if (!names.some((name) => claim.names.has(name))) continue
      if (head !== undefined) behind++
      else head = claim
    }
    // Whoever is next looks all the time. The others need not, as long as they are not late when they are next.
    return head === undefined
      ? undefined
      : { millis: Math.max(1, behind * this.lasted / 2), absent: now >= head.since + patience ? head.who : undefined }
  }

  private drop(claim: Claim): void {
    this.claims.delete(claim.who)
    const now = this.now()
    for (const other of this.claims.values()) {
      if ([...claim.names].some((name) => other.names.has(name))) other.since = now
    }
  }
}
