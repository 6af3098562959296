/** A wire between workers and a server, that does what networks do. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"
import { freePort } from "../../servers/server.ts"

/** What happens to a chunk of bytes on its way: how many of them pass, and whether the connection is cut then. */
export interface Fate {
  readonly passes: number
  readonly cut: boolean
}

export interface Wire {
  readonly port: number
  /** Where new connections lead. */
  target: number
  /** How much later bytes arrive, in milliseconds. */
  delay: number
  /** Whether bytes are lost, in both directions, without a word. What lost any stays silent. */
  silent: boolean
  /** Whether new connections are refused. */
  closed: boolean
  readonly request: { fate: (chunk: Buffer) => Fate }
  readonly answer: { fate: (chunk: Buffer) => Fate }
  readonly cut: () => void
  /** The server loses all connections, and the workers are not told. */
  readonly halfOpen: () => void
}

export const passes = (chunk: Buffer): Fate => ({ passes: chunk.length, cut: false })

/** Does one thing after another, each not before its time: what is late holds up what comes after it. */
const inOrder = (delay: () => number) => {
  const waiting: Array<{ readonly at: number; readonly run: () => void }> = []
  const go = (): void => {
    while (waiting.length > 0) {
      const left = waiting[0]!.at - performance.now()
      if (left > 0) {
        setTimeout(go, Math.ceil(left))
        return
      }
      waiting.shift()!.run()
    }
  }
  return (run: () => void) => {
    waiting.push({ at: performance.now() + delay(), run })
    if (waiting.length === 1) go()
  }
}

export const make = Effect.fnUntraced(function*(target: number): Effect.fn.Return<Wire, never, Scope.Scope> {
  const pairs = new Set<{ readonly client: Net.Socket; readonly upstream: Net.Socket; deaf: boolean }>()
  const port = yield* freePort
  const server = Net.createServer((client) => {
    if (self.closed) {
      client.destroy()
      return
    }
    const upstream = Net.connect(self.target, "127.0.0.1")
    const pair = { client, upstream, deaf: false }
    pairs.add(pair)
    const end = () => {
      client.destroy()
      upstream.destroy()
      pairs.delete(pair)
    }
    const carry = (from: Net.Socket, to: Net.Socket, way: { fate: (chunk: Buffer) => Fate }) => {
      const later = inOrder(() => self.delay)
      from.setNoDelay(true).on("error", () => {}).on("close", () => {
        if (!pair.deaf || from === client) end()
      })
      from.on("data", (chunk) => {
        if (self.silent) pair.deaf = true
        if (pair.deaf) return
        const { cut, passes } = way.fate(chunk)
        const some = chunk.subarray(0, passes)
        later(() => {
          if (to.destroyed) return
          if (cut) to.write(some, end)
          else to.write(some)
        })
      })
    }
    carry(client, upstream, self.request)
    carry(upstream, client, self.answer)
  })
  server.listen(port, "127.0.0.1")
  yield* Effect.promise(() => once(server, "listening"))
  const self: Wire = {
    port,
    target,
    delay: 0,
    silent: false,
    closed: false,
    request: { fate: passes },
    answer: { fate: passes },
    cut: () => {
      for (const { client, upstream } of pairs) {
        client.destroy()
        upstream.destroy()
      }
    },
    halfOpen: () => {
      for (const pair of pairs) {
        pair.deaf = true
        pair.upstream.destroy()
      }
    }
  }
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      self.cut()
      server.close()
    })
  )
  return self
})
