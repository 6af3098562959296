/**
 * A chat whose pages get new messages as anybody posts them, on whichever server.
 *
 * ```sh
 * npm run chat                                      # http://localhost:8090/lobby
 * PORT=8091 npm run chat                            # another server, the same rooms
 * ```
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Config, Console, Effect, Layer, Schema, Stream } from "effect"
import { Scoped, type Storage } from "effect-scoped"
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { page } from "./chat.page.ts"
import * as Chosen from "./storage.ts"

const Message = Schema.Struct({
  author: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(40)),
  text: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1_000))
})

const Room = Schema.Struct({
  posted: Schema.Int,
  // The last hundred
  messages: Schema.Array(Schema.Struct({ ...Message.fields, number: Schema.Int, at: Schema.Date }))
})

const Rooms = Scoped.family("room", { key: Schema.String, schema: Room, initial: { posted: 0, messages: [] } })

const post = (room: string, message: typeof Message.Type, at: Date) =>
  Scoped.update(Rooms(room), ({ messages, posted }) => {
    const number = posted + 1
    return [number, { posted: number, messages: [...messages, { ...message, number, at }].slice(-100) }]
  })

const encodeRoom = Schema.encodeSync(Schema.fromJsonString(Schema.toCodecJson(Room)))

const events = (room: string) =>
  Scoped.changes(Rooms(room)).pipe(
    Stream.map((state) => `data: ${encodeRoom(state)}\n\n`),
    // A comment now and then tells servers and clients that the other side is still there.
    Stream.merge(Stream.tick("15 seconds").pipe(Stream.map(() => ": still here\n\n")), { haltStrategy: "left" }),
    Stream.encodeText
  )

const params = HttpRouter.schemaPathParams(Schema.Struct({ room: Schema.String }))

const Routes = HttpRouter.addAll([
  HttpRouter.route("GET", "/", Effect.succeed(HttpServerResponse.redirect("/lobby"))),
  HttpRouter.route("GET", "/:room", Effect.succeed(HttpServerResponse.html(page))),
  HttpRouter.route(
    "GET",
    "/:room/events",
    Effect.gen(function*() {
      const { room } = yield* params
      const storage = yield* Effect.context<Storage.Storage>()
      return HttpServerResponse.stream(Stream.provideContext(events(room), storage), {
        contentType: "text/event-stream",
        headers: { "cache-control": "no-store" }
      })
    })
  ),
  HttpRouter.route(
    "POST",
    "/:room",
    Effect.gen(function*() {
      const { room } = yield* params
      const message = yield* HttpServerRequest.schemaBodyJson(Message)
      const number = yield* post(room, message, new Date(yield* Clock.currentTimeMillis))
      return yield* HttpServerResponse.json({ number }, { status: 201 })
    }).pipe(
      Effect.catchTag(
        "SchemaError",
        (error) => Effect.succeed(HttpServerResponse.text(error.message, { status: 400 }))
      ),
      Effect.catchTag("NameError", (error) => Effect.succeed(HttpServerResponse.text(error.message, { status: 400 })))
    )
  )
])

const Server = HttpRouter.serve(Routes, { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provideMerge(
    Layer.effectDiscard(
      HttpServer.HttpServer.use(({ address }) =>
        Console.log(`Chatting at http://localhost:${"port" in address ? address.port : ""}/lobby`)
      )
    )
  ),
  Layer.provide(NodeHttpServer.layerConfig(createServer, {
    port: Config.Port("PORT").pipe(Config.withDefault(8090))
  })),
  Layer.provide(Chosen.layer)
)

Layer.launch(Server).pipe(
  Effect.tapError((error) => Console.error(error.message || String(error.cause))),
  Effect.tapDefect(Effect.logError),
  NodeRuntime.runMain({ disableErrorReporting: true })
)
