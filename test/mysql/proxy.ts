/** A proxy between a driver and its server, that loses what a network may lose. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

export interface Proxy {
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
    const server = yield* listen((client) => {
      const upstream = Net.connect(target, "127.0.0.1")
      for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
        sockets.add(socket)
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.on("close", () => {
          sockets.delete(socket)
          // While nothing passes, neither does a goodbye.
          if (passing.requests && passing.replies) other.destroy()
        })
      }
      client.on("data", (chunk) => {
        requests++
        if (passing.requests) upstream.write(chunk)
      })
      upstream.on("data", (chunk) => {
        if (passing.replies) client.write(chunk)
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => socket.destroy())))
    return {
      port: server.port,
      pass: (what) => {
        passing = what
      },
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
