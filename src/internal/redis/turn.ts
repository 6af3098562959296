/**
 * Whose turn it is at a scope that several processes write at once: advice, as all of them hear it on a channel.
 *
 * Who is at turn commits for a slice of time, as often as there is something to commit, and then hands on. The queue is
 * in the messages: it is stored nowhere, and each message says all there is to know. A message that is lost costs a
 * moment, and none is ever needed for a commit to be right.
 */

/**
 * A turn lasts for so many milliseconds and so many commits, whichever takes longer: where the way to the server is long,
 * a few milliseconds would be spent on handing on. But not for longer than that.
 */
const slice = 4
const least = 12
const longest = 20

/** How much longer nothing may be heard until somebody else takes the turn; as long again for each one ahead of him. */
const lapse = 25

/** Somebody asks for a turn, or says who waits for one: the first has it. */
export type Message =
  | { readonly _tag: "Ask"; readonly from: string }
  | { readonly _tag: "Queue"; readonly from: string; readonly queue: ReadonlyArray<string> }

export const encode = (message: Message): string =>
  message._tag === "Ask" ? message.from : `${message.from}:${message.queue.join(" ")}`

export const decode = (text: string): Message => {
  const colon = text.indexOf(":")
  if (colon === -1) return { _tag: "Ask", from: text }
  const queue = text.slice(colon + 1)
  return { _tag: "Queue", from: text.slice(0, colon), queue: queue === "" ? [] : queue.split(" ") }
}

export class Turn {
  private readonly me: string
  private readonly say: (message: Message) => void
  private readonly now: () => number
  /** Calls back once, soon, if nothing more is to be done by then. */
  private readonly onIdle: (idle: () => void) => void
  private readonly patience: number
  /** Who has the turn, and who waits for it. */
  private queue: ReadonlyArray<string> = []
  private heardAt = 0
  /** When our turn began. */
  private since: number | undefined = undefined
  private commits = 0
  /** When we last wanted to commit. */
  private wantedAt = 0
  private askedAt = -Infinity
  /** When we last said something that we have not heard ourselves. */
  private unheardSince: number | undefined = undefined
  private underWay = 0
  private readonly waiting = new Map<() => void, number>()
  private timer: ReturnType<typeof setTimeout> | undefined = undefined

  constructor(options: {
    readonly me: string
    readonly say: (message: Message) => void
    readonly now: () => number
    readonly onIdle: (idle: () => void) => void
    /** For how long a commit waits at the most, in milliseconds. */
    readonly patience: number
  }) {
    this.me = options.me
    this.say = options.say
    this.now = options.now
    this.onIdle = options.onIdle
    this.patience = options.patience
  }

  /** Whether somebody has the turn. */
  private get isTaken(): boolean {
    return this.queue.length > 0
  }

  get isBusy(): boolean {
    return this.underWay > 0
  }

  /** When it was last of any use. */
  get usedAt(): number {
    return Math.max(this.heardAt, this.wantedAt)
  }

  /**
   * A commit is about to be sent. Whether it may be at once: otherwise `whenever` is called once it may be. `end` must be
   * called when it is answered. `claims` tells whether others come first again and again.
   */
  begin(claims: boolean, whenever: () => void): boolean {
    this.underWay++
    this.wantedAt = this.now()
    if (this.isDeaf) this.forget()
    if (!this.isTaken) {
      if (claims && this.wantedAt - this.askedAt >= lapse) this.ask()
      return true
    }
    if (this.since !== undefined) {
      // Those who are next wake up while the last commit of this turn is on the way.
      if (this.isOver(this.wantedAt - this.since)) this.pass(true)
      return true
    }
    if (!this.queue.includes(this.me)) this.ask()
    this.waiting.set(whenever, this.wantedAt)
    this.watch()
    return false
  }

  end(whenever: () => void): void {
    this.waiting.delete(whenever)
    this.underWay--
    this.releaseSoon()
  }

  hear(message: Message): void {
    const now = this.now()
    const { from } = message
    if (from === this.me) this.unheardSince = undefined
    if (message._tag === "Queue") {
      this.heardAt = now
      this.set(message.queue)
    } else if (this.isTaken) {
      if (!this.queue.includes(from)) this.queue = [...this.queue, from]
    } else if (from !== this.me && now - this.wantedAt < lapse) {
      // Two who are refused again and again. All who hear it give the turn to the same one.
      this.tell([from, this.me])
    }
  }

  /** Nobody waits here any more. */
  forget(): void {
    this.since = undefined
    this.unheardSince = undefined
    this.set([])
  }

  /** What we say does not get through, or we hear nothing. */
  private get isDeaf(): boolean {
    return this.unheardSince !== undefined && this.now() - this.unheardSince > lapse
  }

  /** Whether a turn is over with the commit that comes now. */
  private isOver(millis: number): boolean {
    return ++this.commits >= least && millis >= slice || millis >= longest
  }

  private ask(): void {
    this.askedAt = this.now()
    this.utter({ _tag: "Ask", from: this.me })
  }

  private tell(queue: ReadonlyArray<string>): void {
    this.utter({ _tag: "Queue", from: this.me, queue })
  }

  private utter(message: Message): void {
    this.unheardSince ??= this.now()
    this.say(message)
  }

  private set(queue: ReadonlyArray<string>): void {
    this.queue = queue
    const [first] = queue
    if (first === this.me) {
      if (this.since !== undefined) return
      this.since = this.now()
      this.commits = 0
      this.wake()
      this.releaseSoon()
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
    this.tell(queue)
    this.heardAt = this.now()
    this.set(queue)
  }

  private releaseSoon(): void {
    if (this.since === undefined || this.underWay > 0) return
    const { since } = this
    this.onIdle(() => {
      if (this.since === since && this.underWay === 0) this.pass(false)
    })
  }

  private wake(): void {
    clearTimeout(this.timer)
    for (const whenever of this.waiting.keys()) whenever()
    this.waiting.clear()
  }

  /** Has a look when the turn should have been handed on. */
  private watch(): void {
    const ahead = Math.max(this.queue.indexOf(this.me), 1)
    const [oldest = 0] = this.waiting.values()
    const at = Math.min(this.heardAt + longest + ahead * lapse, oldest + this.patience)
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.late(), Math.max(at - this.now(), 1))
  }

  /** Nothing was heard in time, or not the right thing for too long. */
  private late(): void {
    const place = this.queue.indexOf(this.me)
    const [oldest = 0] = this.waiting.values()
    if (this.isDeaf) this.forget()
    else if (place === -1 || this.now() - oldest >= this.patience) this.wake()
    else {
      // Whoever was before us is gone, or held up.
      const queue = this.queue.slice(place)
      this.tell(queue)
      this.heardAt = this.now()
      this.set(queue)
    }
  }
}
