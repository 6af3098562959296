/**
 * Whose turn it is at a scope that several processes write at once: advice, that travels on channels.
 *
 * Who is at turn commits for a slice of time, as often as there is something to commit, and then hands on, to the next
 * and to nobody else: each process that hears something wakes up, and takes time from the one at turn. The queue is in
 * the message: it is stored nowhere. A message that is lost costs a moment, and none is ever needed for a commit to be
 * right.
 */
import { after, isLater, type Message, mostNeeds, type Term, type Writer } from "./turnMessage.ts"

/**
 * A turn lasts for so many milliseconds and so many commits, whichever takes longer: where the way to the server is long,
 * a few milliseconds would be spent on handing on. But not for longer than that.
 */
const slice = 4
const least = 8
const longest = 20

/**
 * How long nothing may be heard until somebody else takes the turn, and by how much a turn may take longer than those of
 * the last round for each one who is ahead of him.
 */
const lapse = 25
const leeway = 1.5

/** How long a turn is kept at least for whoever does not come. He has to read first, and the machine may be busy. */
const grace = 12

/** How many of its own commits it takes a writer to come: the way of the call, a read, and a way back. */
const trips = 2.5

/** For how long it matters that others came first again and again. */
export const remembered = 1_000

/** How often whoever has the turn, and is refused nevertheless, says so to all. */
const pause = 100

export class Turn {
  private readonly me: string
  private readonly say: (message: Message, to: string | undefined) => void
  private readonly now: () => number
  /** Calls back soon, unless it turns out to go on before. */
  private readonly onIdle: (idle: () => void, goesOn: () => boolean) => void
  private readonly patience: number
  private term: Term = { number: 0, by: "" }
  /** Who has the turn, and who waits for it, as far as was heard. */
  private queue: ReadonlyArray<Writer> = []
  private heardAt: number
  /** Who asked of late, for whoever gets the turn next. */
  private readonly asked = new Map<string, { readonly writer: Writer; readonly at: number }>()
  /** When our turn began. */
  private since: number | undefined = undefined
  private commits = 0
  /** When we handed on last, how many were ahead of us then, and how long each of them took the time before. */
  private handedAt = 0
  private behind = 0
  private pace = longest
  /** How long a commit takes. */
  private trip = 0
  /** How many turns elsewhere are waited for when this one has come. */
  private awaits = 0
  /** Until when those have the turns who are nearer. */
  private restsUntil = 0
  /** When we last wanted to commit. */
  private wantedAt = 0
  private askedAt = -Infinity
  /** When we last wanted to commit, and others had come first again and again. */
  overtakenAt = -Infinity
  private toldAt = -Infinity
  /** When we last said something to all that we have not heard ourselves. */
  private unheardSince: number | undefined = undefined
  private underWay = 0
  private readonly waiting = new Map<() => void, number>()
  private timer: ReturnType<typeof setTimeout> | undefined = undefined

  constructor(options: {
    readonly me: string
    /** `to`: who is to hear it. Default: all. */
    readonly say: (message: Message, to: string | undefined) => void
    readonly now: () => number
    readonly onIdle: (idle: () => void, goesOn: () => boolean) => void
    /** For how long anybody waits at the most, in milliseconds. */
    readonly patience: number
  }) {
    this.me = options.me
    this.say = options.say
    this.now = options.now
    this.onIdle = options.onIdle
    this.patience = options.patience
    this.heardAt = options.now()
  }

  get isAwaited(): boolean {
    return this.waiting.size > 0
  }

  /** When it was last of any use: whoever commits with nobody in his way has none. */
  get usedAt(): number {
    return Math.max(this.heardAt, this.askedAt)
  }

  /** Whether a commit may be prepared at once. */
  get isFree(): boolean {
    this.wantedAt = this.now()
    if (this.isDeaf) this.forget()
    return this.queue.length === 0 || this.since !== undefined
  }

  /**
   * Whether a commit to several scopes may be prepared. Who has the turns at some of them does not find the others free
   * by chance: where others came first, he asks, also if nobody has the turn.
   */
  get isFreeOfOthers(): boolean {
    return this.isFree && (this.since !== undefined || this.now() - this.overtakenAt >= remembered)
  }

  /**
   * Calls `whenever` once a commit may be prepared. `others`: of a commit to several scopes, at how many of them the turn
   * is waited for when this one has come.
   */
  wait(whenever: () => void, others?: number): void {
    this.awaits = others ?? 0
    if (others === undefined ? this.isFree : this.isFreeOfOthers) return whenever()
    this.waiting.set(whenever, this.now())
    this.queueUp()
  }

  leave(whenever: () => void): void {
    this.waiting.delete(whenever)
  }

  /** Our turn is kept, also while nothing is committed, until it is let go of. */
  hold(): void {
    this.underWay++
  }

  /** A commit is to come now. */
  letGo(): void {
    this.underWay--
    if (this.since !== undefined) this.expect()
  }

  /**
   * A commit is sent next. `claims` tells whether others come first again and again. Tells whether it is the last of our
   * turn: then `handOn` is to be called.
   */
  begin(claims: boolean): boolean {
    this.underWay++
    this.wantedAt = this.now()
    if (claims) this.overtakenAt = this.wantedAt
    if (this.queue.length === 0) {
      if (claims && this.wantedAt >= this.restsUntil && this.wantedAt - this.askedAt >= lapse + this.trip) this.ask()
      return false
    }
    if (this.since === undefined) return false
    // Others do not heed our turn: they may have one of their own, and of the two all take the later.
    if (claims && this.wantedAt - this.toldAt >= pause) this.tell(this.queue)
    const millis = this.wantedAt - this.since
    return ++this.commits >= least && millis >= slice || millis >= longest
  }

  /** The commit was answered, after so many milliseconds. */
  end(millis: number): void {
    this.underWay--
    // An answer that never came says nothing of the way.
    this.trip += (Math.min(millis, mostNeeds / trips) - this.trip) / 4
    if (this.since !== undefined && this.underWay === 0) this.releaseSoon(this.onIdle)
  }

  /** Hands on; `again` waits for another turn. */
  handOn(again = true): void {
    if (this.since === undefined) return
    // Whoever takes much longer than the others leaves them more time than he took, with the ways to him and back.
    const { needs } = this.self
    const rests = needs > 0 && this.others.every((other) => 3 * other.needs < needs)
    if (rests) this.restsUntil = this.now() + 1.5 * (this.now() - this.since) + 2 * this.trip
    this.pass(again && !rests)
  }

  hear(message: Message): void {
    const now = this.now()
    const { from } = message
    if (from.name === this.me) {
      // What we said ourselves is old: who is far away has handed on by the time that he hears of his own turn.
      this.unheardSince = undefined
      return
    }
    if (message._tag === "Queue" && !isLater(this.term, message.term)) {
      this.heardAt = now
      this.term = message.term
      this.set(message.queue)
    } else if (this.since !== undefined) {
      if (placeOf(this.queue, from.name) === -1) this.queue = [...this.queue, from]
    } else if (this.queue.length > 0) {
      this.asked.set(from.name, { writer: from, at: now })
    } else if (this.underWay > 0 || now - this.wantedAt < lapse) {
      // Two who are refused again and again. All who hear it give the turn to the same one.
      this.beginTerm([from, this.self])
    }
  }

  /** Nobody is there to whom the turn was handed. */
  missed(who: string): void {
    if (this.since !== undefined || this.queue[0]?.name !== who) return
    this.since = this.now()
    this.queue = [this.self, ...this.others.slice(1)]
    this.pass(this.waiting.size > 0)
  }

  /** Nobody waits here any more. */
  forget(): void {
    this.unheardSince = undefined
    this.asked.clear()
    this.set([])
  }

  /** What we say does not get through, or we hear nothing. */
  private get isDeaf(): boolean {
    return this.unheardSince !== undefined && this.now() - this.unheardSince > lapse + 2 * this.trip
  }

  private get self(): Writer {
    const needs = trips * this.trip + this.awaits * (this.trip + lapse)
    return { name: this.me, needs: this.trip > slice ? Math.min(Math.ceil(needs), mostNeeds) : 0 }
  }

  private get others(): ReadonlyArray<Writer> {
    return this.queue.filter(({ name }) => name !== this.me)
  }

  private get place(): number {
    return placeOf(this.queue, this.me)
  }

  /** Asks for a turn, unless one is to come, and has a look when it should have come. */
  private queueUp(): void {
    if (this.place === -1 && this.now() >= this.restsUntil) this.ask()
    this.watch()
  }

  private ask(): void {
    this.askedAt = this.now()
    this.utter({ _tag: "Ask", from: this.self })
  }

  private beginTerm(queue: ReadonlyArray<Writer>): void {
    this.heardAt = this.now()
    this.term = { number: after(this.term.number), by: this.me }
    this.tell(queue)
    this.set(queue)
  }

  private tell(queue: ReadonlyArray<Writer>): void {
    this.toldAt = this.now()
    this.utter({ _tag: "Queue", from: this.self, term: this.term, queue })
  }

  private utter(message: Message): void {
    this.unheardSince ??= this.now()
    this.say(message, undefined)
  }

  private set(queue: ReadonlyArray<Writer>): void {
    this.queue = queue
    for (const { name } of queue) this.asked.delete(name)
    const [first] = queue
    if (first?.name === this.me) {
      if (this.since !== undefined) return
      this.since = this.now()
      if (this.behind > 0) {
        this.pace = Math.min(Math.max((this.since - this.handedAt) / this.behind, slice), 2 * longest)
      }
      this.behind = 0
      this.commits = 0
      for (const { at, writer } of this.asked.values()) {
        if (this.since - at < longest + lapse) this.queue = [...this.queue, writer]
      }
      this.asked.clear()
      this.wake()
      this.expect()
      return
    }
    this.since = undefined
    if (first === undefined) return this.wake()
    if (this.waiting.size > 0) this.queueUp()
  }

  /** Hands on; `again` waits for another turn. */
  private pass(again: boolean): void {
    const { others } = this
    const queue = again && others.length > 0 ? [...others, this.self] : others
    this.heardAt = this.handedAt = this.now()
    this.behind = again ? others.length : 0
    this.set(queue)
    if (queue.length === 0) this.tell(queue)
    else this.say({ _tag: "Queue", from: this.self, term: this.term, queue }, queue[0]!.name)
  }

  /** Keeps our turn for a while for a commit that is to come. */
  private expect(): void {
    clearTimeout(this.timer)
    this.releaseSoon((idle) => {
      this.timer = setTimeout(idle, grace + 2 * this.trip)
    })
  }

  private releaseSoon(soon: (idle: () => void, goesOn: () => boolean) => void): void {
    const { commits, since } = this
    const goesOn = () => this.since !== since || this.underWay > 0 || this.commits !== commits
    soon(() => {
      if (!goesOn()) this.pass(false)
    }, goesOn)
  }

  private wake(): void {
    clearTimeout(this.timer)
    const waiting = [...this.waiting.keys()]
    this.waiting.clear()
    for (const whenever of waiting) whenever()
  }

  private watch(): void {
    const { place } = this
    const ahead = place === -1 ? this.queue : this.queue.slice(0, place)
    const due = ahead.reduce((sum, { needs }) => sum + needs, ahead.length * this.pace * leeway + lapse)
    const [oldest = 0] = this.waiting.values()
    const at = Math.min(
      place === -1 && this.askedAt < this.restsUntil
        ? this.restsUntil
        : Math.max(this.heardAt, this.askedAt) + due + 2 * this.trip,
      oldest + this.patience
    )
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.late(), Math.max(at - this.now(), 1))
  }

  /** Nothing was heard in time, or not the right thing for too long. */
  private late(): void {
    const { place } = this
    const [oldest = 0] = this.waiting.values()
    // Who asked, and was not called for as long as that, has heard of a crowd that is gone.
    if (this.now() - oldest >= this.patience) return place === -1 ? this.forget() : this.wake()
    if (place === -1 && this.askedAt < this.restsUntil) this.queueUp()
    else if (this.isDeaf || place === -1) this.forget()
    // Whoever was before us is gone, or held up.
    else this.beginTerm(this.queue.slice(place))
  }
}

const placeOf = (queue: ReadonlyArray<Writer>, who: string): number => queue.findIndex(({ name }) => name === who)
