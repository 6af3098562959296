import * as Effect from "effect/Effect"
import * as Tracer from "effect/Tracer"

/** A span for a call of the driver, with which the spans of those that it is made for are linked. None where nobody traces. */
export const traced = <A, E>(call: () => Effect.Effect<A, E>, options: {
  readonly name: string
  readonly driver: string
  readonly count: number
  readonly spans: ReadonlyArray<Tracer.Span>
}): Effect.Effect<A, E> =>
  Effect.withFiber((fiber) => {
    if (options.spans.length === 0 && fiber.getRef(Tracer.Tracer) === Tracer.nativeTracer) return call()
    return Effect.useSpan(options.name, {
      kind: "client",
      attributes: { "effect-scoped.driver": options.driver, "effect-scoped.count": options.count }
    }, (span) => {
      for (const other of options.spans) other.addLinks([{ span, attributes: {} }])
      return Effect.withParentSpan(Effect.suspend(call), span)
    })
  })
