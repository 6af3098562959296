/**
 * The errors of the library. Every one names the scope it happened to and says what to do next.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * The update gave up: somebody else committed first each time, until the retry schedule was exhausted.
 *
 * Nothing of the update is stored. `attempts` counts the commits that were tried. Retry later, give the update a longer
 * `retry` schedule, or split the state into more scopes so that fewer writers meet.
 *
 * @category errors
 * @since 0.1.0
 */
export class ConflictError extends Schema.TaggedError<ConflictError>("effect-scoped/ConflictError")("ConflictError", {
  scope: Schema.String,
  attempts: Schema.Int,
  /** The scopes that others changed meanwhile: of a product, only some may be. */
  changed: Schema.Array(Schema.String)
}) {
  override get message(): string {
    const where = this.changed.length === 1 && this.changed[0] === this.scope
      ? ""
      : ` (in ${this.changed.map(quote).join(", ")})`
    return `${quote(this.scope)} kept changing${where}: gave up after ${this.attempts} attempt` +
      `${this.attempts === 1 ? "" : "s"}. Nothing of this update is stored. ` +
      `Try again, lengthen the "retry" schedule, or split the state into more scopes`
  }
}

/**
 * A state does not fit its schema: stored data that the schema cannot read (`operation: "read"`), a next state that it
 * cannot write (`"write"`), or the initial state that the scope was made with (`"initial"`).
 *
 * Stored data is left untouched. `path` leads to the fault inside the state; `[]` is the state itself.
 *
 * @category errors
 * @since 0.1.0
 */
export class StateError extends Schema.TaggedError<StateError>("effect-scoped/StateError")("StateError", {
  scope: Schema.String,
  operation: Schema.Literals(["read", "write", "initial"]),
  path: Schema.Array(Schema.Union([Schema.String, Schema.Number])),
  reason: Schema.String
}) {
  override get message(): string {
    const where = this.path.length === 0 ? "" : ` at ${this.path.map((key) => `[${JSON.stringify(key)}]`).join("")}`
    switch (this.operation) {
      case "read":
        return `The stored state of ${quote(this.scope)} does not fit its schema${where}: ${this.reason}. ` +
          `It was left as it is: read it with the schema that wrote it, or widen the schema`
      case "write":
        return `The next state of ${quote(this.scope)} cannot be stored${where}: ${this.reason}. ` +
          `The stored state was left as it is: mend the handler or the schema`
      case "initial":
        return `The initial state of ${quote(this.scope)} cannot be stored${where}: ${this.reason}. ` +
          `Nothing was sent: make the scope with an initial state that fits its schema`
    }
  }
}

/**
 * The store failed, and nothing of this update is stored.
 *
 * - `Unavailable`: it cannot be reached or does not answer; try again when it is back.
 * - `Timeout`: it did not answer in time.
 * - `Full`: disk, memory or quota is exhausted.
 * - `Forbidden`: permissions, credentials or a read-only store stand in the way.
 * - `Corrupt`: what it holds is damaged or was written by something else.
 * - `Closed`: the storage layer was closed before the update could be sent.
 * - `NotReplicated`: only inside a driver: the transaction is committed, but on too few replicas or disks. The engine
 *   turns it into a {@link NotReplicatedError}.
 * - `Unknown`: anything else; see `cause`.
 *
 * Inside a driver `inDoubt` says whether the failed call may have been applied all the same. A `DriverError` that
 * reaches the caller of `Scoped.update` is never in doubt: that would be an {@link AmbiguousCommitError}.
 *
 * @category errors
 * @since 0.1.0
 */
export class DriverError extends Schema.TaggedError<DriverError>("effect-scoped/DriverError")("DriverError", {
  driver: Schema.String,
  operation: Schema.Literals(["open", "read", "commit", "changes", "names"]),
  reason: Schema.Literals([
    "Unavailable",
    "Timeout",
    "Full",
    "Forbidden",
    "Corrupt",
    "Closed",
    "NotReplicated",
    "Unknown"
  ]),
  /** What went wrong and what to do about it, as one or two sentences without the final full stop. */
  description: Schema.String,
  inDoubt: Schema.Boolean,
  scope: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    const scope = this.scope === undefined ? "" : ` of ${quote(this.scope)}`
    return `The ${this.driver} driver could not ${verbs[this.operation]}${scope}: ${this.description}`
  }
}

/**
 * The store went away in the middle of a commit, and it cannot be known whether the update was applied.
 *
 * Read the scope to see; do not blindly run the update again.
 *
 * @category errors
 * @since 0.1.0
 */
export class AmbiguousCommitError
  extends Schema.TaggedError<AmbiguousCommitError>("effect-scoped/AmbiguousCommitError")("AmbiguousCommitError", {
    scope: Schema.String,
    reason: Schema.String,
    cause: Schema.optionalKey(Schema.Defect())
  })
{
  override get message(): string {
    return `It is not known whether the update of ${quote(this.scope)} was applied: ${this.reason}. ` +
      `Read the scope before running the update again`
  }
}

/**
 * The update is committed, but not on as many replicas or disks as the driver was asked to wait for.
 *
 * Nothing is wrong with the update: do not run it again. It is lost if the store loses its primary before the others
 * have it.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotReplicatedError
  extends Schema.TaggedError<NotReplicatedError>("effect-scoped/NotReplicatedError")("NotReplicatedError", {
    scope: Schema.String,
    reason: Schema.String
  })
{
  override get message(): string {
    return `The update of ${quote(this.scope)} is stored, though less safely than was asked for: ${this.reason}`
  }
}

/**
 * A name that no scope can have: empty, with a lone surrogate, or longer than the driver's limit. Nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class NameError extends Schema.TaggedError<NameError>("effect-scoped/NameError")("NameError", {
  scope: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `${quote(this.scope)} cannot be the name of a scope: ${this.reason}`
  }
}

/**
 * A state larger than the driver can store. Nothing was sent. `bytes` and `limit` count the UTF-8 bytes of its JSON.
 *
 * @category errors
 * @since 0.1.0
 */
export class SizeError extends Schema.TaggedError<SizeError>("effect-scoped/SizeError")("SizeError", {
  scope: Schema.String,
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `The next state of ${
      quote(this.scope)
    } takes ${this.bytes} bytes as JSON, and this driver stores ${this.limit} at ` +
      `most. The stored state was left as it is: split the state into more scopes`
  }
}

/**
 * A product that no update can work on: a scope is in it twice, or it has more scopes than the driver commits at once.
 * Nothing was sent.
 *
 * @category errors
 * @since 0.1.0
 */
export class ProductError extends Schema.TaggedError<ProductError>("effect-scoped/ProductError")("ProductError", {
  scope: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `The product ${quote(this.scope)} cannot be used: ${this.reason}`
  }
}

/**
 * Everything that `Scoped.update` can fail with, besides the handler's own abort.
 *
 * @category errors
 * @since 0.1.0
 */
export type ScopedError =
  | ConflictError
  | StateError
  | DriverError
  | AmbiguousCommitError
  | NotReplicatedError
  | NameError
  | SizeError
  | ProductError

const verbs = {
  open: "open",
  read: "read",
  commit: "commit",
  changes: "watch for changes",
  names: "list names"
} as const

const quote = (scope: string): string => {
  const name = JSON.stringify(scope)
  return name.length <= 100 ? name : `${name.slice(0, 99)}…"`
}
