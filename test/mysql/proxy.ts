/** A proxy between a driver and its server, that loses what a network may lose. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

export interface Proxy {
  /** Where new connections go from now on; those that are open stay where they are. */
  readonly lead: (target: number) => void
  /** Those that are open now lose everything without a word; new ones do not. */
  readonly forget: () => void
  /** Keeps what is sent in either direction, and sends it on when it is told to. */
  readonly hold: (held: boolean) => void
  /**
   * Puts something else in the place of the whole reply to the next request that has this text, as it is or in
   * hexadecimal; on its way only once it is let go.
   */
  readonly replace: (text: string, reply: Buffer) => { readonly letGo: () => void }
  /** How many bytes came from clients so far. */
  readonly bytes: () => number
  readonly port: number
  /** Bytes from the client and from the server pass, or are lost without a word. */
  readonly pass: (what: { readonly requests: boolean; readonly replies: boolean }) => void
  /** Cuts all connections. */
  readonly cut: () => void
  /** How many chunks came from clients so far: what is sent at once comes as one, up to some size. */
  readonly requests: () => number
}

export const proxy = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const sockets = new Set<Net.Socket>()
    let passing = { requests: true, replies: true }
    let requests = 0
    let bytes = 0
    let to = target
    let generation = 0
    let replacement: { readonly texts: ReadonlyArray<string>; readonly letGo: Promise<Buffer> } | undefined
    let held: Array<() => void> | undefined
    const server = yield* listen((client) => {
      const upstream = Net.connect(to, "127.0.0.1")
      const own = generation
      // An answer may come in pieces, and some of them late: none passes, up to the end.
      let toEnd: { readonly mark: string; readonly isOver: () => void } | undefined
      const whenever = (send: () => void) => {
        if (own < generation) return
        if (held === undefined) send()
        else held.push(send)
      }
      for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
        sockets.add(socket)
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.on("close", () => {
          sockets.delete(socket)
          // While nothing passes, neither does a goodbye.
          if (passing.requests && passing.replies && own === generation) other.destroy()
        })
      }
      client.on("data", (chunk) => {
        requests++
        bytes += chunk.length
        if (passing.requests) whenever(() => upstream.write(chunk))
        if (replacement?.texts.some((text) => chunk.includes(text))) {
          const { promise, resolve } = Promise.withResolvers<void>()
          const mark = crypto.randomUUID()
          toEnd = { mark, isOver: resolve }
          upstream.write(nonsense(mark))
          Promise.all([replacement.letGo, promise]).then(([reply]) => client.write(reply))
          replacement = undefined
        }
      })
      let end = ""
      upstream.on("data", (chunk) => {
        if (toEnd === undefined) {
          if (passing.replies) whenever(() => client.write(chunk))
          return
        }
        end = `${end}${chunk.toString("latin1")}`.slice(-1_000)
        if (end.endsWith(`'${toEnd.mark}'`)) {
          toEnd.isOver()
          toEnd = undefined
        }
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    return {
      port: server.port,
      pass: (what) => {
        passing = what
      },
      lead: (target) => {
        to = target
      },
      forget: () => {
        generation++
      },
      hold: (hold) => {
        const waiting = held
        held = hold ? [] : undefined
        waiting?.forEach((send) => send())
      },
      replace: (text, reply) => {
        const { promise, resolve } = Promise.withResolvers<Buffer>()
        replacement = { texts: [text, Buffer.from(text).toString("hex")], letGo: promise }
        return { letGo: () => resolve(reply) }
      },
      bytes: () => bytes,
      cut: () => sockets.forEach((socket) => socket.destroy()),
      requests: () => requests
    }
  })

/** Listens on a free port of this machine, until the scope closes. */
export const listen = (
  onConnection: (socket: Net.Socket) => void
): Effect.Effect<{ readonly port: number }, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = Net.createServer(onConnection).listen(0, "127.0.0.1")
        await once(server, "listening")
        return server
      }),
      (server) => Effect.sync(() => server.close())
    ),
    (server) => ({ port: (server.address() as Net.AddressInfo).port })
  )

/**
 * Asks for a database that a server does not have, and names at the end of its error: what comes before it answers
 * another request. How a statement would be sent depends on what client and server have agreed on.
 */
const nonsense = (mark: string): Buffer => {
  const payload = Buffer.from(`\x02${mark}`)
  return Buffer.concat([Buffer.from([payload.length, 0, 0, 0]), payload])
}

/** What a server sends when a statement fails, as the first packet of an answer. */
export const errorPacket = (errno: number, message: string): Buffer => {
  const payload = Buffer.concat([Buffer.from([0xff, errno & 0xff, errno >> 8]), Buffer.from(`#HY000${message}`)])
  return Buffer.concat([Buffer.from([payload.length & 0xff, payload.length >> 8, 0, 1]), payload])
}
