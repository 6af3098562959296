/**
 * Turns among processes: advice on top of what the order in the journal decides.
 *
 * Whoever was just first is first again, from a fresher guess, and could leave the others nothing but refusals. So one
 * who was refused twice in a row leaves a claim in the journal. The oldest claim on a name is at turn: its process
 * commits a few times, while the others wait, and each that waits leaves a claim of its own. Who has no more to commit
 * gives up the rest of his turn. A turn that is not taken in time is lost.
 */
import type { Commit } from "./line.ts"

/** How many commits in a row a turn is. To go on with the states of others costs about as much as one. */
const commits = 8
/** A turn ends with the first commit that comes so many milliseconds after its first one. */
const slice = 20

/** How long whoever is at turn may take for a commit, in milliseconds. */
const patience = 50

/** Claims that are never taken, on names that nobody writes, must not pile up. */
const most = 64

interface Claim {
  readonly who: string
  readonly names: ReadonlySet<string>
  /** Since when it could have gone on. */
  since: number
  /** When its first commit was. */
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
  /** How many milliseconds a commit takes, at least one. */
  pace = 1

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
    return this.claims.has(this.own)
  }

  /** A process claims names. Without any, it gives up what it has claimed. */
  add(who: string, names: ReadonlyArray<string>): void {
    const claim = this.claims.get(who)
    if (claim !== undefined) {
      if (names.length === 0) this.drop(claim, this.now())
      return
    }
    if (names.length === 0) return
    this.claims.set(who, { who, names: new Set(names), since: this.now(), began: Infinity, left: commits, synced: -1 })
    if (this.claims.size > most) this.claims.delete(this.claims.keys().next().value!)
  }

  /** A transaction was applied. */
  serve({ id, synced }: Commit): void {
    if (this.claims.size === 0) return
    const claim = this.claims.get(id.slice(0, id.indexOf(":")))
    if (claim === undefined || claim.synced === synced) return
    claim.synced = synced
    claim.since = this.now()
    claim.began = Math.min(claim.began, claim.since)
    if (--claim.left === 0 || claim.since - claim.began >= slice) this.drop(claim, claim.since)
  }

  /** Commits of others will take about as long as this one did, in milliseconds. */
  took(millis: number): void {
    this.pace = Math.max(1, millis)
  }

  /**
   * After how many milliseconds to look again whether one may write these names; `undefined` when it is nobody else's
   * turn.
   */
  wait(names: ReadonlyArray<string>): number | undefined {
    const now = this.now()
    let head: Claim | undefined
    let behind = 0
    for (const claim of this.claims.values()) {
      if (claim.who === this.own) break
      if (!names.some((name) => claim.names.has(name))) continue
      const lostAt = claim.since + patience
      if (head !== undefined) behind++
      else if (now >= lostAt) this.drop(claim, lostAt)
      else head = claim
    }
    // Whoever is next looks as often as there may be a commit. The others need not: turns take longer.
    return head === undefined ? undefined : Math.min(this.pace * Math.max(1, behind * commits / 2), patience)
  }

  /** It was this one's turn until then, and it is that of the next. */
  private drop(claim: Claim, until: number): void {
    this.claims.delete(claim.who)
    for (const other of this.claims.values()) {
      if ([...claim.names].some((name) => other.names.has(name))) other.since = Math.max(other.since, until)
    }
  }
}
