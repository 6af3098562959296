/** A wire that can be cut, and worse. */
import { Effect, type Scope } from "effect"
import { once } from "node:events"
import * as Net from "node:net"

export interface Proxy {
  readonly port: number
  /** Where new connections lead. */
  target: number
  /**
   * - `open`: passes everything on.
   * - `deaf`: takes what the client sends and throws away what the server answers.
   * - `dead`: passes nothing on, in neither direction, and keeps the connections open.
   * - `closed`: refuses connections.
   *
   * A connection on which anything was thrown away stays as it is: a wire loses nothing and then goes on.
   */
  mode: "open" | "deaf" | "dead" | "closed"
  /** How much later answers arrive, in milliseconds. */
  delay: number
  /** Called with what the server answers. When it gives `false`, the answer is dropped and the connection cut. */
  inspect: (answer: Buffer) => boolean
  /** What arrives instead of what the server answers. */
  replace: (answer: Buffer) => Buffer
  /** Called with what the client asks. */
  overhear: (question: Buffer) => void
  /** Cuts all connections. */
  readonly cut: () => void
  readonly connections: () => number
}

export const proxy = (target: number): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const pairs = new Set<readonly [Net.Socket, Net.Socket]>()
    const server = Net.createServer((client) => {
      const upstream = Net.connect(self.target, "127.0.0.1")
      const pair = [client, upstream] as const
      let fate: "deaf" | "dead" | undefined
      const end = () => {
        client.destroy()
        upstream.destroy()
        pairs.delete(pair)
      }
      pairs.add(pair)
      if (self.mode === "closed") return end()
      for (const socket of pair) socket.setNoDelay(true).on("error", end).on("close", end)
      client.on("data", (data) => {
        if (self.mode === "dead") fate = "dead"
        self.overhear(data)
        if (fate !== "dead") upstream.write(data)
      })
      upstream.on("data", (answer) => {
        const data = self.replace(answer)
        if (self.mode === "dead" || self.mode === "deaf") fate ??= self.mode
        if (fate !== undefined) return
        if (!self.inspect(data)) return end()
        if (self.delay === 0) client.write(data)
        else setTimeout(() => client.destroyed || client.write(data), self.delay)
      })
    })
    server.listen(0, "127.0.0.1")
    yield* Effect.promise(() => once(server, "listening"))
    const self: Proxy = {
      port: (server.address() as Net.AddressInfo).port,
      target,
      mode: "open",
      delay: 0,
      inspect: () => true,
      replace: (answer) => answer,
      overhear: () => {},
      cut: () => {
        for (const [client, upstream] of pairs) {
          client.destroy()
          upstream.destroy()
        }
      },
      connections: () => pairs.size
    }
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        self.cut()
        server.close()
      })
    )
    return self
  })
