import { afterEach, assert, beforeEach, describe, it, vi } from "@effect/vitest"
import { decode, encode, type Message, Turn } from "../../src/internal/redis/turn.ts"
import { numbers } from "../file/seeded.ts"

const patience = 200

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] })
  // Nobody wanted anything just now.
  vi.advanceTimersByTime(1_000)
})

afterEach(() => {
  vi.useRealTimers()
})

interface Commit {
  /** Whether it may be sent. */
  sent: boolean
  readonly end: () => void
}

/** Writers of one scope. What one of them says all of them hear a millisecond later, but for what gets lost. */
const crowd = (...names: ReadonlyArray<string>) => {
  const said: Array<string> = []
  const network = { delay: () => 1, loses: (_from: string, _to: string, _message: Message): boolean => false }
  const turns = new Map<string, Turn>()
  const tell = (from: string, message: Message) => {
    const text = encode(message)
    said.push(text)
    for (const [to, turn] of turns) {
      if (!network.loses(from, to, message)) setTimeout(() => turn.hear(decode(text)), network.delay())
    }
  }
  for (const me of names) {
    turns.set(
      me,
      new Turn({
        me,
        patience,
        now: () => performance.now(),
        say: (message) => tell(me, message),
        onIdle: (idle) => setTimeout(idle, 0)
      })
    )
  }
  return {
    network,
    said,
    tell,
    /** Wants to commit, again and again in vain where it `claims`. */
    begin: (who: string, claims = false): Commit => {
      const turn = turns.get(who)!
      const commit: Commit = { sent: false, end: () => turn.end(whenever) }
      const whenever = () => {
        commit.sent = true
      }
      if (turn.begin(claims, whenever)) whenever()
      return commit
    },
    pass: (millis: number) => vi.advanceTimersByTime(millis)
  }
}

type Crowd = ReturnType<typeof crowd>

/** Gives the turn to the first of them, who has a commit under way then; the others wait for it in their order. */
const settle = ({ begin, pass, said }: Crowd, first: string, ...others: ReadonlyArray<string>): Commit => {
  begin(others[0]!).end()
  const commit = begin(first, true)
  pass(2)
  for (const other of others.slice(1)) {
    begin(other).end()
    pass(2)
  }
  assert.include(said, `${others[0]}:${first} ${others[0]}`)
  return commit
}

/** Commits one after the other, for so many milliseconds or until it has to wait. */
const work = ({ begin, pass }: Crowd, who: string, millis: number): void => {
  for (let i = 0; i < millis; i++) {
    const commit = begin(who)
    if (commit.sent) pass(1)
    commit.end()
    if (!commit.sent) return
  }
}

describe("a turn at a scope in Redis", () => {
  it("is handed on when it is over, to whoever has waited for longest", () => {
    const all = crowd("a", "b", "c")
    const { begin, pass } = all
    settle(all, "a", "b", "c").end()
    const [b, c] = [begin("b"), begin("c")]
    assert.deepStrictEqual([b.sent, c.sent], [false, false])
    work(all, "a", 30)
    pass(1)
    assert.deepStrictEqual([b.sent, c.sent], [true, false])
    const a = begin("a")
    b.end()
    work(all, "b", 30)
    pass(1)
    assert.deepStrictEqual([a.sent, c.sent], [false, true])
    c.end()
    work(all, "c", 30)
    pass(1)
    assert.isTrue(a.sent)
  })

  it("is handed on at once by who has no more to commit", () => {
    const all = crowd("a", "b")
    const { begin, pass } = all
    const first = settle(all, "a", "b")
    const b = begin("b")
    first.end()
    pass(2)
    assert.isTrue(b.sent)
  })

  it("is taken by the next where its holder is silent", () => {
    const all = crowd("a", "b", "c")
    const { begin, network, pass } = all
    settle(all, "a", "b", "c")
    const [b, c] = [begin("b"), begin("c")]
    network.loses = (from, to) => from === "a" || to === "a"
    pass(40)
    assert.deepStrictEqual([b.sent, c.sent], [false, false])
    pass(10)
    assert.deepStrictEqual([b.sent, c.sent], [true, false])
    b.end()
    pass(5)
    assert.isTrue(c.sent)
  })

  it("is asked for again by who is in no queue, since what he said got lost", () => {
    const all = crowd("a", "b", "c")
    const { begin, network, pass, said } = all
    settle(all, "a", "b")
    network.loses = (from) => from === "c"
    const c = begin("c")
    pass(2)
    assert.deepStrictEqual(said.filter((text) => text === "c"), ["c"])
    network.loses = () => false
    work(all, "a", 30)
    assert.isAtLeast(said.filter((text) => text === "c").length, 2)
    pass(100)
    assert.isTrue(c.sent)
  })

  it("is waited for no longer than one has patience, whatever the others say", () => {
    const all = crowd("a", "b", "c")
    const { begin, pass, tell } = all
    settle(all, "a", "b", "c")
    const c = begin("c")
    for (let i = 0; i < patience - 1; i++) {
      tell("b", { _tag: "Queue", from: "b", queue: ["a", "b", "c"] })
      pass(1)
    }
    assert.isFalse(c.sent)
    pass(2)
    assert.isTrue(c.sent)
  })

  it("is waited for by nobody once there are none any more, or none that he hears of", () => {
    const all = crowd("a", "b")
    const { begin, network, pass, tell } = all
    settle(all, "a", "b")
    const one = begin("b")
    assert.isFalse(one.sent)
    tell("a", { _tag: "Queue", from: "a", queue: [] })
    pass(1)
    assert.isTrue(one.sent)
    one.end()
    tell("a", { _tag: "Queue", from: "a", queue: ["a"] })
    pass(1)
    network.loses = (_, to) => to === "b"
    const two = begin("b")
    assert.isFalse(two.sent)
    pass(patience)
    assert.isTrue(two.sent)
    two.end()
    assert.isTrue(begin("b").sent)
  })

  it("wakes whoever waits in time, whatever gets lost, comes late, or stands still", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = numbers(seed)
      const names = ["a", "b", "c", "d"]
      const { begin, network, pass, tell } = crowd(...names)
      const slow = 1 + random(40)
      const loss = random(60)
      const stalled = new Set<string>()
      network.delay = () => 1 + random(slow)
      network.loses = (_, to) => stalled.has(to) || random(100) < loss
      const waiting = new Map<Commit, number>()
      const open: Array<readonly [commit: Commit, until: number]> = []
      for (let now = 0; now < 1_500; now++) {
        if (random(100) === 0) {
          const who = names[random(4)]!
          if (!stalled.delete(who)) stalled.add(who)
        }
        if (random(100) === 0) {
          const queue = names.filter(() => random(2) === 0)
          tell(names[random(4)]!, { _tag: "Queue", from: names[random(4)]!, queue })
        }
        if (random(3) === 0) waiting.set(begin(names[random(4)]!, random(2) === 0), now)
        pass(1)
        for (const [commit, since] of waiting) {
          if (commit.sent) {
            waiting.delete(commit)
            open.push([commit, now + random(10)])
          } else {
            assert.isAtMost(now - since, patience + 1, `seed ${seed}`)
          }
        }
        for (let i = open.length - 1; i >= 0; i--) {
          if (open[i]![1] <= now) open.splice(i, 1)[0]![0].end()
        }
      }
      vi.clearAllTimers()
    }
  })
})
