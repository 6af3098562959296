import type { PlatformError } from "effect/PlatformError"
import { DriverError } from "../../ScopedError.ts"

/**
 * Why an operation failed, before it is known which one it was.
 */
export interface Fault {
  readonly reason: DriverError["reason"]
  readonly description: string
  readonly inDoubt: boolean
  readonly cause?: unknown
  /** A file is not where it was: others may have gone on. */
  readonly gone?: boolean
}

export const make = (reason: Fault["reason"], description: string): Fault => ({ reason, description, inDoubt: false })

export const corrupt = (description: string): Fault => make("Corrupt", description)

/** Something is wrong at a byte of a file. */
export const damaged = (path: string, at: number, what = "is damaged"): Fault =>
  corrupt(
    `${JSON.stringify(path)} ${what} at byte ${at}. What is there is left as it is: stop every process that uses the ` +
      `directory, then restore the directory from a backup`
  )

/** A file is not where it should be. */
export const gone = (path: string): Fault => ({
  ...corrupt(
    `${JSON.stringify(path)} was removed, emptied or replaced while it was in use: stop every process that uses the ` +
      `directory, and restore it from a backup`
  ),
  gone: true
})

/** What went wrong when a file was opened that must be there. */
export const fromOpening = (path: string) => (error: PlatformError): Fault =>
  error.reason._tag === "NotFound" ? gone(path) : fromPlatform(path)(error)

/** A journal of the first format. */
export const outdated = (path: string): Fault =>
  corrupt(
    `${JSON.stringify(path)} has the format "effect-scoped/1", which only development versions wrote: choose another ` +
      `directory, or copy the scopes over with the version that wrote it`
  )

/** A file that begins with something else than it should. */
export const foreign = (path: string, format?: string): Fault =>
  corrupt(
    format === undefined
      ? `${JSON.stringify(path)} was not written by this driver: choose another directory, or move the file away`
      : `${JSON.stringify(path)} has the format ${JSON.stringify(format)}, which this version does not know: use the ` +
        `version that wrote it, or a later one`
  )

export const closed: Fault = make("Closed", "the driver was closed: keep its layer open for as long as it is used")

export const toDriverError = (
  { cause, description, inDoubt, reason }: Fault,
  operation: DriverError["operation"]
): DriverError =>
  new DriverError({ driver: "file", operation, reason, description, inDoubt, ...cause !== undefined && { cause } })

/**
 * What went wrong with the file at `path`.
 */
export const fromPlatform = (path: string) => (error: PlatformError): Fault => {
  const [reason, description] = classify(error, JSON.stringify(path))
  return { reason, description, inDoubt: false, cause: error }
}

const classify = (error: PlatformError, path: string): readonly [Fault["reason"], string] => {
  // The codes of the system say more than the tags: "Unknown" stands for a full disk as well as for a broken one.
  const what = code(error) ?? error.reason._tag
  if (error.reason.method === "link" && ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(what)) {
    return [
      "Forbidden",
      `the file system of ${path} has no hard links: choose a directory on a local disk that has them`
    ]
  }
  switch (what) {
    case "ENOSPC":
    case "EDQUOT":
      return ["Full", `no space is left for ${path}: free some or raise the quota, and try again`]
    case "EFBIG":
      return ["Full", `${path} would be larger than its file system or the limits of this process allow`]
    case "EROFS":
      return ["Forbidden", `${path} is on a read-only file system: choose a directory that can be written`]
    case "EACCES":
    case "EPERM":
    case "PermissionDenied":
      return ["Forbidden", `permission denied on ${path}: let this process read and write the directory and its files`]
    case "ENOTDIR":
    case "EEXIST":
    case "AlreadyExists":
    case "BadResource":
      return [
        "Unavailable",
        `${path} is not of the expected kind: choose a path that is a directory, or does not exist`
      ]
    case "ENOENT":
    case "NotFound":
      return ["Unavailable", `${path} does not exist: it was removed, or a part of its path was`]
    case "EMFILE":
    case "ENFILE":
      return ["Unavailable", `too many files are open to open ${path}: raise the limit (ulimit -n)`]
    case "EIO":
      return ["Unavailable", `the disk failed on ${path}: see the system log`]
    default:
      return ["Unknown", `${code(error) ?? error.message} on ${path}: see "cause"`]
  }
}

export const code = (error: PlatformError): string | undefined => {
  const cause = error.reason.cause
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
}
