import { Context, Effect, Layer, type Scope } from "effect"
import { type Driver, Storage } from "effect-scoped"

/** Two writers over one store, as two processes would be. */
export class Writers extends Context.Service<Writers, {
  readonly a: Layer.Layer<Storage.Storage>
  readonly b: Layer.Layer<Storage.Storage>
  readonly inNamespace: (namespace: string) => Layer.Layer<Storage.Storage>
}>()("effect-scoped/test/Writers") {}

/** `store` prepares an empty store, and yields how to open it. */
export const layer = <E, E2>(
  store: Effect.Effect<Effect.Effect<Driver.Driver, E2, Scope.Scope>, E, Scope.Scope>
): Layer.Layer<Writers, E> =>
  Layer.effect(
    Writers,
    Effect.gen(function*() {
      const open = Effect.orDie(yield* store)
      const [a, b] = [yield* open, yield* open]
      const storageA = yield* Layer.build(Storage.layer(Effect.succeed(a)))
      const storageB = yield* Layer.build(Storage.layer(Effect.succeed(b)))
      return {
        a: Layer.succeedContext(storageA),
        b: Layer.succeedContext(storageB),
        inNamespace: (namespace) => Storage.layer(Effect.succeed(b), { namespace })
      }
    })
  )
