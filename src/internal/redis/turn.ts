/**
 * Whose turn it is at a scope that several processes write at once: advice, that travels on channels.
 *
 * Who is at turn commits for a slice of time, as often as there is something to commit, and then hands on, to the next
 * and to nobody else: each process that hears something wakes up, and takes time from the one at turn. The queue is in
 * the message: it is stored nowhere. A message that is lost costs a moment, and none is ever needed for a commit to be
 * right.
 */
/**
 * A turn lasts for so many milliseconds and so many commits, whichever takes longer: where the way to the server is long,
 * a few milliseconds would be spent on handing on. But not for longer than that.
 */
const slice = 4
const least = 4
const longest = 20

/**
 * How long nothing may be heard until somebody else takes the turn, and by how much a turn may take longer than those of
 * the last round for each one who is ahead of him.
 */
const lapse = 25
const leeway = 1.5

/** How long a turn is kept for whoever does not come. He may have to read first, and the machine may be busy. */
const grace = 12

/** How often whoever has the turn, and is refused nevertheless, says so to all. */
const pause = 100

/**
 * In whose order turns go: whoever begins one anew, because nobody had the turn or whoever had it did not come, begins a
 * term. Of two terms the later is heeded, so that there is one turn at a time.
 */
export interface Term {
  readonly number: number
  readonly by: string
}

const isLater = (one: Term, other: Term): boolean =>
  one.number > other.number || (one.number === other.number && one.by > other.by)

/** Numbers of terms begin with 1; nobody counts as far as this. */
const mostTerms = 2 ** 40

/** Somebody asks for a turn, or says who waits for one: the first has it. */
export type Message =
  | { readonly _tag: "Ask"; readonly from: string }
  | { readonly _tag: "Queue"; readonly from: string; readonly term: Term; readonly queue: ReadonlyArray<string> }

export const encode = (message: Message): string =>
  message._tag === "Ask"
    ? message.from
    : `${message.from}:${[message.term.number, message.term.by, ...message.queue].join(" ")}`

export const decode = (text: string): Message => {
  const colon = text.indexOf(":")
  const from = colon === -1 ? text : text.slice(0, colon)
  const [digits = "", by = "", ...queue] = colon === -1 ? [] : text.slice(colon + 1).split(" ")
  const number = Number(digits)
  return Number.isInteger(number) && number > 0 && number < mostTerms
    ? { _tag: "Queue", from, term: { number, by }, queue }
    : { _tag: "Ask", from }
}

export class Turn {
  private readonly me: string
  private readonly say: (message: Message, to: string | undefined) => void
  private readonly now: () => number
  /** Calls back once, soon, if nothing more is to be done by then. */
  private readonly onIdle: (idle: () => void) => void
  private readonly patience: number
  private term: Term = { number: 0, by: "" }
  /** Who has the turn, and who waits for it, as far as was heard. */
  private queue: ReadonlyArray<string> = []
  private heardAt = 0
  /** Who asked of late, for whoever gets the turn next. */
  private readonly asked = new Map<string, number>()
  /** When our turn began. */
  private since: number | undefined = undefined
  private commits = 0
  /** When we handed on last, how many were ahead of us then, and how long each of them took the time before. */
  private handedAt = 0
  private behind = 0
  private pace = longest
  /** When we last wanted to commit. */
  private wantedAt = 0
  private askedAt = -Infinity
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
    readonly onIdle: (idle: () => void) => void
    /** For how long anybody waits at the most, in milliseconds. */
    readonly patience: number
  }) {
    this.me = options.me
    this.say = options.say
    this.now = options.now
    this.onIdle = options.onIdle
    this.patience = options.patience
  }

  get isBusy(): boolean {
    return this.underWay > 0 || this.waiting.size > 0
  }

  /** When it was last of any use. */
  get usedAt(): number {
    return Math.max(this.heardAt, this.wantedAt)
  }

  /** Whether a commit may be prepared at once. */
  get isFree(): boolean {
    this.wantedAt = this.now()
    if (this.isDeaf) this.forget()
    return this.queue.length === 0 || this.since !== undefined
  }

  /** Calls `whenever` once a commit may be prepared. */
  wait(whenever: () => void): void {
    if (this.isFree) return whenever()
    this.waiting.set(whenever, this.now())
    if (!this.queue.includes(this.me)) this.ask()
    this.watch()
  }

  leave(whenever: () => void): void {
    this.waiting.delete(whenever)
  }

  /**
   * A commit is sent. `claims` tells whether others come first again and again. Tells whether it is the last of our turn:
   * then `handOn` is to be called as soon as it is on its way.
   */
  begin(claims: boolean): boolean {
    this.underWay++
    this.wantedAt = this.now()
    if (this.queue.length === 0) {
      if (claims && this.wantedAt - this.askedAt >= lapse) this.ask()
      return false
    }
    if (this.since === undefined) return false
    // Others do not heed our turn: they may have one of their own, and of the two all take the later.
    if (claims && this.wantedAt - this.toldAt >= pause) this.tell(this.queue)
    const millis = this.wantedAt - this.since
    return ++this.commits >= least && millis >= slice || millis >= longest
  }

  /** The commit was answered. */
  end(): void {
    this.underWay--
    if (this.since !== undefined && this.underWay === 0) this.releaseSoon(this.onIdle)
  }

  /** Hands on, and waits for another turn. */
  handOn(): void {
    if (this.since !== undefined) this.pass(true)
  }

  hear(message: Message): void {
    const now = this.now()
    const { from } = message
    if (from === this.me) this.unheardSince = undefined
    if (message._tag === "Queue" && !isLater(this.term, message.term)) {
      this.heardAt = now
      this.term = message.term
      this.set(message.queue)
    } else if (this.since !== undefined) {
      if (!this.queue.includes(from)) this.queue = [...this.queue, from]
    } else if (this.queue.length > 0) {
      this.asked.set(from, now)
    } else if (from !== this.me && now - this.wantedAt < lapse) {
      // Two who are refused again and again. All who hear it give the turn to the same one.
      this.begins([from, this.me])
    }
  }

  /** Nobody is there to whom the turn was handed. */
  missed(who: string): void {
    if (this.since !== undefined || this.queue[0] !== who) return
    this.since = this.now()
    this.queue = [this.me, ...this.queue.slice(1).filter((other) => other !== this.me)]
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
    return this.unheardSince !== undefined && this.now() - this.unheardSince > lapse
  }

  private ask(): void {
    this.askedAt = this.now()
    this.utter({ _tag: "Ask", from: this.me })
  }

  private begins(queue: ReadonlyArray<string>): void {
    this.heardAt = this.now()
    this.term = { number: this.term.number + 1, by: this.me }
    this.tell(queue)
    this.set(queue)
  }

  private tell(queue: ReadonlyArray<string>): void {
    this.toldAt = this.now()
    this.utter({ _tag: "Queue", from: this.me, term: this.term, queue })
  }

  private utter(message: Message): void {
    this.unheardSince ??= this.now()
    this.say(message, undefined)
  }

  private set(queue: ReadonlyArray<string>): void {
    this.queue = queue
    for (const who of queue) this.asked.delete(who)
    const [first] = queue
    if (first === this.me) {
      if (this.since !== undefined) return
      this.since = this.now()
      if (this.behind > 0) this.pace = Math.max((this.since - this.handedAt) / this.behind, slice)
      this.behind = 0
      this.commits = 0
      for (const [who, at] of this.asked) if (this.since - at < longest + lapse) this.queue = [...this.queue, who]
      this.asked.clear()
      this.wake()
      this.releaseSoon((idle) => {
        this.timer = setTimeout(idle, grace)
      })
      return
    }
    this.since = undefined
    if (first === undefined) return this.wake()
    if (this.waiting.size === 0) return
    if (!queue.includes(this.me)) this.ask()
    this.watch()
  }

  /** Hands on; `again` waits for another turn. */
  private pass(again: boolean): void {
    const others = this.queue.filter((who) => who !== this.me)
    const queue = again && others.length > 0 ? [...others, this.me] : others
    this.heardAt = this.handedAt = this.now()
    this.behind = again ? others.length : 0
    this.set(queue)
    if (queue.length === 0) this.tell(queue)
    else this.say({ _tag: "Queue", from: this.me, term: this.term, queue }, queue[0])
  }

  private releaseSoon(soon: (idle: () => void) => void): void {
    const { commits, since } = this
    soon(() => {
      if (this.since === since && since !== undefined && this.underWay === 0 && this.commits === commits) {
        this.pass(false)
      }
    })
  }

  private wake(): void {
    clearTimeout(this.timer)
    const waiting = [...this.waiting.keys()]
    this.waiting.clear()
    for (const whenever of waiting) whenever()
  }

  /** Has a look when the turn should have come. */
  private watch(): void {
    const place = this.queue.indexOf(this.me)
    const ahead = place === -1 ? this.queue.length : place
    const [oldest = 0] = this.waiting.values()
    const at = Math.min(
      Math.max(this.heardAt, this.askedAt) + ahead * this.pace * leeway + lapse,
      oldest + this.patience
    )
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.late(), Math.max(at - this.now(), 1))
  }

  /** Nothing was heard in time, or not the right thing for too long. */
  private late(): void {
    const place = this.queue.indexOf(this.me)
    const [oldest = 0] = this.waiting.values()
    if (this.isDeaf || place === -1) this.forget()
    else if (this.now() - oldest >= this.patience) this.wake()
    // Whoever was before us is gone, or held up.
    else this.begins(this.queue.slice(place))
  }
}
