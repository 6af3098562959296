/** Turns as such: writers that hear each other over a simulated channel, with losses, delays and deaths. */
import { afterEach, assert, beforeEach, describe, it } from "@effect/vitest"
import { vi } from "vitest"
import { Turn } from "../../src/internal/redis/turn.ts"
import { decode, encode } from "../../src/internal/redis/turnMessage.ts"
import { Seeded } from "../../src/testing/internal/random.ts"

interface Wire {
  /** How many milliseconds a message takes; `undefined` where it is lost. */
  readonly delay: () => number | undefined
}

/** A commit takes so many milliseconds. */
const commitMillis = 1

class Writer {
  readonly name: string
  readonly turn: Turn
  commits = 0
  /** How long it waited for each of its turns. */
  readonly waits: Array<number> = []
  alive = true
  /** Whether it goes on when a commit is answered, and whether it has ended. */
  busy = true
  idle = false
  committing = false
  /** How often in a row others were first. */
  private losses = 0
  private readonly crowd: Crowd

  constructor(name: string, crowd: Crowd) {
    this.name = name
    this.crowd = crowd
    this.turn = new Turn({
      me: name,
      now: () => Date.now(),
      patience: 1_000,
      say: (message, to) => crowd.carry(this, encode(message), to),
      onIdle: (idle) => setTimeout(idle, 0)
    })
  }

  want(): void {
    this.idle = !this.alive || !this.busy
    if (this.idle) return
    if (this.turn.isFree) return this.commit()
    const since = Date.now()
    this.turn.wait(() => {
      if (!this.alive) return
      this.waits.push(Date.now() - since)
      this.commit()
    })
  }

  private commit(): void {
    const overtaken = this.crowd.writers.some(({ committing }) => committing)
    if (overtaken) this.crowd.collisions++
    this.losses = overtaken ? this.losses + 1 : 0
    this.committing = true
    const last = this.turn.begin(this.losses > 1)
    if (last) this.turn.handOn()
    const start = Date.now()
    setTimeout(() => {
      this.committing = false
      if (!this.alive) return
      this.commits++
      this.turn.end(Date.now() - start)
      this.want()
    }, commitMillis)
  }
}

class Crowd {
  readonly writers: Array<Writer>
  collisions = 0
  toAll = 0
  toOne = 0
  wire: Wire

  constructor(size: number, wire: Wire) {
    this.wire = wire
    this.writers = Array.from({ length: size }, (_, i) => new Writer(`w${i}`, this))
    for (const writer of this.writers) writer.want()
  }

  carry(from: Writer, text: string, to: string | undefined): void {
    if (to === undefined) this.toAll++
    else this.toOne++
    if (!from.alive) return
    const delay = this.wire.delay()
    if (delay === undefined) return
    setTimeout(() => {
      const there = this.writers.filter(({ alive, name }) => alive && (to === undefined || to === name))
      for (const { turn } of there) turn.hear(decode(text))
      if (to !== undefined && there.length === 0) setTimeout(() => from.turn.missed(to), delay)
    }, delay)
  }

  /** What happens in so many milliseconds. */
  during(millis: number) {
    const before = { commits: this.writers.map(({ commits }) => commits), ...this }
    for (const { waits } of this.writers) waits.length = 0
    vi.advanceTimersByTime(millis)
    return {
      commits: this.writers.map(({ commits }, i) => commits - before.commits[i]!),
      collisions: this.collisions - before.collisions,
      toAll: this.toAll - before.toAll,
      toOne: this.toOne - before.toOne
    }
  }

  close(): void {
    for (const writer of this.writers) {
      writer.alive = false
      writer.turn.forget()
    }
  }
}

const writer = (name: string) => ({ name, needs: 0 })
const soon: Wire = { delay: () => 0.2 }
const sum = (numbers: ReadonlyArray<number>): number => numbers.reduce((sum, n) => sum + n, 0)

describe("turns", () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it("go round among those who want them, and only the next hears of it", () => {
    const crowd = new Crowd(8, soon)
    crowd.during(500)
    const { collisions, commits, toAll, toOne } = crowd.during(4_000)
    assert.strictEqual(toAll, 0)
    assert.isAbove(toOne, 300)
    assert.isBelow(toOne, 1_000)
    // Who is next begins while the last commit of the one before is on its way.
    assert.isAtMost(collisions, toOne)
    assert.isAbove(Math.min(...commits) / Math.max(...commits), 0.95, commits.join(" "))
    assert.isAbove(sum(commits), 3_000)
    crowd.close()
  })

  it("end when nobody wants them, and all know", () => {
    const crowd = new Crowd(3, soon)
    crowd.during(200)
    for (const writer of crowd.writers) writer.busy = false
    crowd.during(500)
    assert.deepStrictEqual(crowd.writers.map(({ turn }) => turn.isFree), [true, true, true])
    const [one] = crowd.writers
    one!.busy = true
    one!.want()
    const { commits, toAll, toOne } = crowd.during(100)
    assert.isAtLeast(commits[0]!, 99)
    assert.deepStrictEqual([toAll, toOne], [0, 0])
    crowd.close()
  })

  it("go on without one who dies, with the turn or while it waits", () => {
    for (let victim = 0; victim < 8; victim++) {
      const crowd = new Crowd(8, soon)
      crowd.during(500 + 3 * victim)
      crowd.writers[victim]!.alive = false
      crowd.during(200)
      const { commits } = crowd.during(1_000)
      const others = commits.filter((_, i) => i !== victim)
      assert.isAbove(sum(others), 700, `${victim}: ${commits.join(" ")}`)
      assert.isAbove(Math.min(...others) / Math.max(...others), 0.7, `${victim}: ${commits.join(" ")}`)
      crowd.close()
    }
  })

  it("go to the one after, at once, where nobody is there to hand on to", () => {
    const crowd = new Crowd(4, soon)
    crowd.during(300)
    crowd.writers.find(({ committing }) => !committing)!.alive = false
    let idle = 0
    for (let i = 0; i < 100; i++) if (sum(crowd.during(1).commits) === 0) idle++
    assert.isBelow(idle, 20)
    crowd.close()
  })

  it("take in who comes later", () => {
    const crowd = new Crowd(4, soon)
    crowd.during(300)
    const late = new Writer("late", crowd)
    crowd.writers.push(late)
    late.want()
    crowd.during(300)
    const { commits } = crowd.during(1_000)
    assert.isAbove(Math.min(...commits) / Math.max(...commits), 0.8, commits.join(" "))
    crowd.close()
  })

  it("are waited for no longer than one has patience, whatever the others say", () => {
    const crowd = new Crowd(1, soon)
    const [one] = crowd.writers
    const queue = {
      _tag: "Queue",
      from: writer("x"),
      term: { number: 9, by: "x" },
      queue: ["x", "y", "w0"].map(writer)
    } as const
    for (let i = 0; i < 3_000; i++) {
      one!.turn.hear(queue)
      crowd.during(1)
    }
    assert.isAtLeast(one!.commits, 3)
    crowd.close()
  })

  it("are not taken from who hears of a later one", () => {
    const crowd = new Crowd(1, soon)
    const { turn } = crowd.writers[0]!
    turn.hear({ _tag: "Queue", from: writer("x"), term: { number: 5, by: "x" }, queue: ["x", "w0"].map(writer) })
    for (const term of [{ number: 4, by: "y" }, { number: 5, by: "w" }]) {
      turn.hear({ _tag: "Queue", from: writer("y"), term, queue: [writer("w0")] })
      assert.isFalse(turn.isFree)
    }
    turn.hear({ _tag: "Queue", from: writer("x"), term: { number: 5, by: "x" }, queue: [writer("w0")] })
    assert.isTrue(turn.isFree)
    crowd.close()
  })

  it("are not waited for by who hears that nobody has one when he is about to wait", () => {
    const crowd = new Crowd(1, soon)
    const { turn } = crowd.writers[0]!
    const term = { number: 1, by: "x" }
    turn.hear({ _tag: "Queue", from: writer("x"), term, queue: [writer("x")] })
    assert.isFalse(turn.isFree)
    turn.hear({ _tag: "Queue", from: writer("x"), term, queue: [] })
    let called = false
    turn.wait(() => {
      called = true
    })
    assert.isTrue(called)
    crowd.close()
  })

  it("are not waited for by who hears nothing", () => {
    const crowd = new Crowd(4, soon)
    crowd.during(200)
    crowd.wire = { delay: () => undefined }
    crowd.during(200)
    const { commits } = crowd.during(1_000)
    for (const count of commits) assert.isAtLeast(count, 900)
    crowd.close()
  })

  it("are not waited for again and again by who asked for one, and whom nobody has heard", () => {
    const crowd = new Crowd(1, soon)
    // It is not in the queue, and those who are have gone: so many of them that it does not wait for all to be late.
    const queue = Array.from({ length: 60 }, (_, i) => writer(`gone${i}`))
    crowd.writers[0]!.turn.hear({ _tag: "Queue", from: queue[0]!, term: { number: 9, by: "gone0" }, queue })
    crowd.during(1_100)
    const { commits } = crowd.during(1_000)
    assert.isAtLeast(commits[0]!, 900)
    crowd.close()
  })

  it("are not had again by who hears himself say late that he has one", () => {
    const crowd = new Crowd(1, soon)
    const [one] = crowd.writers
    one!.busy = false
    crowd.during(50)
    const { turn } = one!
    const term = { number: 9, by: "x" }
    turn.hear({ _tag: "Queue", from: writer("x"), term, queue: ["w0", "x"].map(writer) })
    turn.handOn()
    turn.hear({ _tag: "Queue", from: writer("w0"), term, queue: ["w0", "x"].map(writer) })
    assert.isFalse(turn.isFree)
    crowd.close()
  })

  it("are asked for at one of several scopes where others came first, although nobody has one", () => {
    const crowd = new Crowd(1, soon)
    const [one] = crowd.writers
    one!.busy = false
    crowd.during(50)
    const { turn } = one!
    assert.isTrue(turn.isFreeOfOthers)
    turn.begin(true)
    turn.end(1)
    assert.deepStrictEqual([turn.isFree, turn.isFreeOfOthers], [true, false])
    let called = 0
    turn.wait(() => called++, 1)
    assert.strictEqual(called, 0)
    // Nobody is there.
    crowd.during(200)
    assert.strictEqual(called, 1)
    crowd.close()
  })

  it("are kept for another one that is waited for, and then for the commit", () => {
    const crowd = new Crowd(1, soon)
    const [one] = crowd.writers
    one!.busy = false
    crowd.during(50)
    const { turn } = one!
    const queue = ["w0", "x"].map(writer)
    turn.hear({ _tag: "Queue", from: writer("x"), term: { number: 9, by: "x" }, queue })
    turn.hold()
    const { toOne } = crowd.during(200)
    turn.letGo()
    assert.deepStrictEqual([toOne, crowd.during(8).toOne], [0, 0])
    // Nothing was committed.
    assert.strictEqual(crowd.during(20).toOne, 1)
    crowd.close()
  })

  it("are not spoiled by anybody who counts terms up to the last", () => {
    const crowd = new Crowd(4, soon)
    crowd.during(500)
    const before = sum(crowd.during(4_000).commits)
    for (const number of [2 ** 40 - 1, 2 ** 39 - 1, 2 ** 39, 2 ** 40 - 1]) {
      for (const { turn } of crowd.writers) turn.hear(decode(`x:${number} x`))
      crowd.during(2_000)
      assert.isAbove(sum(crowd.during(4_000).commits), 0.9 * before)
    }
    crowd.close()
  })

  it("are handed on to no more of those who are not there than a crowd may have", () => {
    const queueOf = (size: number) => Array.from({ length: size }, (_, i) => writer(`n${i}`))
    const heardOf = (size: number) => {
      const message = decode(
        encode({ _tag: "Queue", from: writer("x"), term: { number: 1, by: "x" }, queue: queueOf(size) })
      )
      return message._tag === "Queue" ? message.queue : []
    }
    assert.deepStrictEqual(heardOf(300), queueOf(300))
    assert.isBelow(heardOf(100_000).length, 2_000)
  })

  it("are one at a time again after two had it", () => {
    const crowd = new Crowd(6, soon)
    crowd.during(300)
    // Half of them do not hear the other half for a while, and both halves go on.
    const half = new Set(crowd.writers.slice(3))
    const { carry } = crowd
    crowd.carry = (from, text, to) => {
      const deaf = crowd.writers.filter((writer) => half.has(writer) !== half.has(from))
      for (const writer of deaf) writer.alive = false
      const there = crowd.writers.filter(({ alive, name }) => alive && (to === undefined || to === name))
      for (const writer of deaf) writer.alive = true
      setTimeout(() => there.forEach(({ alive, turn }) => alive && turn.hear(decode(text))), 0.2)
    }
    assert.isAbove(crowd.during(2_000).collisions, 100)
    crowd.carry = carry
    crowd.during(1_000)
    const { collisions, commits, toOne } = crowd.during(2_000)
    assert.isAtMost(collisions, toOne)
    assert.isAbove(Math.min(...commits) / Math.max(...commits), 0.9, commits.join(" "))
    crowd.close()
  })

  it("come to everybody, whatever is lost or late", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = new Seeded(seed)
      const rough: Wire = { delay: () => random.chance(0.1) ? undefined : random.next() * 12 }
      const crowd = new Crowd(2 + random.below(7), rough)
      for (let round = 0; round < 10; round++) {
        const { commits } = crowd.during(3_000)
        const busy = commits.filter((_, i) => crowd.writers[i]!.busy)
        assert.isTrue(busy.every((count) => count > 0), `seed ${seed}, round ${round}: ${commits.join(" ")}`)
        // Some go, others come.
        for (const writer of crowd.writers) {
          writer.busy = random.chance(0.8)
          if (writer.busy && writer.idle) writer.want()
        }
      }
      for (const writer of crowd.writers) {
        writer.busy = true
        if (writer.idle) writer.want()
      }
      crowd.wire = soon
      crowd.during(1_000)
      const { collisions, commits } = crowd.during(1_000)
      assert.isBelow(collisions, 0.3 * sum(commits), `seed ${seed}: two have the turn`)
      assert.isAbove(Math.min(...commits) / Math.max(...commits), 0.5, `seed ${seed}: ${commits.join(" ")}`)
      crowd.close()
    }
  })
})
