import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Mysql from "mysql2"
import type * as Promised from "mysql2/promise"
import * as Fault from "./fault.ts"

/** Where the connections come from. */
export interface Source {
  readonly pool?: Mysql.Pool | Promised.Pool | undefined
  readonly url?: string | Redacted.Redacted | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  readonly tls?: boolean | Mysql.SslOptions | undefined
  readonly poolConfig?: Mysql.PoolOptions | undefined
}

/** The pool that was given, or one of our own. It connects when it is used. */
export const make = (source: Source, timeout: number): Effect.Effect<{
  readonly pool: Mysql.Pool
  readonly owned: boolean
}, Fault.Fault> => {
  const given = source.pool
  if (given !== undefined) {
    // The flavour with promises wraps the one with callbacks.
    return Effect.succeed({ pool: "pool" in given ? given.pool as unknown as Mysql.Pool : given, owned: false })
  }
  const url = source.url === undefined || typeof source.url === "string" ? source.url : Redacted.value(source.url)
  const misread = url === undefined ? undefined : misreadable(url)
  if (misread !== undefined) return Effect.fail(misread)
  return Effect.try({
    try: () => ({ pool: Mysql.createPool(config(source, url, timeout)), owned: true }),
    catch: (cause) => ({
      ...Fault.make("Unknown", `its options are not valid: ${cause instanceof Error ? cause.message : String(cause)}`),
      // The message of an invalid URL does not repeat it. The error does, password and all.
      ...(source.url === undefined ? { cause } : {})
    })
  })
}

/**
 * A URL in which a password could be taken for something else, such as a host, and be shown as such. No part of it goes
 * into the error.
 */
const misreadable = (text: string): Fault.Fault | undefined => {
  const url = URL.parse(text)
  const behind = url === null ? "@" : url.pathname + url.search + url.hash
  return url !== null && !behind.includes("@") ? undefined : Fault.make(
    "Unknown",
    "Invalid URL: write it as mysql://user:password@host:port/database, and what is special in user and password, " +
      "such as \"/\", \"#\", \"?\" and \"@\", as encodeURIComponent does"
  )
}

const config = (source: Source, url: string | undefined, timeout: number): Mysql.PoolOptions => {
  const { poolConfig, tls } = source
  const config: Mysql.PoolOptions = {
    ...poolConfig,
    ...(url === undefined ? {} : { uri: url }),
    multipleStatements: true,
    connectTimeout: Math.min(poolConfig?.connectTimeout ?? timeout, timeout),
    waitForConnections: true,
    queueLimit: 0
  }
  if (source.host !== undefined) config.host = source.host
  if (source.port !== undefined) config.port = source.port
  if (source.database !== undefined) config.database = source.database
  if (source.username !== undefined) config.user = source.username
  if (source.password !== undefined) config.password = Redacted.value(source.password)
  if (tls !== undefined && tls !== false) config.ssl = tls === true ? { verifyIdentity: true } : { ...tls }
  // What a connection is set to must stay.
  Reflect.deleteProperty(config, "resetOnRelease")
  return config
}
