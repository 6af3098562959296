import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"
import type { Run } from "./run.ts"

/** A span for a batch, with which the spans of the updates that travel in it are linked. Nothing where nobody traces. */
export const traced = <A>(call: Effect.Effect<A>, driver: string, runs: ReadonlyArray<Run>): Effect.Effect<A> => {
  const spans: Array<Tracer.Span> = []
  for (const { updates } of runs) {
    for (const { span } of updates) if (span !== undefined) spans.push(span)
  }
  return Effect.withFiber((fiber) => {
    if (spans.length === 0 && fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) return call
    return Effect.useSpan("effect-scoped.commit", {
      kind: "client",
      attributes: { "effect-scoped.driver": driver, "effect-scoped.transactions": runs.length }
    }, (batch) => {
      for (const span of spans) span.addLinks([{ span: batch, attributes: {} }])
      return Effect.withParentSpan(call, batch)
    })
  })
}
