/** One MariaDB or MySQL server, which syncs every commit before it answers. */
import { Effect } from "effect"
import * as Mysql from "mysql2/promise"
import { mysqlServer, query } from "../../../servers/mysql.ts"
import { again, between, type Fault, type Faults, ofWires } from "../fault.ts"
import type { Store } from "../store.ts"
import * as Wire from "../wire.ts"

export const store = Effect.gen(function*() {
  const server = yield* mysqlServer({ durable: true, args: ["--max-connections=60"] })
  const root = (sql: string) => query(server.url, sql)
  yield* root("CREATE USER 'ada'@'%'")
  yield* root("GRANT ALL ON test.* TO 'ada'@'%'")
  const wire = yield* Wire.make(server.port)
  const grants = "SELECT, INSERT, UPDATE, DELETE"

  /** Holds something on a connection of its own. */
  const held = (sql: string, millis: Fault["millis"] = [200, 1_500]): Fault => ({
    begin: () =>
      Effect.flatMap(
        Effect.acquireRelease(
          Effect.promise(() => Mysql.createConnection({ uri: server.url, multipleStatements: true })),
          (connection) => Effect.sync(() => connection.destroy())
        ),
        (connection) => Effect.tryPromise(() => connection.query(sql))
      ),
    millis
  })
  const kills = (what: string, chance: number): Fault =>
    again(
      (random) =>
        Effect.flatMap(root("SHOW PROCESSLIST"), (processes) =>
          Effect.forEach(
            processes.filter(({ User }) => User === "ada" && random.chance(chance)),
            ({ Id }) => Effect.ignore(root(`KILL ${what} ${String(Id)}`))
          )),
      60
    )
  const crowd = Effect.acquireRelease(
    Effect.promise(async () => {
      const connections: Array<Mysql.Connection> = []
      try {
        for (;;) connections.push(await Mysql.createConnection({ uri: server.url.replace("root", "ada") }))
      } catch {
        return connections
      }
    }),
    (connections) => Effect.sync(() => connections.forEach((connection) => connection.destroy()))
  )

  const faults: Faults = {
    ...ofWires([wire]),
    serverStopped: between(
      Effect.suspend(() => server.process().signal("SIGSTOP")),
      Effect.suspend(() => server.process().signal("SIGCONT")),
      [200, 3_000]
    ),
    serverKilled: between(Effect.suspend(() => server.process().stop("SIGKILL")), server.start(), [50, 1_000]),
    serverRestarted: between(Effect.suspend(() => server.process().stop("SIGTERM")), server.start(), [50, 500]),
    killQuery: kills("QUERY", 0.5),
    killConnection: kills("CONNECTION", 0.3),
    tableLock: held("LOCK TABLES effect_scopes WRITE"),
    tableReadLock: held("LOCK TABLES effect_scopes READ"),
    rowLocks: held("START TRANSACTION; SELECT * FROM effect_scopes WHERE name LIKE '%plain' FOR UPDATE", [200, 3_000]),
    globalReadLock: held("FLUSH TABLES WITH READ LOCK"),
    readOnly: between(root("SET GLOBAL read_only=1"), root("SET GLOBAL read_only=0")),
    tooManyConnections: {
      begin: (random) => Effect.andThen(crowd, kills("CONNECTION", 0.5).begin(random)),
      millis: [300, 1_500]
    },
    noRights: between(
      Effect.andThen(root("REVOKE ALL ON test.* FROM 'ada'@'%'"), root("GRANT SELECT ON test.* TO 'ada'@'%'")),
      root(`GRANT ALL ON test.* TO 'ada'@'%'`)
    ),
    someRights: between(
      Effect.andThen(root("REVOKE ALL ON test.* FROM 'ada'@'%'"), root(`GRANT ${grants} ON test.* TO 'ada'@'%'`)),
      root(`GRANT ALL ON test.* TO 'ada'@'%'`)
    )
  }
  const store: Store = {
    place: { driver: "mysql", options: { url: `mysql://ada@127.0.0.1:${wire.port}/test` }, timeout: 3_000 },
    survives: "all",
    faults: () => faults
  }
  return store
})
