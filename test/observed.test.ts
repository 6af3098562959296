import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { run, storages } from "./support/example.ts"

interface Span {
  readonly name: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly links?: ReadonlyArray<{ readonly spanId: string }>
}

/** What a collector was sent, by path. */
const collector = Effect.acquireRelease(
  Effect.callback<{ readonly url: string; readonly sent: Map<string, Array<string>>; readonly close: () => void }>(
    (resume) => {
      const sent = new Map<string, Array<string>>()
      const server = createServer((request, response) => {
        let body = ""
        request.on("data", (chunk) => body += chunk)
        request.on("end", () => {
          const path = request.url!
          sent.set(path, [...sent.get(path) ?? [], body])
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
      })
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as AddressInfo
        resume(Effect.succeed({ url: `http://127.0.0.1:${port}`, sent, close: () => server.close() }))
      })
    }
  ),
  ({ close }) => Effect.sync(close)
)

describe("examples/observed.ts", () => {
  it.live("sends spans that lead from a caller to its batch, and metrics", () =>
    Effect.gen(function*() {
      const { sent, url } = yield* collector
      const { code, output } = yield* run("observed", { ...(yield* storages["file"]!), OTLP: url })
      assert.strictEqual(code, 0, output)
      assert.include(output, "20 visits so far")
      const spans = sent.get("/v1/traces")!.flatMap((body) =>
        JSON.parse(body).resourceSpans.flatMap((resource: { scopeSpans: ReadonlyArray<{ spans: Array<Span> }> }) =>
          resource.scopeSpans.flatMap(({ spans }) => spans)
        ) as Array<Span>
      )
      const caller = spans.find(({ name }) => name === "twenty visits")!
      const updates = spans.filter(({ name }) => name === "effect-scoped.update")
      const batches = new Set(spans.filter(({ name }) => name === "effect-scoped.commit").map(({ spanId }) => spanId))
      assert.strictEqual(updates.length, 20)
      for (const { links, parentSpanId } of updates) {
        assert.strictEqual(parentSpanId, caller.spanId)
        assert.isTrue(links!.some(({ spanId }) => batches.has(spanId)))
      }
      assert.isBelow(batches.size, 20)
      const metrics = sent.get("/v1/metrics")!.join("\n")
      for (const name of ["updates_total", "commit_duration", "batch_transactions", "waiting"]) {
        assert.include(metrics, `effect_scoped_${name}`)
      }
      // States stay in the store.
      for (const bodies of sent.values()) assert.notInclude(bodies.join("\n"), "\"data\"")
    }))
})
