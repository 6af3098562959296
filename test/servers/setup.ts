/** Makes sure, before any test runs, that the machine has the servers and the browser that the tests need. */
import { Effect } from "effect"
import { binary } from "./server.ts"

export default (): Promise<void> =>
  Effect.runPromise(Effect.gen(function*() {
    yield* binary(["redis-server"], "redis-server")
    yield* binary(["mariadbd", "mysqld"], "mariadb-server")
    yield* binary(["chromium", "chromium-browser", "google-chrome"], "chromium")
  }))
