import { DriverError } from "../../ScopedError.ts"

/**
 * Why an operation failed, before it is known which one it was.
 */
export interface Fault {
  readonly reason: DriverError["reason"]
  readonly description: string
  /** Whether a transaction that was under way may have been committed all the same. */
  readonly inDoubt: boolean
  /**
   * What may help: `again`, the same once more, since others were in the way; `wait`, the same, since a lock was not
   * to be had for now; `alone`, each of the transactions by itself, since one of them is at fault; `elsewhere`, another
   * connection, since this one is gone; `primary`, a connection made anew, since this one leads to a server that is not
   * the primary any more; `later`, a connection that comes back, since the server takes no more of them.
   */
  readonly remedy: "again" | "wait" | "alone" | "elsewhere" | "primary" | "later" | "none"
  readonly cause?: unknown
}

export const make = (reason: Fault["reason"], description: string): Fault => ({
  reason,
  description,
  inDoubt: false,
  remedy: "none"
})

export const closed: Fault = make("Closed", "the driver was closed: keep its layer open for as long as it is used")

export const toDriverError = (operation: DriverError["operation"]) => (fault: Fault): DriverError =>
  new DriverError({
    driver: "mysql",
    operation,
    reason: fault.reason,
    description: fault.description,
    inDoubt: operation === "commit" && fault.inDoubt,
    ...("cause" in fault ? { cause: fault.cause } : {})
  })

/** What went wrong with a connection while it was made (`connect`), or with what was sent over it (`query`). */
export const fromMysql = (phase: "connect" | "query", error: unknown): Fault => {
  const { code, errno, message, server } = properties(error)
  const [reason, description, remedy = "none"] = (server ? byNumber(errno, message) : byCode(code, message, phase))
    ?? ["Unknown", `${message}. See "cause"`, server ? "alone" : "elsewhere"]
  return {
    reason,
    description,
    remedy,
    // An error of the server ends the transaction, but for those that may come while it commits. Whatever else went
    // wrong once the transaction was sent, the server may have read it.
    inDoubt: phase === "query" && (!server || doubtful.has(errno)),
    cause: bare(error)
  }
}

/** The number that the server gave the error. */
export const numberOf = ({ cause }: Fault): unknown => (cause as { readonly errno?: unknown } | undefined)?.errno

/**
 * Whether a privilege is missing. A connection has those on its database that its user had when it was made: what is
 * granted later, only new ones have.
 */
export const isOfRights = (fault: Fault): boolean => privileges.has(numberOf(fault))

const privileges: ReadonlySet<unknown> = new Set([1044, 1142, 1143, 1227, 1370])

/** The error without the statement, and whatever else the client has attached to it: nothing to log. */
const bare = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error
  const { code, errno, message, sqlState } = properties(error)
  const cause = Object.assign(new Error(message), { code, errno, sqlState })
  Object.defineProperty(cause, "stack", { value: error.stack, enumerable: false })
  return cause
}

const properties = (error: unknown) => {
  const { code, errno, message, sqlState } = error as {
    readonly code?: unknown
    readonly errno?: unknown
    readonly message?: unknown
    readonly sqlState?: unknown
  }
  return {
    code: typeof code === "string" ? code : "",
    errno: typeof errno === "number" ? errno : 0,
    message: typeof message === "string" ? message : String(error),
    sqlState: typeof sqlState === "string" ? sqlState : undefined,
    // Errors of the system have negative numbers, and no state.
    server: typeof sqlState === "string" || typeof errno === "number" && errno > 0
  }
}

/**
 * Errors that may answer a `COMMIT`: in the middle of it (1180, 3100), the server going down (1053, 1077, 1079), the
 * connection or the statement killed (1105, 1152, 1317, 1927, 3169), or the network failing (the rest).
 */
const doubtful = new Set([1180, 3100, 1053, 1077, 1079, 1105, 1152, 1317, 1927, 3169, 1158, 1159, 1160, 1161, 2006])
  .add(2013).add(4031)

type Classified = readonly [reason: Fault["reason"], description: string, remedy?: Fault["remedy"]]

const byNumber = (errno: number, message: string): Classified | undefined => {
  if (privileges.has(errno)) {
    return [
      "Forbidden",
      `the user lacks a privilege (${message}): grant SELECT, INSERT, UPDATE and DELETE on the tables, and CREATE ` +
      `on the database unless they exist`
    ]
  }
  switch (errno) {
    case 1213:
    case 1020:
    case 1180:
    case 1242:
    case 3101:
    case 1615:
      return ["Unavailable", `other transactions were in the way, time and again (${message}): try again`, "again"]
    case 1205:
    case 3572:
    case 1969:
    case 3024:
      return [
        "Timeout",
        `another session holds a lock on the table or its rows (${message}): end its transaction. ` +
        `SHOW FULL PROCESSLIST and information_schema.INNODB_TRX show who it is`,
        "wait"
      ]
    case 1290:
      // Any option that stands in the way has this number.
      return /read.only/i.test(message) ? byNumber(1836, message) : undefined
    case 1792:
    case 1836:
    case 3100:
      return ["Forbidden", `the server is read-only (${message}): connect to the primary`, "primary"]
    case 1047:
      return [
        "Unavailable",
        `the node takes no statements (${message}): is it cut off from its cluster, or still joining it?`,
        "primary"
      ]
    case 1045:
    case 1130:
    case 1251:
    case 1396:
    case 1449:
    case 1524:
    case 1698:
    case 1820:
    case 1862:
    case 3118:
    case 3159:
      return ["Forbidden", `the server does not let this user in (${message}): check user, password, host and TLS`]
    case 1046:
    case 1049:
      return ["Forbidden", `there is no such database (${message}): create it, or name another one`]
    case 1146:
      return ["Forbidden", `the table does not exist (${message})`]
    case 1054:
    case 1364:
    case 1406:
    case 1048:
      return ["Corrupt", `the table is not as this library creates it (${message}): see the statement in its docs`]
    case 3:
    case 1021:
    case 1026:
    case 1114:
    case 1534:
    case 3675:
      return ["Full", `the server has no space left (${message}): free some`]
    case 1037:
    case 1038:
    case 1041:
      return ["Full", `the server is out of memory (${message})`]
    case 139:
    case 1118:
      return ["Full", `the state is too large for the server's settings (${message})`, "alone"]
    case 1153:
    case 1301:
      return ["Full", `a packet is larger than the server takes (${message}): raise max_allowed_packet`, "alone"]
    case 1665:
      return ["Forbidden", `the server's binary log does not take it (${message}): set binlog_format to ROW`]
    case 1040:
    case 1203:
    case 1226:
      return [
        "Unavailable",
        `too many connections (${message}): raise max_connections, or lower the size of the pools`,
        "later"
      ]
    case 1461:
      return ["Unavailable", `too many prepared statements (${message}): raise max_prepared_stmt_count`]
    case 1243:
      return ["Unavailable", `the connection has lost its prepared statements (${message})`, "elsewhere"]
    case 1129:
      return ["Unavailable", `the server has blocked this host (${message}): run FLUSH HOSTS`]
    case 1053:
    case 1077:
    case 1079:
      return ["Unavailable", `the server is shutting down (${message})`, "elsewhere"]
    case 1105:
    case 1317:
    case 1927:
    case 3169:
    case 4031:
    case 1152:
    case 1158:
    case 1159:
    case 1160:
    case 1161:
    case 2006:
    case 2013:
      return ["Unavailable", `the server ended the statement or the connection (${message})`, "elsewhere"]
    default:
      return undefined
  }
}

const byCode = (code: string, message: string, phase: "connect" | "query"): Classified | undefined => {
  if (message === "Pool is closed.") return ["Closed", "the pool was closed: keep it open for as long as it is used"]
  if (message === "No connections available." || message === "Queue limit reached.") {
    return ["Unavailable", "all connections of the pool are in use: raise its limits"]
  }
  if (/^(HANDSHAKE_.*SSL|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_|AUTH_)/.test(code)) {
    return ["Forbidden", `the connection was not let in (${message}): check user, password and TLS`]
  }
  if (phase === "connect") {
    return code === "" ? undefined : [
      "Unavailable",
      `no connection (${message || code}): is the server up, and are host and port right?`
    ]
  }
  return ["Unavailable", `the connection was lost (${message || code})`, "elsewhere"]
}
