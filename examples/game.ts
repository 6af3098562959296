/**
 * Noughts and crosses for two, over an `HttpApi`. Games survive restarts, and any number of servers share them.
 *
 * ```sh
 * npm run game                                      # http://localhost:8090
 * curl -d '{"player":"ada"}' -H content-type:application/json localhost:8090/games/one/join
 * curl -d '{"player":"ada","cell":4}' -H content-type:application/json localhost:8090/games/one/moves
 * ```
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Config, Console, Effect, Layer, Result, Schema } from "effect"
import { Scoped } from "effect-scoped"
import { HttpRouter, HttpServer } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import { createServer } from "node:http"
import * as Storage from "./storage.ts"

const Cell = Schema.Literals(["", "o", "x"])

const Game = Schema.Union([
  Schema.TaggedStruct("Empty", {}),
  Schema.TaggedStruct("Waiting", { o: Schema.String }),
  Schema.TaggedStruct("Playing", {
    o: Schema.String,
    x: Schema.String,
    turn: Schema.Literals(["o", "x"]),
    board: Schema.Array(Cell)
  }),
  Schema.TaggedStruct("Over", { winner: Schema.NullOr(Schema.String), board: Schema.Array(Cell) })
])

const Games = Scoped.family("game", { key: Schema.String, schema: Game, initial: { _tag: "Empty" } })

class NoSeat extends Schema.TaggedError<NoSeat>()("NoSeat", { game: Schema.String }, { httpApiStatus: 409 }) {}
class NotNow extends Schema.TaggedError<NotNow>()("NotNow", { player: Schema.String }, { httpApiStatus: 409 }) {}
class Taken extends Schema.TaggedError<Taken>()("Taken", { cell: Schema.Int }, { httpApiStatus: 409 }) {}

const rows = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]]

const join = (name: string, player: string) =>
  Scoped.updateResult(Games(name), (game) => {
    switch (game._tag) {
      case "Empty":
        return Result.succeed(["o", { _tag: "Waiting", o: player }])
      case "Waiting":
        return Result.succeed(["x", {
          _tag: "Playing",
          o: game.o,
          x: player,
          turn: "o",
          board: Array.from({ length: 9 }, () => "" as const)
        }])
      default:
        return Result.fail(new NoSeat({ game: name }))
    }
  })

const move = (name: string, player: string, cell: number) =>
  Scoped.updateResult(Games(name), (game) => {
    if (game._tag !== "Playing" || game[game.turn] !== player) return Result.fail(new NotNow({ player }))
    if (game.board[cell] !== "") return Result.fail(new Taken({ cell }))
    const board = game.board.with(cell, game.turn)
    if (rows.some((row) => row.every((place) => board[place] === game.turn))) {
      return Result.succeed([`${player} wins`, { _tag: "Over", winner: player, board }])
    }
    return board.includes("")
      ? Result.succeed(["go on", { ...game, board, turn: game.turn === "o" ? "x" : "o" }])
      : Result.succeed(["a draw", { _tag: "Over", winner: null, board }])
  })

const params = { game: Schema.String }

const Api = HttpApi.make("games").add(
  HttpApiGroup.make("games").add(
    HttpApiEndpoint.get("show", "/games/:game", { params, success: Game }),
    HttpApiEndpoint.post("join", "/games/:game/join", {
      params,
      payload: Schema.Struct({ player: Schema.String }),
      success: Schema.String,
      error: NoSeat
    }),
    HttpApiEndpoint.post("move", "/games/:game/moves", {
      params,
      payload: Schema.Struct({ player: Schema.String, cell: Schema.Int }),
      success: Schema.String,
      error: [NotNow, Taken]
    })
  )
)

const Handlers = HttpApiBuilder.group(Api, "games", (handlers) =>
  handlers.handleAll({
    show: ({ params }) => Effect.orDie(Scoped.get(Games(params.game))),
    join: ({ params, payload }) =>
      join(params.game, payload.player).pipe(
        Effect.catch((error) => error._tag === "NoSeat" ? Effect.fail(error) : Effect.die(error))
      ),
    move: ({ params, payload }) =>
      move(params.game, payload.player, payload.cell).pipe(
        Effect.catch((error) =>
          error._tag === "NotNow" || error._tag === "Taken" ? Effect.fail(error) : Effect.die(error)
        )
      )
  }))

const Server = HttpRouter.serve(HttpApiBuilder.layer(Api).pipe(Layer.provide(Handlers)), {
  disableLogger: true,
  disableListenLog: true
}).pipe(
  Layer.provideMerge(
    Layer.effectDiscard(
      HttpServer.HttpServer.use(({ address }) =>
        Console.log(`Playing at http://localhost:${"port" in address ? address.port : ""}`)
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
