/**
 * What goes wrong between us and a server, and what can be done about it.
 */
import { DriverError } from "../../ScopedError.ts"

export interface Fault {
  readonly _tag: "Fault"
  readonly reason: DriverError["reason"]
  readonly description: string
  /** Whether the server may have carried out what it was sent all the same. */
  readonly inDoubt: boolean
  /** What the server said, if it said anything. */
  readonly said?: string | undefined
  readonly cause?: Error | undefined
  readonly remedy?: Remedy | undefined
  /** The key that it is about, where others went along with it. */
  readonly key?: string | undefined
}

/**
 * How to get an answer after all, where the server has done nothing yet:
 *
 * - `Load`: it does not know the script; send its text.
 * - `Later`: its state is about to change.
 * - `Failover`: somebody else may have its address, or its part, by now.
 * - `Alone`: the keys of a slot that is being moved are in two places; send what concerns one key by itself.
 * - `Moved`: another node has the slot.
 * - `Ask`: another node may have this key already.
 */
export type Remedy =
  | { readonly _tag: "Load" | "Later" | "Failover" | "Alone" | "Moved" }
  | { readonly _tag: "Ask"; readonly address: string }

export const make = (
  reason: Fault["reason"],
  description: string,
  more?: Partial<Pick<Fault, "inDoubt" | "said" | "cause" | "remedy" | "key">>
): Fault => ({ _tag: "Fault", reason, description, inDoubt: false, ...more })

export const isFault = (u: unknown): u is Fault =>
  typeof u === "object" && u !== null && "_tag" in u && u._tag === "Fault"

/**
 * Whether a request may have been refused for some of its keys only: these are in two places, or the user has rights to
 * the others. The server has done nothing of it.
 */
export const isPartial = ({ remedy, said }: Fault): boolean =>
  remedy?._tag === "Alone" || said?.startsWith("NOPERM ") === true

export const toDriverError = (fault: Fault, operation: DriverError["operation"], scope?: string): DriverError =>
  new DriverError({
    driver: "redis",
    operation,
    reason: fault.reason,
    description: fault.description,
    inDoubt: operation === "commit" && fault.inDoubt,
    ...(scope === undefined ? {} : { scope }),
    ...(fault.cause === undefined ? {} : { cause: fault.cause })
  })

export const closed = make("Closed", "the driver was closed: keep its layer open for as long as it is used")

/**
 * An error without anything but what it says: to their errors others attach the command that failed, with the states in
 * its arguments, or a URL with its password.
 */
export const bare = (error: unknown): Error => {
  if (!(error instanceof Error)) return new Error("unknown")
  const copy = new Error(withoutArguments(error.message))
  copy.name = error.name
  return "code" in error && typeof error.code === "string" ? Object.assign(copy, { code: error.code }) : copy
}

/** "ERR unknown command 'X', with args beginning with: …" */
const withoutArguments = (message: string): string => message.replace(/,? with args beginning with[^]*/, "")

/** The connection went away with commands on the way. */
export const lost = (address: string, cause?: unknown): Fault =>
  make("Unavailable", `the connection to ${address} was lost before the answer came${because(cause)}`, {
    inDoubt: true,
    cause: cause === undefined ? undefined : bare(cause)
  })

/** The connection went away before anything was sent on it. */
export const gone = (address: string): Fault =>
  make("Unavailable", `the connection to ${address} was lost`, { remedy: { _tag: "Later" } })

export const late = (address: string, millis: number): Fault =>
  make("Timeout", `${address} did not answer within ${millis} ms: is it overloaded, stopped or cut off`, {
    inDoubt: true
  })

/** The server has not got the database, or gives it to nobody. */
export const database = (address: string, { cause, said }: Fault): Fault =>
  make("Forbidden", `${address} refuses to SELECT the database that is asked for (${said}): set another "db"`, {
    cause
  })

/** There was no connection to send it on. */
export const unreachable = (address: string, cause?: unknown): Fault =>
  make(
    "Unavailable",
    cause === undefined
      ? `${address} gave no connection that is ready: is it loading, stopped or cut off`
      : `${address} cannot be reached${because(cause)}: check that the server runs, and the address`,
    cause === undefined ? {} : { cause: bare(cause) }
  )

const because = (cause: unknown): string =>
  cause instanceof Error && cause.message !== "" ? ` (${withoutArguments(cause.message)})` : ""

/** What an error that ioredis rejected a command with, or told of a connection, stands for. */
export const fromError = (address: string, error: unknown): Fault => {
  if (!(error instanceof Error)) return lost(address, error)
  if (error.name === "ReplyError") return { ...fromText(address, error.message), cause: bare(error) }
  if (error.message.includes("enableOfflineQueue")) return gone(address)
  return lost(address, error)
}

// Redis 6 wraps what a command inside a script failed with; later versions put it first.
const wrapped = /@user_script: ?\d+: -?([^]*)$/

/** What a server's refusal stands for. */
export const fromText = (address: string, text: string): Fault => {
  const said = withoutArguments(wrapped.exec(text)?.[1] ?? text).trim()
    // As Redis says it inside of a script.
    .replace(/^(ERR )?(?=The user executing the script|ACL failure in script)/, "NOPERM ")
  const [code = ""] = said.split(" ", 1)
  const known = replies[code]
  if (known !== undefined) {
    const [reason, description, remedy] = known
    return make(reason, `${address} answered ${description}`, { said, remedy: remedy && { _tag: remedy } })
  }
  switch (code) {
    case "ASK":
      return make("Unavailable", `${address} is giving the slot away (ASK)`, {
        said,
        remedy: { _tag: "Ask", address: said.split(" ")[2] ?? "" }
      })
    case "WRONGTYPE":
      return make("Corrupt", said.slice("WRONGTYPE ".length), { said })
  }
  if (/unknown (redis )?command|this redis command is not allowed/i.test(said)) {
    return make(
      "Forbidden",
      `${address} does not know a command that this driver needs (${said}): it was disabled, or this is not Redis`,
      { said }
    )
  }
  // Whatever it is, it may have come after a part of the batch was applied.
  return make("Unknown", `${address} answered with an error (${said})`, { inDoubt: true, said })
}

/** What a script found wrong with a key, before it wrote anything of that transaction. */
export const ofKey = (address: string, text: string, key: string): Fault => {
  const name = JSON.stringify(key)
  if (text === "FOREIGN" || text.includes("WRONGTYPE")) {
    return make(
      "Corrupt",
      `the key ${name} holds something that this driver did not write${
        text === "FOREIGN" ? "" : " (WRONGTYPE)"
      }: it was left as it is. Delete it, or set another "prefix"`,
      { key }
    )
  }
  const fault = fromText(address, text)
  return { ...fault, key, inDoubt: false, description: `${fault.description} (about the key ${name})` }
}

type Known = readonly [Fault["reason"], string, Exclude<Remedy["_tag"], "Ask">?]

// Each of these is given before the first write of a script, never after it.
const replies: { readonly [code: string]: Known | undefined } = {
  NOSCRIPT: ["Unavailable", "that it does not have the script (NOSCRIPT)", "Load"],
  LOADING: ["Unavailable", "that it is still loading its data (LOADING): wait until it has", "Later"],
  CLUSTERDOWN: ["Unavailable", "that its cluster is down (CLUSTERDOWN): see CLUSTER INFO", "Later"],
  MASTERDOWN: ["Unavailable", "that it has lost its master (MASTERDOWN): see INFO replication", "Later"],
  TRYAGAIN: ["Unavailable", "that the slot is being moved (TRYAGAIN): wait until it has been", "Alone"],
  MOVED: [
    "Forbidden",
    "that another server has the slot (MOVED): it is part of a cluster, so set \"cluster\"",
    "Moved"
  ],
  CROSSSLOT: [
    "Forbidden",
    "that the keys are in different slots (CROSSSLOT): it is part of a cluster, so set \"cluster\""
  ],
  READONLY: ["Forbidden", "that it is a replica (READONLY): give the address of the primary", "Failover"],
  OOM: [
    "Full",
    "that its memory is full (OOM): raise \"maxmemory\", or remove what is not needed; scopes can still be removed"
  ],
  MISCONF: [
    "Full",
    "that it cannot save its data to disk, and so takes no writes (MISCONF): free disk space, and see its log"
  ],
  NOREPLICAS: [
    "Unavailable",
    "that too few replicas follow it (NOREPLICAS): start them, or lower \"min-replicas-to-write\""
  ],
  NOAUTH: ["Forbidden", "that it wants a password (NOAUTH): set \"password\", and \"username\" if it has users"],
  WRONGPASS: ["Forbidden", "that the username or the password is wrong (WRONGPASS)"],
  NOPERM: [
    "Forbidden",
    "that this user may not do it (NOPERM): permit the commands, keys and channels that this driver's documentation lists"
  ],
  BUSY: [
    "Unavailable",
    "that it is busy with another script (BUSY): wait for it, or end it with SCRIPT KILL"
  ],
  UNKILLABLE: ["Unavailable", "that it is busy with another script (UNKILLABLE): wait for it"]
}
