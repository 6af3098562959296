/**
 * Counts its visitors: all of them, and with `?user=alice` those of that user. The count survives `kill -9`, and any
 * number of servers over the same directory share it exactly.
 *
 * ```sh
 * npm start                                         # http://localhost:8090, state in ./data
 * PORT=8091 npm start                               # another one, over the same state
 * STORAGE=redis://localhost:6379 npm start          # the same program on Redis
 * STORAGE=mysql://root@localhost:3306/test npm start
 * ```
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Schema } from "effect"
import { Scoped } from "effect-scoped"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import * as Storage from "./storage.ts"

const Visits = Schema.Struct({ count: Schema.Int })

const visitsOf = (name: string) => Scoped.make(name, { schema: Visits, initial: { count: 0 } })

const visit = Scoped.update(({ count }: typeof Visits.Type) => [count + 1, { count: count + 1 }])

const count = Effect.fnUntraced(
  function*(user: string | null) {
    const visits = yield* visit(visitsOf(user === null ? "global" : `user:${user || "anonymous"}`))
    return HttpServerResponse.text(`There have been ${visits} request${visits === 1 ? "" : "s"}.\n`)
  },
  Effect.catch((error) =>
    error._tag === "NameError"
      ? text(400, error.message)
      : Effect.andThen(Effect.logError(error.message), text(503, error.message))
  )
)

const text = (status: number, message: string, headers = {}) =>
  Effect.succeed(HttpServerResponse.text(`${message}\n`, { status, headers }))

const Routes = HttpRouter.addAll([
  HttpRouter.route("*", "/", (request) =>
    request.method === "GET"
      ? count(new URL(request.url, "http://localhost").searchParams.get("user"))
      : text(405, "Only GET is counted", { allow: "GET" })),
  HttpRouter.route("*", "*", text(404, "There is only one page here: /"))
])

const Server = HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(
    Layer.effectDiscard(
      HttpServer.HttpServer.use(({ address }) =>
        Console.log(`Counting visits at http://localhost:${"port" in address ? address.port : ""}`)
      )
    )
  ),
  Layer.provide(NodeHttpServer.layerConfig(createServer, {
    port: Config.Port("PORT").pipe(Config.withDefault(8090))
  })),
  Layer.provide(Storage.layer)
)

Layer.launch(Server).pipe(
  Effect.tapError((error) => Console.error(error.message || String(error.cause))),
  Effect.tapDefect(Effect.logError),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
